"""Fits made from 2D keypoints alone: a batched, staged search for camera, heading, pose and shape.

``limits`` names the body's anatomical angles, ``prior`` says which are usual, ``rig`` poses keypoints without a mesh,
``objective`` and ``solver`` fit them, ``initial``, ``flips`` and ``cues`` settle what one image leaves open,
``search`` puts these together, ``fit`` turns labels into fits.
"""
