"""``pymaf-data datasets``: what raw data sets there are, and what of them lies on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pymaf_data.cli.say import echo, echo_json

if TYPE_CHECKING:
    from pymaf_data.datasets import Manifest
    from pymaf_data.paths import DataRoot


def command(
    name: Annotated[str | None, typer.Argument(help="A data set, or a manifest of your own (*.yaml).")] = None,
    raw: Annotated[Path | None, typer.Option("--root", help="Its folder.", show_default="raw/NAME of the root")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """List the raw data sets that can be ingested: licences, where to get them, expected counts, what is here.

    Of one data set: what to get where, under which licence, into which layout; what of it lies here, missing, cut short
    or left over; about how much room and time it takes. Exit code 1 where something that lies here is damaged.

    Example: pymaf-data datasets; pymaf-data datasets coco
    """
    from pymaf_data.datasets import known_manifests, load_manifest
    from pymaf_data.paths import DataRoot, as_meant

    root = DataRoot.default()
    if name is not None:
        from pymaf_data.cli.one_dataset import show

        manifest = load_manifest(name)
        folder = as_meant(raw) if raw else root.raw(manifest.name)
        for split in manifest.splits:
            manifest = manifest.inside(folder, split)
        show(manifest, folder, described(manifest, root, folder), as_json)
        return
    listed = [described(load_manifest(name), root) for name in known_manifests()]
    if as_json:
        echo_json(listed)
        return
    for number, dataset in enumerate(listed):
        if number:
            echo()
        _print(dataset)


def described(manifest: Manifest, root: DataRoot, folder: Path | None = None) -> dict[str, Any]:
    """What the list of data sets says of one, of which what is here lies in ``folder``, by default the root's own."""
    raw = folder or root.raw(manifest.name)
    splits = {
        name: {
            "held_out": split.held_out,
            "default_selection": split.default_selection,
            "files": {
                role: {"path": pattern, "here": role in split.here(raw), "optional": role in split.optional}
                for role, pattern in split.files.items()
            },
            "expected": {selection: number.count for selection, number in split.expected.items()},
            "expected_known": {selection: number.known for selection, number in split.expected.items()},
            "store": _store(root, manifest.name, name),
        }
        for name, split in manifest.splits.items()
    }
    return {
        "name": manifest.name,
        "title": manifest.title,
        "reader": manifest.reader,
        "homepage": manifest.homepage,
        "citation": manifest.citation,
        "licences": {licence.part: licence.sentence() for licence in manifest.licences},
        "brings": list(manifest.brings),
        "get": [item.model_dump() for item in manifest.get],
        "root": str(raw),
        "selections": {
            name: rule.title
            for rules in (manifest.selections, *(split.selections for split in manifest.splits.values()))
            for name, rule in rules.items()
        },
        "default_selection": manifest.default_selection,
        "splits": splits,
    }


def _store(root: DataRoot, name: str, split: str) -> dict[str, Any] | None:
    """The store of a split where one is, and its persons; None of them where it cannot be opened."""
    from pymaf_data.errors import PymafDataError
    from pymaf_data.storage import open_store

    path = root.store(name, split)
    if not path.is_dir():
        return None
    try:
        return {"path": str(path), "persons": len(open_store(path))}
    except (PymafDataError, OSError):
        return {"path": str(path), "persons": None}


def _print(dataset: dict[str, Any]) -> None:
    echo(f"{dataset['name']}", bold=True, newline=False)
    echo(f"  {dataset['title']}{' · ' * bool(dataset['homepage'])}{dataset['homepage']}")
    default, splits = dataset["default_selection"], dataset["splits"]
    lines = [(f"{name}:", "; ".join(_of_split(dataset["root"], split))) for name, split in splits.items()]
    lines += [
        ("--select", f"{name}: {title}{' (default)' * (name == default)}")
        for name, title in dataset["selections"].items()
    ]
    lines += [("licence", f"{part}: {licence}") for part, licence in dataset["licences"].items()]
    if any(_absent(split) for split in splits.values()):
        lines += [
            ("get", f"{item['what']}{': ' * bool(item['url'])}{item['url']} → {place(dataset, item)}")
            for item in dataset["get"]
        ]
    width = max(len(title) for title, _ in lines)
    for title, line in lines:
        echo(f"  {title:<{width}} {line}")


def place(dataset: dict[str, Any], item: dict[str, Any]) -> str:
    """The folder where a download belongs."""
    return f"{Path(dataset['root'], item['into'])}/"


def _absent(split: dict[str, Any]) -> list[str]:
    return [role for role, file in split["files"].items() if not (file["here"] or file["optional"])]


def _of_split(root: str, split: dict[str, Any]) -> list[str]:
    here = [role for role, file in split["files"].items() if file["here"]]
    absent = _absent(split)
    state = f"in {root}" if not absent else f"not in {root}"
    said = [f"{state} ({' and '.join(here)} alone)" if here and absent else state]
    said += [
        f"{count:,} persons expected ({name}; {split['expected_known'][name]})"
        for name, count in split["expected"].items()
    ]
    store = split["store"]
    if store:
        persons = (
            "which cannot be opened: `pymaf-data verify` says why"
            if store["persons"] is None
            else (f"{store['persons']:,} persons")
        )
        said.append(f"store {store['path']}, {persons}")
    own = split["default_selection"]
    said += [f"--select {own} by default"] * bool(own)
    return said + ["held out: to measure on"] * split["held_out"]
