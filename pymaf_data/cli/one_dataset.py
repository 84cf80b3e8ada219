"""``pymaf-data datasets NAME``: what to get of one data set, and what of it lies here."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import typer

from pymaf_data.cli.datasets import place
from pymaf_data.cli.say import echo, echo_json, size
from pymaf_data.datasets import Manifest
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
        echo(manifest.name, bold=True, newline=False)
        echo(f"  {manifest.title}{' · ' * bool(manifest.homepage)}{manifest.homepage}")
        _lines("cite", [manifest.citation] * bool(manifest.citation))
        _lines("licence", [f"{part}: {licence}" for part, licence in described["licences"].items()])
        _lines("get", [_download(described, item) for item in described["get"]])
        _lines("layout", [f"{root}/", *_layout(manifest)])
        for name in manifest.splits:
            _lines(name, _of_split(found, name, described["splits"][name]))
        _lines("archives", _archives(found))
        _lines("unused", [", ".join([*found.extra, *found.unfinished])] * bool(found.extra or found.unfinished))
        _lines("needs", _costs(costs))
    if found.damaged:
        raise typer.Exit(1)


def _lines(title: str, lines: list[str]) -> None:
    for number, line in enumerate(lines):
        echo(f"  {'' if number else title:<9} {line}")


def _download(described: dict[str, Any], item: dict[str, Any]) -> str:
    much = f" ({size(item['bytes'])})" if item["bytes"] else ""
    return f"{item['what']}{much}{': ' * bool(item['url'])}{item['url']} → {place(described, item)}"


def _layout(manifest: Manifest) -> list[str]:
    """Each path below the root, and what it is of which splits."""
    what: dict[str, list[str]] = {}
    for name, split in manifest.splits.items():
        for role, path in split.files.items():
            archives = ", ".join(split.archives) or f"{path}.zip, .tar, .tar.gz"
            shown = f"{path}/, or {archives}" if role == IMAGES and path else path or "./"
            what.setdefault(shown, []).append(f"{role} of {name}")
    width = max(map(len, what))
    return [f"  {path:<{width}}  {', '.join(roles)}" for path, roles in what.items()]


def _of_split(found: Survey, name: str, described: dict[str, Any]) -> list[str]:
    roles = described["files"]
    said = [_of_role(role, file, roles[role]["optional"]) for role, file in found.files[name].items()]
    said.append(_of_images(found.images[name]))
    known = described["expected_known"]
    said += [f"{count:,} persons expected ({one}; {known[one]})" for one, count in described["expected"].items()]
    return said + ["held out: to measure on"] * described["held_out"]


def _of_role(role: str, found: FoundFiles, optional: bool) -> str:
    if found.problem:
        return f"{role}: {found.path}: {found.problem}"
    if found.files:
        return f"{role}: {found.path}, {f'{found.files:,} files, ' if found.files > 1 else ''}{size(found.bytes)}"
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
        use = ", read as it is" if archive.used else ""
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
