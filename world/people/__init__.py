"""What people look like: skin, face, hair and clothes on a posed body."""

from __future__ import annotations

from pymaf_data.world.people.dress import Dressed, Tailor
from pymaf_data.world.people.outfit import Outfit, draw_outfit

__all__ = ["Dressed", "Outfit", "Tailor", "draw_outfit"]
