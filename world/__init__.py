"""A generated data set: free bodies doing everyday things in rooms, streets and open air, with exact truth.

poses/       what people do: postures by families, settled on what carries them
people/      what they look like: skin, hair, clothes
scenery/     where they are: places, things, light
engine/      a small deferred renderer
things       coloured meshes        light   sun and sky        view   the camera
scene        people before a camera, placed so that they show as in photographs
image      from scene to pixels   develop  what a camera does to light
annotate     COCO keypoints, boxes, masks     dense   the IUV truth
produce      one image from its numbers; :mod:`pymaf_data.world.sample` writes the whole
statistics   what a sample's people are like
"""
