"""Put a run's network into the package, as the start that ships: its weights at a byte each, nothing to go on from.

python tools/ship_start.py data/runs/world
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pymaf_data.model.shipped import START, shipped
from pymaf_data.runs import checkpoints
from pymaf_data.runs.folder import CHECKPOINT


def main() -> None:
    """Read, shrink, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="the run's folder, or a checkpoint's file")
    given: Path = parser.parse_args().run
    checkpoint = checkpoints.read(given / CHECKPOINT if given.is_dir() else given)
    target = shipped(START)
    checkpoints.save(checkpoints.shrunk(checkpoint), target.parent, target.name)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
