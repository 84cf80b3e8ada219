"""Persons of a video followed: by the detector's numbers where they tell anybody apart, else by their boxes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pymaf_data.model.prediction.persons import Person, Plan
from pymaf_data.model.prediction.tracks import follow, followed

Listed = list[tuple[str, float, int]]  # who is meant, where the box's centre is, and the detector's number


def tracks_of(frames: dict[int, Listed], lost: float = 25.0) -> tuple[dict[str, list[int]], Counter[str]]:
    """Who is meant → the tracks given, frame after frame."""
    persons = {
        frame: [Person(k, (x, 50.0, 100.0), track) for k, (_, x, track) in enumerate(each)]
        for frame, each in frames.items()
    }
    told, found = Counter[str](), dict[str, list[int]]()
    result = followed(persons, lost, told)
    assert [*result] == [*frames]
    for frame, each in frames.items():
        assert [one._replace(track=-1) for one in result[frame]] == [one._replace(track=-1) for one in persons[frame]]
        for (name, _, _), one in zip(each, result[frame], strict=True):
            found.setdefault(name, []).append(one.track)
    return found, told


def same(tracks: dict[str, list[int]]) -> bool:
    """Whether everybody has one track, and no two the same."""
    return all(len({*each}) == 1 for each in tracks.values()) and len({each[0] for each in tracks.values()}) == len(
        tracks
    )


def test_persons_keep_their_tracks_however_they_are_listed() -> None:
    rng = np.random.default_rng(0)
    frames = {}
    for frame in range(60):
        each = [(name, x + frame * speed + rng.normal(0, 4), -1) for name, x, speed in
                (("a", 100.0, 3.0), ("b", 150.0, 3.0), ("c", 600.0, -4.0))]  # fmt: skip
        frames[frame] = [each[k] for k in rng.permutation(3) if frame % 7 or k]  # one of them is missed now and then
    tracks, told = tracks_of(frames)
    assert same(tracks) and {each[0] for each in tracks.values()} == {0, 1, 2} and not told


def test_two_near_persons_are_told_apart_by_all_their_boxes_together() -> None:
    """The first that is listed overlaps the other's last box most, and is not given the other's track."""
    tracks, _ = tracks_of({0: [("a", 100, -1), ("b", 130, -1)], 1: [("a", 118, -1), ("b", 145, -1)]})
    assert same(tracks)


@pytest.mark.parametrize(("gone", "elsewhere", "again"), [(20, 0, True), (26, 0, False), (1, 60, False), (1, 50, True)])
def test_who_was_gone_for_a_second_or_stands_elsewhere_is_somebody_new(
    gone: int, elsewhere: float, again: bool
) -> None:
    tracks, _ = tracks_of({3: [("a", 100, -1)], 3 + gone: [("a", 100 + elsewhere, -1)]})
    assert same(tracks) == again


@pytest.mark.parametrize(
    ("rate", "every", "apart", "again"),
    [(50, 1, 50, True), (50, 1, 51, False), (0, 1, 26, False), (0, 5, 25, True), (10, 40, 40, True)],
)
def test_a_second_is_a_second_at_any_rate(rate: float, every: int, apart: int, again: bool) -> None:
    """25 frames where the video does not say; where frames further apart are looked at, who is on both was not gone."""

    class Videos:
        def rate(self, file: str) -> float:
            return {"v.mp4": rate}[file]

    plan = Plan(videos={"v.mp4": {frame: [Person(0, (50.0, 50.0, 100.0))] for frame in (0, apart)}})
    follow(plan, Videos(), every)  # type: ignore[arg-type]
    (first,), (second,) = plan.videos["v.mp4"].values()
    assert (first.track == second.track) == again


def test_the_detectors_numbers_count_and_no_other_track_takes_them() -> None:
    """Also of somebody who was gone for long or jumps; who has no number gets one that the detector never gives."""
    frames: dict[int, Listed] = {
        0: [("a", 100, 7), ("b", 300, 2), ("c", 500, -1)],
        1: [("c", 500, -1), ("b", 100, 2), ("a", 300, 7)],
        90: [("a", 800, 7), ("d", 500, -1), ("e", 100, 9)],
    }
    tracks, told = tracks_of(frames)
    assert tracks == {"a": [7, 7, 7], "b": [2, 2], "c": [10, 10], "d": [11], "e": [9]} and not told


def test_a_number_that_everybody_has_tells_nobody_apart() -> None:
    frames = {f: [("a", 100, 0), ("b", 300, 0)][:: 1 if f % 2 else -1] for f in range(4)}
    tracks, told = tracks_of(frames)
    assert same(tracks) and [*told.values()] == [1]
