"""All families of postures, with their shares. Shares follow everyday pictures, with rarer postures raised."""

from __future__ import annotations

from pymaf_data.sample.poses.gait import RUNNING, WALKING
from pymaf_data.sample.poses.low import BENDING, KNEELING, SQUATTING
from pymaf_data.sample.poses.lying import LYING
from pymaf_data.sample.poses.reaching import REACHING
from pymaf_data.sample.poses.sitting import SITTING
from pymaf_data.sample.poses.standing import STANDING
from pymaf_data.sample.poses.variants import Family

FAMILIES: dict[str, Family] = {
    "standing": STANDING,
    "walking": WALKING,
    "running": RUNNING,
    "squatting": SQUATTING,
    "kneeling": KNEELING,
    "bending": BENDING,
    "sitting": SITTING,
    "reaching": REACHING,
    "lying": LYING,
}
"""Name → family; shares need not sum to one."""
