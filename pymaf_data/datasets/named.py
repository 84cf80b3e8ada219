"""Images of a folder by what files of detections may call them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from pymaf_data.datasets.detections import Detection


class Names:
    """Images by their names below a folder."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_end, self._by_number = defaultdict[str, list[str]](list), defaultdict[int, list[str]](list)
        for name in names:
            parts = name.split("/")
            for k in range(len(parts)):
                end = "/".join(parts[k:])
                self._by_end[end].append(name)
                self._by_end[end.rpartition(".")[0]].append(name)
            stem = Path(name).stem
            digits = stem[len(stem.rstrip("0123456789")) :]
            if digits:
                self._by_number[int(digits[-12:])].append(name)

    def meant(self, found: Detection) -> list[str]:
        """Those that somebody may be on: by as much of the path as the file says and we know, else by number."""
        parts = found.image.replace("\\", "/").strip("/").split("/") if found.image else []
        for k in range(len(parts)):
            names = self._by_end.get("/".join(parts[k:]))
            if names:
                return names
        return [] if found.image else self._by_number.get(found.frame, [])
