"""Files of strangers: pickles, .npz, .npy and .mat, read without running, crashing or filling memory."""

from pymaf_data.untrusted.bounds import read_whole
from pymaf_data.untrusted.kinds import kind_of
from pymaf_data.untrusted.npz import read_npy, read_npz
from pymaf_data.untrusted.unpickle import load_pickled_npz, load_trusted_pickle, loads_trusted

__all__ = [
    "kind_of",
    "load_pickled_npz",
    "load_trusted_pickle",
    "loads_trusted",
    "read_npy",
    "read_npz",
    "read_whole",
]
