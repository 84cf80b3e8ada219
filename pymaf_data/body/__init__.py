"""Body models with SMPL's interface: the free body that ships with the package, and licensed SMPL files.

body = load_body("free")
out = body(pose, betas, translation)       # vertices (B, V, 3), skeleton (B, 24, 3), joints (B, 49, 3)
"""

from pymaf_data.body.arrays import BodyArrays, Regressor, topology_fingerprint
from pymaf_data.body.free import read_free_asset
from pymaf_data.body.loading import BODIES, load_body
from pymaf_data.body.model import BodyModel, BodyOutput
from pymaf_data.untrusted.unpickle import load_pickled_npz, load_trusted_pickle, loads_trusted

__all__ = [
    "BODIES",
    "BodyArrays",
    "BodyModel",
    "BodyOutput",
    "Regressor",
    "load_body",
    "load_pickled_npz",
    "load_trusted_pickle",
    "loads_trusted",
    "read_free_asset",
    "topology_fingerprint",
]
