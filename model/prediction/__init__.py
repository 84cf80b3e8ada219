"""``predict``: a checkpoint on anyone's images and videos.

inputs      what was given: stills and videos below one folder
persons     whom to look at in each, by boxes or keypoints of a detector
tracks      who is who in a video
seen        images decoded, and the views that a network sees of their persons, made ahead of it
bodies      the network's bodies of them, and the cameras that show these in the whole image
written     predictions.npz, a table of fits, and predictions.json
smoothing   bodies of videos made steadier; turning: how fast a root can turn
drawn       overlays, side views, meshes, videos
run         all of it
"""
