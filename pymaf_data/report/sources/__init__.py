"""The sources of a store's fits beside each other: how good each is, where they differ, and whom to look at.

measures     what is measured of a fit, and of two
columns      every source over every person
agreement    each two sources on the persons whom both have
worst        whom to look at first
described    all of it as JSON, for the page and for the file beside it
tables       the files beside the page, CSV and JSON
views        the worst persons in every source's fit, from the front and from the side
"""
