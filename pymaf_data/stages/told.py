"""How the reports of the stages of a store read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymaf_data.datasets.images import MISSING
from pymaf_data.datasets.select import ADJUSTED, REASONS

if TYPE_CHECKING:
    from pymaf_data.stages.against import Against
    from pymaf_data.stages.attach_fits import AttachReport
    from pymaf_data.stages.attach_source import Distances, SourceReport
    from pymaf_data.stages.ingest import IngestReport
    from pymaf_data.stages.render_iuv import RenderReport, StoreMaps

_NAMED = 10
#: What a reason says beside its name, which stores keep.
_BECAUSE = {
    "camera not solvable": ": the source brings none that is known without the body's file, and there are too few "
    "labelled keypoints to solve one on; what cannot be seen in the image is stored as not valid",
}
#: Kind of difference from a release → what it says of so many persons, in the order of reports.
KINDS = {
    "missing_here": "rows of the file whose person is not kept here",
    "missing_there": "persons kept here that the file does not have",
    "centre": "with the centre of the box elsewhere",
    "centre_truncated": "with the centre cut to whole pixels in the file",
    "scale": "with a box of another size",
    "labelled": "with a joint that is labelled on one side alone",
    "keypoint": "with a keypoint elsewhere",
    "keypoint_truncated": "with keypoints cut to whole pixels in the file",
    "openpose": "with other joints of OpenPose's",
    "order": "not in the file's order",
}


def ingest_lines(report: IngestReport) -> list[str]:
    """What an ingest found and did."""
    counts = report.counts
    said = [
        f"{report.dataset} {report.split}: {counts['total']:,} annotations → "
        f"{counts['kept']:,} persons kept ({report.selection}), {counts['dropped']:,} dropped"
    ]
    said += [f"  {counts[reason]:>7,} {REASONS[reason]}" for reason in REASONS if reason in counts]
    said += _named(report.damaged)
    said += [f"  {report.adjusted[reason]:>7,} {ADJUSTED[reason]}" for reason in ADJUSTED if reason in report.adjusted]
    said.append(_comparison(report))
    said += _against_lines(report.against) if report.against else []
    missing = report.holes
    if missing.counts:
        said.append(
            f"{sum(missing.counts.values()):,} of the kept persons have no image; their rows stay, marked as missing:"
        )
        said += [f"  {count:>7,} {MISSING[reason]}" for reason, count in missing.counts.items()]
        said += _named([f"{name}: {reason}" for name, reason in missing.pictures.items()])
    said += [f"licence of {part}: {licence}" for part, licence in report.licences.items()]
    kept = report.shards - report.shards_written
    done = f"{report.shards_written} of {report.shards} shards written" + f", {kept} were there already" * bool(kept)
    said.append(f"{report.store}: {done if report.shards_written else 'complete already, nothing to do'}")
    return [line for line in said if line]


def _comparison(report: IngestReport) -> str:
    """How the count compares with the manifest's, or why it cannot."""
    images, annotations = report.listed
    if report.expected is None:
        return ""
    known = f" ({report.expected_known})" * bool(report.expected_known)
    kept = report.counts["kept"]
    if not report.whole and report.whole_stated:
        return (
            f"the annotation file lists {images:,} images and {annotations:,} annotations, not the whole split, "
            f"so the count is not compared with the manifest's {report.expected:,}{known}"
        )
    if not report.whole and kept != report.expected:
        return f"{kept:,} persons kept; the manifest expects {report.expected:,} of the whole split{known}"
    if kept == report.expected:
        return f"as many persons as the manifest expects of the whole split: {kept:,}{known}"
    return f"WARNING: of the whole split the manifest expects {report.expected:,} persons, and {kept:,} are kept{known}"


def _against_lines(against: Against) -> list[str]:
    keypoints, boxes = against.offsets
    said = [
        f"against {against.file}: {against.rows:,} rows there, {against.both:,} of them kept here, "
        f"{against.same:,} the same (in its own pixels: keypoints here lie {keypoints:+g} px off, boxes {boxes:+g} px)"
    ]
    for one in against.departures:
        common = f", nearly all {one.common}" * bool(one.common)
        said.append(f"  {one.persons:>7,} {KINDS[one.kind]}{common}{': ' * bool(one.why)}{one.why}")
        said += [f"          {first}" for first in one.first]
    return said


def _named(names: list[str] | tuple[str, ...]) -> list[str]:
    shown = [f"          {name}" for name in names[:_NAMED]]
    more = len(names) - _NAMED
    return shown + [f"          and {more:,} more (--json names all)"] * (more > 0)


def attach_lines(report: AttachReport) -> list[str]:
    """What was attached and chosen."""
    lines = [f"{report.store}"]
    for source in report.sources:
        lines += [f"  {line}" for line in _source_lines(source)]
    choice = report.choice
    if choice is None:
        lines.append("  no choice: no source is proved")
    else:
        chosen = ", ".join(f"{count:,} from {name}" for name, count in choice.persons.items())
        lines.append(f"  choice ({choice.rule}): {chosen}, {choice.none:,} without a fit")
    if report.failed:
        lines.append("  fits are unproved: bring their body, or accept them with --allow-unproved")
    return lines


def _source_lines(source: SourceReport) -> list[str]:
    done = f"{source.shards_written} of {source.shards} shards written"
    if not source.shards_written:
        done = "complete already, nothing to do"
    lines = [f"fits/{source.name} of the body {source.body}: {source.valid:,} of {source.persons:,} persons; {done}"]
    lines += [f"  {count:>7,} without: {why}{_BECAUSE.get(why, '')}" for why, count in source.without.items()]
    if not source.proved:
        return [*lines, "  UNPROVED: this machine does not have that body; never chosen"]
    if source.conversion:
        (mm, degrees), (most, widest) = source.conversion.median, source.conversion.p95
        left = f"median {mm:.1f} mm and {degrees:.1f}°, 95 % below {most:.1f} mm and {widest:.1f}°"
        lines.append(f"  converted from {source.conversion.model}: {left}")
    lines += _distance_line("reprojection", source.reprojection) + _distance_line("π residual", source.weak_residual)
    if source.worst:
        lines.append(f"  worst: {'; '.join(source.worst)}")
    return lines


def _distance_line(title: str, values: Distances | None) -> list[str]:
    if values is None:
        return []
    numbers = f"median {values.median:.2f}, 90 % below {values.p90:.2f}, worst {values.maximum:.2f}"
    return [f"  {title} in px of the 224 view: {numbers}"]


def render_lines(report: RenderReport) -> list[str]:
    """What every store now holds."""
    return [line for maps in report.stores for line in _store_lines(maps, report.renderer, report.size)]


def _store_lines(maps: StoreMaps, renderer: str, size: int) -> list[str]:
    lines = [f"{maps.store}: {maps.rendered:,} maps of {size} px for {maps.persons:,} persons"]
    missing = maps.persons - maps.rendered
    if missing:
        lines.append(f"  {missing:>7,} without a map: no valid fit was chosen for them")
    if maps.shards_written:
        rate = maps.maps_written / max(maps.seconds, 1e-9)
        lines.append(f"  {maps.shards_written} of {maps.shards} shards written by {renderer}, {rate:,.0f} maps/s")
    else:
        lines.append("  nothing to do: the shards asked for are there already")
    if maps.shards_missing:
        lines.append(
            f"  {len(maps.shards_missing)} shards are still missing: "
            f"`pymaf-data render-iuv {maps.store} --shard missing` renders them"
        )
    return lines
