"""pymaf-data: raw human-pose data to trained, evaluated 3D human mesh recovery."""

__version__ = "0.1.0"
