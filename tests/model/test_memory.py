"""On a CPU what is freed is kept for what comes next."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Bytes of pages that the kernel had to clear for the second of two blocks of 64 MB, one after the other.
_PROGRAM = """
import resource, sys
from pymaf_data.model.memory import keep_freed_memory
if sys.argv[1:]: assert keep_freed_memory()
def block():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(64 << 20)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize()
block()
print(block())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_a_large_block_is_used_again() -> None:
    def cleared(*arguments: str) -> int:
        done = subprocess.run([sys.executable, "-c", _PROGRAM, *arguments], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert cleared() > 32 << 20
    assert cleared("keep") < 1 << 20
