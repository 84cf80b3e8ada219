"""Poses of the generated world: families of postures, shapes, and figures that stand, sit, lie and handle things.

draw_figure   one settled person in a world of its own, with the things that carry it or that it handles
FAMILIES      the families, their variants and weights
LIMITS        how far joints turn
penetration   how deep a posed body lies inside itself
"""

from pymaf_data.world.poses.families import FAMILIES
from pymaf_data.world.poses.figure import Figure, draw_figure
from pymaf_data.world.poses.freedoms import LIMITS
from pymaf_data.world.poses.settle import penetration

__all__ = ["FAMILIES", "LIMITS", "Figure", "draw_figure", "penetration"]
