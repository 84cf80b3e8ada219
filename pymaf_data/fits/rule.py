"""The rule by which a person gets one of several fits. No NumPy: the command line and recipes read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from pymaf_data.config import FiniteModel, Flag
from pymaf_data.paths import UserPath

_METHOD = 1
_Limit = Annotated[float | None, Field(ge=0)]


class Rule(FiniteModel):
    """Of a person's valid fits that no gate rejects: the source preferred first, else the lowest reprojection.

    A gate judges what is known: nothing labelled, no reprojection; no mask, no overlap.
    """

    prefer: tuple[str, ...] = Field(default=(), description="sources that win wherever they are valid, the first first")
    reprojection: Annotated[
        _Limit, Flag("Reject fits whose mean reprojection is more px of the 224 view.", name="--max-reprojection")
    ] = None
    mask_iou: Annotated[
        float | None,
        Field(ge=0, le=1),
        Flag("Reject fits whose silhouette agrees less with the person's mask (0 to 1).", name="--min-mask-iou"),
    ] = None
    betas: Annotated[_Limit, Flag("Reject fits with a larger |β|.", name="--max-betas")] = None
    beyond_limits: Annotated[
        _Limit, Flag("Reject fits with a joint more degrees beyond its limits.", name="--max-beyond-limits")
    ] = None
    pose_prior: Annotated[
        _Limit,
        Flag("Reject fits whose pose is more standard deviations from people's habits.", name="--max-pose-prior"),
    ] = None

    mirrored: Annotated[
        _Limit, Flag("Reject fits whose mirror image meets the keypoints better by more px.", name="--max-mirrored")
    ] = None

    scale: Annotated[
        float | None,
        Field(ge=1),
        Flag("Reject fits that are more times too large or too small for the keypoints.", name="--max-scale"),
    ] = None

    @property
    def gates(self) -> dict[str, float]:
        """Measure → its limit, of the gates that are set."""
        return {name: limit for name in _GATES if (limit := getattr(self, name)) is not None}

    def generation(self, sources: Mapping[str, str], corrections: str = "") -> str:
        """Digest of the rule and of every source, name → generation, and that of the corrections that apply."""
        from pymaf_data.digest import digest_json  # which imports NumPy

        # One name, or none, as it was written when there was room for one alone: the same choice, the same name.
        prefer = self.prefer[0] if len(self.prefer) == 1 else list(self.prefer) or None
        made_of = {"method": _METHOD, "rule": {"prefer": prefer, **self.gates}, "sources": dict(sources)}
        return digest_json(made_of | ({"corrections": corrections} if corrections else {}))

    def attributes(self, sources: Mapping[str, str]) -> dict[str, Any]:
        """What a choice says about itself."""
        rule = "lowest reprojection among valid fits"
        if self.prefer:
            rule = f"{', then '.join(self.prefer)} where valid, else {rule}"
        if self.gates:
            rule += f"; {', '.join(f'{name} {_GATES[name]} {limit:g}' for name, limit in self.gates.items())}"
        return {"sources": sorted(sources), "generations": dict(sources), "rule": rule}


_GATES = dict.fromkeys(("reprojection", "mask_iou", "betas", "beyond_limits", "pose_prior", "mirrored", "scale"), "≤")
_GATES["mask_iou"] = "≥"


class ChooseOptions(Rule):
    """How to choose: the rule, and what a human says against it."""

    corrections: Annotated[
        UserPath | None, Flag("Verdicts of a human (JSON): keep, drop, prefer, person by person.", metavar="FILE")
    ] = None

    @property
    def rule(self) -> Rule:
        """Without the file, whose content counts and not its place."""
        return Rule.model_validate(self.model_dump(exclude={"corrections"}))
