"""``pymaf-data inspect``: what is in a store?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pymaf_data.cli.say import Stores, echo, echo_json, size

_INPUTS = 20  # of some data sets over a thousand files


def command(
    stores: Stores = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show what a store holds: persons kept and dropped, missing images, stages, where it came from, licences.

    Example: pymaf-data inspect data/stores/coco-train.zarr
    """
    from pymaf_data.paths import DataRoot
    from pymaf_data.storage import inspect

    described = [inspect(path) for path in DataRoot.default().require_stores(stores or [])]
    if as_json:
        echo_json(described)
        return
    for number, store in enumerate(described):
        if number:
            echo()
        _print(store)


def _print(store: dict[str, Any]) -> None:
    echo(store["path"], bold=True)
    _line("what", f"{store['dataset']} {store['split']}, format {store['format_version']}")
    _line("persons", f"{store['persons']:,} in shards of {store['shard']}, {size(store['bytes'])}")
    _table("missing", store["holes"])
    _table("counts", _against(store["counts"], store["expected"]))
    _table("licences", store["licences"])
    _table("options", store["options"])
    inputs = [(name, digest[:16]) for name, digest in store["inputs"].items()]
    more = {f"and {len(inputs) - _INPUTS:,} more": "see --json"} if len(inputs) > _INPUTS else {}
    _table("inputs", dict(inputs[:_INPUTS]) | more)
    _line("manifest", store["manifest_digest"][:16] or "none")
    _table("versions", store["versions"])
    _table("writers", store["writers"])
    for stage in store["stages"]:
        _print_stage(stage)


def _print_stage(stage: dict[str, Any]) -> None:
    done = stage["shards"] - len(stage["missing"])
    state = "complete" if stage["complete"] else "not complete"
    current = ", current" if stage["current"] else ""
    echo(f"  stage {stage['stage']} ", bold=True, newline=False)
    echo(f"{stage['generation'][:16]}: {done} of {stage['shards']} shards, {state}{current}, {size(stage['bytes'])}")
    for name, array in stage["arrays"].items():
        shape = "x".join(map(str, array["shape"]))
        echo(f"    {name:<16} {shape:<20} {array['dtype']:<8} {array['codec']:<5} {size(array['bytes'])}")
    for key, value in stage["attributes"].items():
        echo(f"    {key} = {value}")


def _against(counts: dict[str, int], expected: dict[str, int]) -> dict[str, str]:
    """Each count, with what the manifest says where it says otherwise."""
    names = [*counts, *(name for name in expected if name not in counts)]
    texts = {name: f"{counts.get(name, 0):,}" for name in names}
    differing = {name: f"{texts[name]} (whole data set: {expected[name]:,})" for name in expected}
    return texts | {name: text for name, text in differing.items() if counts.get(name) != expected[name]}


def _line(title: str, text: str) -> None:
    echo(f"  {title:<10}{text}")


def _table(title: str, entries: dict[str, Any]) -> None:
    for number, (name, value) in enumerate(entries.items()):
        _line("" if number else title, f"{name}: {value}")
