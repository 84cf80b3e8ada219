"""``pymaf-data card``: what is a checkpoint, or an evaluation, made of?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pymaf_data.cli.say import echo, echo_json
from pymaf_data.config import by_place

if TYPE_CHECKING:
    from pymaf_data.model.evaluation.card import Card


def command(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT|RUN|EVALUATION.json",
            help="A checkpoint's file, a run's folder or name, start, the network that ships, or an evaluation's JSON.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the card as JSON.")] = False,
) -> None:
    """Show what a checkpoint or an evaluation is: data, licences, recipe, frame, body, versions, figures.

    Figures are those of the checkpoint's evaluations below the data root, by the digest of its file.

    Example: pymaf-data card data/runs/pymaf/checkpoint.pt
    """
    from pymaf_data.model.evaluation.card import card

    found = card(subject)
    if as_json:
        echo_json(found)
    else:
        _print(found)


def _print(card: Card) -> None:
    from pymaf_data.model.evaluation.table import lines_of

    echo(card.name, bold=True)
    _line("what", " ".join(filter(None, [card.network, card.kind, _step(card), card.file])))
    if card.parameters is not None and card.megabytes is not None:
        stored = f", a file of {card.file_megabytes:.1f}" if card.file_megabytes else ""
        _line("size", f"{card.parameters:,} parameters, {card.megabytes:.1f} MB once loaded{stored}")
    _line("sha256", card.sha256)
    _line("frame", card.frame)
    _line("body", " ".join(card.body[key][:16] for key in ("name", "digest") if key in card.body))
    _line("precision", card.precision)
    _line("weights", f"{card.weights} over the steps" if card.weights else "")
    data = [(_named(one), _digests(one)) for one in card.data]  # two stores may have one name
    _table("data", data or [("", "not known: the file does not say")])
    _table("start", _starts(card.start))
    _table("licences", card.licences.items() or [("", "not known: the file does not say; ask those who gave it")])
    _table("recipe", by_place(card.recipe).items())
    _table("versions", card.versions.items())
    if card.held_out is not None:
        where = f"step {card.held_out.step:,}, {card.held_out.persons:,} held-out persons"
        where += f" of {card.held_out.store}" if card.held_out.store else ""
        for iteration, errors in card.held_out.errors.items():
            told = ", ".join(f"{name} {value:.1f} mm" for name, value in errors.items())
            _line("training", f"{iteration} {told} ({where})")
    if card.best is not None:
        where = f"step {card.best.step:,}" + (f", {card.best.store}" if card.best.store else "")
        _line("best", f"{card.best.measure} {card.best.value:.1f} mm ({where}, kept as best.pt)")
    for evaluation in card.evaluations:
        echo()
        for line in lines_of(evaluation):
            echo(f"  {line}")
    for name, why in card.unread.items():
        _line("unread", f"{name}: {why}")


def _step(card: Card) -> str:
    return "" if card.step is None else f"of step {card.step:,}"


def _named(one: Mapping[str, Any]) -> str:
    if "stage" in one:
        return f"{one['stage']} of {one.get('body', '')}"
    return f"{one.get('dataset')} {one.get('split')}, {one.get('persons')} persons"


def _starts(start: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Whose weights a network started from, whose those did, and so on: name, and what it learned from."""
    while start:
        step = f"step {start['step']:,}" if "step" in start else "not written by pymaf-data"
        yield str(start.get("name")), ", ".join([step, *(_named(one) for one in start.get("stores", []))])
        start = start.get("start") or {}


def _digests(one: Mapping[str, Any]) -> str:
    if "generation" in one:
        return str(one["generation"])[:16]
    known = one.get("generations")
    digests = known.items() if isinstance(known, Mapping) else ()
    return ", ".join(f"{stage} {str(digest)[:8]}" for stage, digest in digests)


def _line(title: str, text: str) -> None:
    if text:
        echo(f"  {title:<10}{text}")


def _table(title: str, entries: Iterable[tuple[str, Any]]) -> None:
    for number, (name, value) in enumerate(entries):
        _line("" if number else title, f"{name}: {value}" if name else str(value))
