"""Stores of format 1.2, written from what section 9 of ``schemas/store.md`` says of them; never imports pymaf_data."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode("ascii")).hexdigest()


def change_sealed(path: Path, change: Any) -> None:
    """Change the content of a sealed file (section 4)."""
    content = json.loads(path.read_text("ascii"))
    del content["seal"]
    change(content)
    sealed = {**content, "seal": digest(content)}
    path.write_text(json.dumps(sealed, sort_keys=True, indent=1) + "\n", "ascii")


def _turned_round(value: Any) -> Any:
    """Keys in another order than sorted: then they stood as the writer came by them."""
    return {key: _turned_round(value[key]) for key in reversed(value)} if isinstance(value, dict) else value


def former(root: Path) -> Path:
    """Turn a store of 2.0, complete or half-made, into what 1.2 was: in place, locks and all."""
    (root / "crops/image").rename(root / "image")
    (root / "crops/zarr.json").unlink()
    (root / "crops").rmdir()
    (root / "_pymaf/zarr.json").unlink()
    for path in root.rglob("zarr.json"):
        document = json.loads(path.read_text())
        if document["node_type"] == "array":
            document["dimension_names"] = ["person", *[None] * (len(document["shape"]) - 1)]
        elif path.parent == root:
            document["attributes"]["format_version"] = "1.2"
        else:
            document["attributes"] = _turned_round(document["attributes"])
        path.write_text(json.dumps(document, indent=1) + "\n")

    def record(content: dict[str, Any]) -> None:
        for name in ("crops/zarr.json", "_pymaf/zarr.json"):
            content["metadata"].pop(name, None)
        names = [name.removeprefix("crops/") for name in content["metadata"]]
        content["metadata"] = {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in names}
        for array in content["arrays"]:
            array.pop("group", None)

    def commit(content: dict[str, Any]) -> None:
        content["files"] = {name.removeprefix("crops/"): file for name, file in content["files"].items()}

    for path in (root / "_pymaf/stages").rglob("*.json"):
        change_sealed(path, record)
    for path in (root / "_pymaf/commits").rglob("*.json"):
        change_sealed(path, commit)
    change_sealed(root / "_pymaf/plan.json", lambda content: content.update(format_version="1.2"))
    return root
