"""All families of postures, with their shares. Shares follow everyday images, with rarer postures raised."""

from __future__ import annotations

from pymaf_data.world.poses.climbing import CLIMBING
from pymaf_data.world.poses.dancing import DANCING
from pymaf_data.world.poses.exercise import CARRYING, EXERCISING, JUMPING
from pymaf_data.world.poses.gait import RUNNING, WALKING
from pymaf_data.world.poses.low import BENDING, KNEELING, SQUATTING
from pymaf_data.world.poses.lying import LYING
from pymaf_data.world.poses.reaching import REACHING
from pymaf_data.world.poses.sitting import SITTING
from pymaf_data.world.poses.sports import BALL_SPORTS
from pymaf_data.world.poses.standing import STANDING
from pymaf_data.world.poses.variants import Family

FAMILIES: dict[str, Family] = {
    "standing": STANDING,
    "walking": WALKING,
    "running": RUNNING,
    "sitting": SITTING,
    "squatting": SQUATTING,
    "lying": LYING,
    "reaching": REACHING,
    "bending": BENDING,
    "climbing": CLIMBING,
    "dancing": DANCING,
    "ball_sports": BALL_SPORTS,
    "kneeling": KNEELING,
    "jumping": JUMPING,
    "exercising": EXERCISING,
    "carrying": CARRYING,
}
"""Name → family; shares need not sum to one."""
