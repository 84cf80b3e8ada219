"""Bodies of other models become bodies of the one trained on: posed, brought onto its mesh, fitted to.

SMPL-X, SMPL-H, gendered SMPL, kids    skinned.py     numbers → vertices
SMPL-X, MHR                            meshes.py      → vertices of SMPL's mesh
all                                    vertex_fit.py  → pose, betas, translation, and what is left
the rows of a table                    convert.py
"""
