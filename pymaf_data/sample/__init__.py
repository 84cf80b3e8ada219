"""A generated data set: free bodies in everyday postures on pictures, with exact truth.

anatomy    postures in anatomical angles, within the limits of the joints
postures   families of postures, drawn at random
stance     feet on the ground, weight over the feet
scene      people on a ground plane before a camera
backdrop   rooms and open ground       wardrobe   what people wear
picture    from scene to pixels        annotate   COCO keypoints, boxes, masks
produce    one picture from its numbers; :mod:`pymaf_data.stages.sample` writes the whole
"""
