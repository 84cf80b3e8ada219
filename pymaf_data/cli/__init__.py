"""The command line: commands of stages (``stage``), written ones by their names, one boundary where errors are told."""

from __future__ import annotations

import gc


def main() -> None:
    """Entry point of the ``pymaf-data`` script."""
    gc.disable()  # until a command runs: what imports make stays, and looking through it takes a tenth of a --help
    try:
        from pymaf_data.cli.app import run

        run()
    except KeyboardInterrupt:  # before or after a command
        raise SystemExit(130) from None
