"""Files of strangers: pickles, .npz, .npy, .mat and YAML, read without running, crashing or filling memory."""
