"""What tests of several stages share."""

from __future__ import annotations

import pytest


@pytest.fixture
def no_wait_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Durability is storage's own subject; here each fsync of a tiny file would only cost milliseconds."""
    monkeypatch.setattr("os.fsync", lambda _: None)
