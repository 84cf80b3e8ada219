"""Persons found in an image, without a network: where they are, their joints, their masks.

    package       the networks, BlazePose's, as npm's package @mediapipe/pose holds them
    interpreter   runs one
    detector      square of an image → where persons stand upright, or not
    regions       the turned square about a person
    landmarks     that square → joints, mask, whether somebody is there
    doubles       who was found twice
    find          all of it

Needs the extra ``finder`` and the package's file; :func:`open_finder` says which is lacking.
"""

from pymaf_data.finder.find import VERSION, Finder, Found, open_finder
from pymaf_data.finder.package import require_finder

__all__ = ["VERSION", "Finder", "Found", "open_finder", "require_finder"]
