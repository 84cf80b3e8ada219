"""Standing: at ease, on one leg, in talk."""

from __future__ import annotations

from numpy.random import Generator

from pymaf_data.world.poses import arms as hold
from pymaf_data.world.poses.goals import Balance, Goal, feet_flat
from pymaf_data.world.poses.mannequin import Build
from pymaf_data.world.poses.settle import Plan
from pymaf_data.world.poses.variants import Family, Variant, n, u
from pymaf_data.world.poses.words import Leg, Trunk

FEET = ("left_sole", "right_sole", "left_ball_of_foot", "right_ball_of_foot")


def upright(rng: Generator, held: hold.Both, trunk: Trunk | None = None, width: float | None = None) -> Plan:
    """On both feet, balanced, with the arms as given."""
    width = u(rng, 1, 9) if width is None else width
    legs = [Leg(flex=n(rng, 2, 1), abduct=width, rotate=u(rng, 3, 15), knee=u(rng, 2, 7)) for _ in "lr"]
    trunk = trunk or Trunk(turn=n(rng, 5), nod=u(rng, -4, 12))
    goals: list[Goal] = [*held[1], *feet_flat(), Balance(FEET, (0.0, u(rng, -0.01, 0.025)))]
    return Plan(trunk, held[0], (legs[0], legs[1]), goals)


def at_ease(rng: Generator, build: Build) -> Plan:
    """Arms hanging, or one hand in the pocket, on the hip, before the body."""
    return upright(rng, hold.easy(rng))


def hands_on_hips(rng: Generator, build: Build) -> Plan:
    """Arms akimbo."""
    left, right = hold.akimbo(rng, "left"), hold.akimbo(rng, "right")
    return upright(rng, ((left[0], right[0]), left[1] + right[1]), width=u(rng, 5, 12))


def arms_folded(rng: Generator, build: Build) -> Plan:
    """Arms crossed before the chest."""
    return upright(rng, hold.folded(rng))


def hands_clasped(rng: Generator, build: Build) -> Plan:
    """Hands clasped before the belly."""
    return upright(rng, hold.clasped(rng))


def hands_behind(rng: Generator, build: Build) -> Plan:
    """Hands clasped behind the back."""
    return upright(rng, hold.behind_back(rng))


def telephoning(rng: Generator, build: Build) -> Plan:
    """A hand at the ear."""
    left, right = hold.telephone(rng, "left"), hold.relaxed(rng, "right")
    if rng.random() < 0.3:
        right = hold.in_pocket(rng, "right")
    return upright(rng, ((left[0], right[0]), left[1] + right[1]), Trunk(tilt=u(rng, 2, 9), nod=u(rng, 0, 12)))


def thinking(rng: Generator, build: Build) -> Plan:
    """A hand at the chin, the other arm across."""
    left, right = hold.at_chin(rng, "left"), hold.akimbo(rng, "right")
    if rng.random() < 0.5:
        right = hold.relaxed(rng, "right")
    return upright(rng, ((left[0], right[0]), left[1] + right[1]), Trunk(nod=u(rng, 6, 16)))


def talking(rng: Generator, build: Build) -> Plan:
    """Both forearms before the body."""
    left, right = hold.before_body(rng, "left"), hold.before_body(rng, "right")
    return upright(rng, ((left[0], right[0]), []), Trunk(turn=n(rng, 8), look=n(rng, 14)))


def on_one_leg(rng: Generator, build: Build) -> Plan:
    """The weight on the right leg, the hip shifted, the left foot set forward or aside."""
    free = Leg(flex=u(rng, 8, 24), abduct=u(rng, 5, 15), rotate=u(rng, 8, 22), knee=u(rng, 12, 32))
    rest = Leg(flex=u(rng, -2, 3), abduct=u(rng, -5, 1), rotate=u(rng, 4, 12), knee=2)
    arms, goals = hold.easy(rng)
    trunk = Trunk(roll=u(rng, 2, 6), side=-u(rng, 3, 8), turn=n(rng, 6), tilt=n(rng, 4))
    over = Balance(("right_sole", "right_ball_of_foot"), (u(rng, 0.01, 0.06), 0.0), 0.02)
    return Plan(trunk, arms, (free, rest), [*goals, *feet_flat(), over])


def wide(rng: Generator, build: Build) -> Plan:
    """Feet far apart."""
    arms, goals = hold.easy(rng)
    return upright(rng, (arms, goals), width=u(rng, 14, 24))


def turned_to_look(rng: Generator, build: Build) -> Plan:
    """The upper body and the head turned to something aside."""
    trunk = Trunk(turn=u(rng, 15, 32), look=u(rng, 20, 45), nod=n(rng, 5), bend=u(rng, 0, 6))
    return upright(rng, hold.easy(rng), trunk)


STANDING = Family(
    0.20,
    (
        Variant("at ease", at_ease, 3.0),
        Variant("on one leg", on_one_leg, 2.0),
        Variant("hands on hips", hands_on_hips, 1.0),
        Variant("talking", talking, 1.2),
        Variant("telephoning", telephoning, 0.8),
        Variant("hands clasped", hands_clasped, 0.8),
        Variant("wide", wide, 0.6),
        Variant("turned to look", turned_to_look, 0.8),
        Variant("thinking", thinking, 0.6, held_out=True),
        Variant("arms folded", arms_folded, 0.8, held_out=True),
        Variant("hands behind", hands_behind, 0.5, held_out=True),
    ),
)
