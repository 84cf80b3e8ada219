"""A small deferred renderer: meshes into a canvas, shadows, ambient occlusion, light. Knows nothing of people."""
