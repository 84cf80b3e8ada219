"""Prove that fits were joined to the right persons: they must reproject onto the keypoints of their own person.

Published fits carry names, row numbers or nothing; a wrong join gives every person someone else's body and trains
without a complaint. Two persons of one image, or two images of one person, are hundreds of view pixels apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pymaf_data.errors import FitError
from pymaf_data.fits.persons import Persons
from pymaf_data.fits.reprojection import view_pixels

_NAMED = 5
_POOR = (
    "or, as the others do reproject, these bodies may be that poor, as a network's are: --force then keeps all that "
    "were joined, marked as forced, and --max-reprojection {:g} leaves out of the choice those that lie farther away."
)
_OTHER_BODIES = 0.05


@dataclass(frozen=True)
class Tolerance:
    """How closely a source must reproject.

    Attributes:
        view: mean distance allowed in pixels of the 224 view.
        image: and on top of it in pixels of the image, for coordinates that annotators round.
        share: of the joined persons that may lie beyond (their fits are taken out); more refuses the source.
        measured: whether the fits are measurements, and keypoints detections: then those beyond keep their fits.
        metres: mean distance allowed from the store's 3D joints, where those are joints of the very bodies; ``None``:
            they say nothing of them.
    """

    view: float
    image: float
    share: float
    measured: bool = False
    metres: float | None = None


def prove_join(
    origin: str,
    persons: Persons,
    reprojection: np.ndarray,
    tolerance: Tolerance,
    why: Callable[[], str] = str,
    rows: np.ndarray | None = None,
) -> np.ndarray:
    """Compare joined fits with their persons.

    Args:
        origin: what to call the source in messages.
        persons: those that were found in the source, or all of a store: a copy of those found would be large.
        reprojection: (N,) mean view pixels; infinite where nothing is labelled, which proves nothing and passes.
        tolerance: of the source.
        why: says what a source that is refused looks like.
        rows: (N,) of ``persons`` that were found; all by default.

    Returns:
        (N,) bool: who is not proved.

    Raises:
        FitError: too many do not reproject.
    """
    rows = np.arange(len(persons)) if rows is None else rows
    allowed = tolerance.view + tolerance.image * view_pixels(persons.box[rows, 2])
    failed = np.isfinite(reprojection) & (reprojection > allowed)
    if failed.sum() > tolerance.share * len(rows):
        worst = np.argsort(np.where(failed, -reprojection, np.inf))[: min(_NAMED, int(failed.sum()))]
        who = zip(persons.names[rows[worst]], persons.annotation_id[rows[worst]], reprojection[worst], strict=True)
        some = bool(2 * failed.sum() <= len(rows))  # what most look like says nothing of them
        said, far = "" if some else why(), np.median(reprojection[failed])
        named = ", ".join(f"{name} #{number} ({pixels:.0f} px)" for name, number, pixels in who)
        raise FitError(
            f"{origin} does not belong to this store{', or is poor' * some}: {failed.sum()} of {len(rows)} fits do not "
            f"reproject onto the keypoints of the person they were joined to, and lie {far:.0f} px away in the "
            f"median{said}; the worst: {named}",
            expected=f"a mean distance of at most {tolerance.view:g} px in the 224 view, and {tolerance.image:g} px "
            "in the image",
            action="give the file that was made for this very data set, split and body; "
            + (_POOR.format(tolerance.view) if some else "--force keeps what was joined."),
        )
    return failed & (not tolerance.measured)


def prove_standing(origin: str, lost: int, count: int, why: Callable[[], str] = str) -> None:
    """Refuse a source where most of ``count`` bodies, ``lost`` of them, stand nowhere: ``origin``, ``why`` as above.

    Raises:
        FitError: they do.
    """
    if 2 * lost > count:
        raise FitError(
            f"{origin} does not belong to this store: {lost} of {count} bodies stand nowhere before their camera where "
            f"they would meet their keypoints{why()}",
            expected="bodies that their cameras see",
            action="look whether bodies are turned as the camera sees them; --force keeps what was joined.",
        )


def prove_body(origin: str, body: str, joints: np.ndarray, measured: np.ndarray, metres: float) -> np.ndarray:
    """Compare bodies with joints that were measured on them: posed with another body, they are centimetres apart.

    Args:
        origin: what to call the source in messages.
        body: its name.
        joints: (N, J, 3) of the posed bodies, metres, wherever they stand.
        measured: (N, J, 4) metres in the same frame, with a flag where known.
        metres: mean distance allowed.

    Returns:
        (N,) bool: who has other joints.

    Raises:
        FitError: more than one in twenty has.
    """
    known = (measured[..., 3:] > 0) & np.isfinite(measured).all(-1, keepdims=True)
    count = np.maximum(known.sum(1, keepdims=True), 1)
    apart = np.where(known, joints - measured[..., :3], 0.0)
    apart = np.linalg.norm(np.where(known, apart - apart.sum(1, keepdims=True) / count, 0.0), axis=-1)
    distance = apart.sum(1) / count[:, 0, 0]
    failed: np.ndarray = distance > metres
    if failed.sum() > _OTHER_BODIES * len(failed):
        raise FitError(
            f"{origin} holds no fits of the body {body} as it is here: {failed.sum()} of {len(failed)} lie "
            f"{1000 * np.median(distance[failed]):.0f} mm from the joints that were measured, in the median",
            expected=f"a mean distance of at most {1000 * metres:.0f} mm",
            action="bring the body that the fits were made with: look whether the files of both genders are in place.",
        )
    return failed
