"""The page's template, style and scripts; :mod:`pymaf_data.report.html` puts them into one file."""
