"""What a report measures of each person: the catalogue of its distributions and filters.

A measure has one series, or one for the left and one for the right side, which share a plot.
"""

from __future__ import annotations

from typing import Literal

from pymaf_data.config import StrictModel

SIDES = ("left", "right")


class Measure(StrictModel):
    """One quantity of every person.

    Attributes:
        key: its name in the data.
        title, unit, note: for the reader; ``note`` says what the number means.
        group: the heading under which its plot stands.
        series: names of its series; one empty name where it has a single one.
        plot: a histogram, or a rose of directions for an angle that comes round again.
        whole: whether its values are whole numbers.
    """

    key: str
    title: str
    unit: str
    note: str
    group: Literal["Image", "Fit", "Posture", "Shape"]
    series: tuple[str, ...] = ("",)
    plot: Literal["bars", "rose"] = "bars"
    whole: bool = False


def _pair(key: str, title: str, note: str) -> Measure:
    return Measure(key=key, title=title, unit="°", note=note, group="Posture", series=SIDES)


def _beta(number: int) -> Measure:
    return Measure(
        key=f"beta{number}",
        title=f"Shape β{number}",
        unit="",
        note=f"coefficient {number} of the body's shape; 0 is the mean body",
        group="Shape",
    )


MEASURES: tuple[Measure, ...] = (
    Measure(key="box", title="Box side", unit="px", note="side of the person's square box in the image", group="Image"),
    Measure(
        key="outside",
        title="Box beyond the frame",
        unit="%",
        note="share of the box that lies outside the image",
        group="Image",
    ),
    Measure(
        key="seen",
        title="Keypoints seen",
        unit="",
        note="keypoints that are labelled as seen",
        group="Image",
        whole=True,
    ),
    Measure(
        key="hidden",
        title="Keypoints hidden",
        unit="%",
        note="share of the labelled keypoints that are marked as hidden",
        group="Image",
    ),
    Measure(
        key="reprojection",
        title="Reprojection",
        unit="px",
        note="mean distance of the fit's joints to the keypoints, in pixels of the 224 px view",
        group="Fit",
    ),
    Measure(
        key="residual",
        title="Weak-camera residual",
        unit="px",
        note="what the camera at f = 5000 px cannot show of the fit, in pixels of the 224 px view",
        group="Fit",
    ),
    Measure(
        key="heading",
        title="Torso heading",
        unit="°",
        note="where the torso faces, seen from above: 0° the camera, 90° the image's right, 180° away",
        group="Posture",
        plot="rose",
    ),
    Measure(
        key="lean",
        title="Trunk lean",
        unit="°",
        note="of the chest from the image's vertical: 0° upright, 90° lying",
        group="Posture",
    ),
    Measure(key="bend", title="Trunk bend", unit="°", note="of the chest against the pelvis", group="Posture"),
    _pair("hip", "Hip flexion", "of the thigh against the pelvis, forwards positive"),
    _pair("knee", "Knee flexion", "0° is straight"),
    _pair("shoulder", "Shoulder elevation", "of the upper arm: 0° hangs down, 90° level, 180° overhead"),
    _pair("elbow", "Elbow flexion", "0° is straight"),
    *(_beta(number) for number in range(10)),
)
