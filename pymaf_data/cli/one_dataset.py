"""``pymaf-data datasets NAME``: what to get of one data set, and what of it lies here."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import typer

from pymaf_data.cli.datasets import place
from pymaf_data.cli.say import echo, echo_json, size
from pymaf_data.datasets import Manifest, find_reader
from pymaf_data.datasets.nearby import elsewhere
from pymaf_data.datasets.splits import IMAGES
from pymaf_data.datasets.survey import FoundFiles, FoundImages, Survey, survey
from pymaf_data.stages.forecast import MEGABITS, Forecast, forecast


def show(manifest: Manifest, root: Path, described: dict[str, Any], as_json: bool) -> None:
    """Print it.

    Args:
        manifest: of the data set.
        root: its folder.
        described: as the list of data sets has it.
        as_json: as one object.

    Raises:
        typer.Exit: with code 1, something that lies there is damaged.
    """
    found = survey(manifest, root)
    expected = {
        name: split["expected"].get(split["default_selection"] or manifest.default_selection)
        for name, split in described["splits"].items()
    }
    costs = forecast(manifest, {name: count for name, count in expected.items() if count})
    if as_json:
        echo_json({**described, "survey": found, "forecast": costs})
    else:
        _show(manifest, root, described, found, costs)
    if found.damaged:
        raise typer.Exit(1)


def _show(manifest: Manifest, root: Path, described: dict[str, Any], found: Survey, costs: Forecast) -> None:
    echo(manifest.name, bold=True, newline=False)
    echo(f"  {manifest.title}{' · ' * bool(manifest.homepage)}{manifest.homepage}")
    sections = {
        "cite": [manifest.citation] * bool(manifest.citation),
        "licence": [f"{part}: {licence}" for part, licence in described["licences"].items()],
        "get": [_download(described, item) for item in described["get"]],
        "layout": [f"{root}/", *_layout(manifest)],
        **{f"{name}:": _of_split(manifest, root, found, described, name) for name in manifest.splits},
        "--select": [f"{name}: {title}" for name, title in described["selections"].items()],
        "--option": _options(manifest.reader),
        "archives": _archives(found),
        "unused": [", ".join([*found.extra, *found.unfinished])] * bool(found.extra or found.unfinished),
        "needs": _costs(costs),
    }
    width = max(map(len, sections))
    for title, lines in sections.items():
        for number, line in enumerate(lines):
            echo(f"  {'' if number else title:<{width}} {line}")


def _options(reader: str) -> list[str]:
    """What the reader of a data set can be told, where it is known."""
    fields = find_reader(reader).options.model_fields
    return [f"{name}: {field.description}" for name, field in fields.items() if field.description]


def _download(described: dict[str, Any], item: dict[str, Any]) -> str:
    much = f" ({size(item['bytes'])})" if item["bytes"] else ""
    return f"{item['what']}{much}{': ' * bool(item['url'])}{item['url']} → {place(described, item)}"


def _layout(manifest: Manifest) -> list[str]:
    """Each path below the root, and what it is of which splits."""
    what: dict[str, dict[str, list[str]]] = {}
    for name, split in manifest.splits.items():
        for role, path in split.files.items():
            archives = ", ".join(split.archives) or f"{path}.zip, .tar, .tar.gz"
            shown = f"{path}/, or {archives}" if role == IMAGES and path else path or "./"
            what.setdefault(shown, {}).setdefault(role, []).append(name)
    width = max(map(len, what))
    return [
        f"  {path:<{width}}  {'; '.join(f'{role} of ' + ', '.join(splits) for role, splits in roles.items())}"
        for path, roles in what.items()
    ]


def _of_split(manifest: Manifest, root: Path, found: Survey, whole: dict[str, Any], name: str) -> list[str]:
    split, described = manifest.splits[name], whole["splits"][name]
    roles, near = described["files"], elsewhere(root, split) if split.absent(root) else ""
    said = [near] * bool(near)
    said += [_of_role(role, file, roles[role]["optional"]) for role, file in found.files[name].items()]
    said.append(_of_images(found.images[name]))
    known = described["expected_known"]
    said += [f"{count:,} persons expected ({one}; {known[one]})" for one, count in described["expected"].items()]
    return said + ["held out: to measure on"] * described["held_out"]


def _of_role(role: str, found: FoundFiles, optional: bool) -> str:
    if found.problem:
        return f"{role}: {found.path}: {found.problem}"
    if found.files:
        of = f" of {found.listed:,}" if found.listed and found.files < found.listed else ""
        files = f"{found.files:,}{of} files, " if found.files > 1 or of else ""
        return f"{role}: {found.path}, {files}{size(found.bytes)}"
    packed = f"; still packed in {found.packed}: unpack it here" if found.packed else ""
    return f"{role}: {found.path} is {'not there, and need not be' if optional else 'missing'}{packed}"


def _of_images(found: FoundImages) -> str:
    if not found.where:
        return "images: missing" + (f", {found.listed:,} of them" if found.listed else "")
    if found.videos:
        return f"images: {found.count:,}, videos: {found.videos:,}, in {' and '.join(found.where)}"
    text = f"images: {found.count:,} in {' and '.join(found.where)}"
    if found.listed is None:
        return text
    lacking = found.listed - found.count
    return f"{text}, {lacking:,} of {found.listed:,} missing" if lacking > 0 else f"{text}, all {found.listed:,} there"


def _archives(found: Survey) -> list[str]:
    said = []
    for archive in found.archives:
        state = archive.problem or f"whole, {archive.files:,} files"
        unread = f", not read: {archive.instead}/ is there, and counts" if archive.instead else ""
        use = ", read as it is" if archive.used else unread
        said.append(f"{archive.path}, {size(archive.bytes)}: {state}{use}")
    return said


def _costs(costs: Forecast) -> list[str]:
    more = f", and {costs.unknown} of unknown size" * bool(costs.unknown)
    download = f"downloads: {size(costs.download_bytes)}{more}; {_time(costs.download_seconds)} at {MEGABITS} Mbit/s"
    stores = [
        f"store of {name}: about {size(costs.store_bytes[name])}; {_time(seconds)} on this machine"
        for name, seconds in costs.ingest_seconds.items()
    ]
    return [download] * bool(costs.download_bytes) + stores


def _time(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.1f} {unit}" if seconds < 10 * length else f"{seconds / length:.0f} {unit}"
    return f"{math.ceil(seconds)} s"
