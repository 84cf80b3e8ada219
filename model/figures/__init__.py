"""``figure``: the paper's figures of any checkpoint and store, of fixed layouts: the same command, the same pixels.

rows         whom a figure shows
measured     errors against the truth, and how well a body lies on its image
bodies       a body over the view of its person, and from the side
layouts      iterations, compare, alignment, worst: of bodies
features     what a network reads: sums of its feature maps, and the dense map that it predicts
run          from names to a PNG
"""
