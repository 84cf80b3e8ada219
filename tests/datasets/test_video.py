"""Frames of videos: the right one, once, forward; what is cut off, missing or no video is told."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pymaf_data.datasets.images import ImageRef, MissingImage
from pymaf_data.datasets.video import VideoFrames, _Cursor, frame_name
from tests.factories.videos import number_of, numbered, write_video

KINDS = [("a.mp4", "mp4v"), ("a.avi", "XVID"), ("a.avi", "MJPG")]


@pytest.fixture
def source(tmp_path: Path) -> Iterator[VideoFrames]:
    with VideoFrames(tmp_path, "") as opened:
        yield opened


def numbers(source: VideoFrames, file: str, frames: list[int], size: tuple[int, int] = (96, 80)) -> list[Any]:
    images = source.decode(file, frames, size)
    return [image.reason if isinstance(image, MissingImage) else number_of(image) for image in images]


@pytest.mark.parametrize(("name", "codec"), KINDS)
def test_a_frame_is_the_one_asked_for(tmp_path: Path, source: VideoFrames, name: str, codec: str) -> None:
    write_video(tmp_path / name, 60, codec)
    assert numbers(source, name, [0, 5, 59, 60]) == [0, 5, 59, "missing_frame"]
    assert numbers(source, name, [3, 4]) == [3, 4], "before the cursor: from the start again"
    assert source.count(name) == 60


def test_frames_are_counted_whatever_time_they_are_shown_at(tmp_path: Path, source: VideoFrames) -> None:
    """A variable rate: of 20 frames the last ten stand for 19 times as long."""
    data = write_video(tmp_path / "a.mp4", 20).read_bytes()
    head, (count, step) = data.index(b"stts") + 4, struct.unpack_from(">II", data, data.index(b"stts") + 12)
    table = struct.pack(">IIIIII", 0, 2, 10, step // 10, 10, 2 * step - step // 10)
    changed = bytearray(data[:head] + table + data[head + 16 :])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"):  # behind the frames, and longer by an entry
        at = changed.rindex(name) - 4
        struct.pack_into(">I", changed, at, struct.unpack_from(">I", changed, at)[0] + 8)
    (tmp_path / "a.mp4").write_bytes(changed)
    assert count == 20 and source.count("a.mp4") == 20
    assert numbers(source, "a.mp4", [0, 9, 10, 11, 19, 20]) == [0, 9, 10, 11, 19, "missing_frame"]


def test_colours_are_red_green_blue(tmp_path: Path, source: VideoFrames) -> None:
    import cv2

    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 50, (64, 64))
    writer.write(np.full((64, 64, 3), (10, 60, 200), np.uint8))  # OpenCV writes blue, green, red
    writer.release()
    (image,) = source.decode("a.avi", [0], (64, 64))
    assert isinstance(image, np.ndarray) and np.abs(image[30, 30] - np.array([200, 60, 10.0])).max() < 12


def test_neighbouring_shards_decode_a_video_once(
    tmp_path: Path, source: VideoFrames, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where both show the same frame, whose persons stand in two shards."""
    write_video(tmp_path / "a.mp4", 30)
    opened: list[str] = []
    of = _Cursor.of
    monkeypatch.setattr(_Cursor, "of", lambda *arguments: opened.append(arguments[1]) or of(*arguments))
    assert numbers(source, "a.mp4", [0, 10]) + numbers(source, "a.mp4", [10, 20]) == [0, 10, 10, 20]
    assert opened == ["a.mp4"]
    for name in "bcdef":
        write_video(tmp_path / f"{name}.mp4", 2)
        assert numbers(source, f"{name}.mp4", [0]) == [0]
    assert numbers(source, "a.mp4", [25]) == [25] and opened.count("a.mp4") == 2, "few stay open"


def test_names_are_in_the_order_of_time(source: VideoFrames) -> None:
    names = [frame_name("clips/a b.MP4", frame) for frame in (0, 9, 10, 99_999, 123_456)]
    assert names == sorted(names) and names[1] == "clips/a b.MP4/000009.jpg"
    assert source.place(names[1]) == ImageRef("clips/a b.MP4", 9)
    for still in ("clips/000009.jpg", "a.mp4.jpg", "a.mp4/9.jpg", "a.mp4/000009.png"):
        assert source.place(still) == ImageRef(still)


def test_a_still_beside_videos_is_read_as_ever(tmp_path: Path, source: VideoFrames) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "s.png"), numbered(77, (96, 80)))
    assert numbers(source, "s.png", [-1]) == [77] and numbers(source, "t.png", [-1]) == ["missing_picture"]


@pytest.mark.parametrize(("name", "codec"), KINDS)
def test_of_a_video_that_is_cut_off_only_whole_frames_are_taken(
    tmp_path: Path, source: VideoFrames, name: str, codec: str
) -> None:
    rng = np.random.default_rng(1)
    write_video(tmp_path / name, 60, codec)
    data = (tmp_path / name).read_bytes()
    for cut in rng.integers(len(data) // 3, len(data) - 700, 4):
        (tmp_path / name).write_bytes(data[:cut])
        found = numbers(source, name, list(range(60)))
        source.__exit__()
        ends = {"unreadable_video"} if name.endswith("mp4") else {"missing_frame"}  # an mp4's index stands at its end
        whole = [number for number in found if isinstance(number, int)]
        assert whole == list(range(len(whole))) and set(found[len(whole) :]) == ends
        assert (len(whole) > 5) != name.endswith("mp4")
    told = next(source.decode(name, [59], (0, 0)))
    assert isinstance(told, MissingImage) and ("cut off" in told.detail)


def test_what_is_no_video_is_not_given_to_the_decoder(tmp_path: Path, source: VideoFrames) -> None:
    write_video(tmp_path / "a.mp4", 3)
    playlist = "#EXTM3U\n#EXTINF:1,\na.mp4\n#EXT-X-ENDLIST\n"
    for content in (
        b"",
        b"\0" * 500,
        playlist.encode(),
        b"ffconcat version 1.0\nfile a.mp4\n",
        b"\x89PNG\r\n\x1a\n" * 40,
    ):
        (tmp_path / "b.mp4").write_bytes(content)
        assert numbers(source, "b.mp4", [0, 5]) == ["unreadable_video"] * 2 and source.count("b.mp4") == 0
    assert numbers(source, "none.mp4", [1]) == ["missing_picture"]
    assert numbers(source, "../a.mp4", [1]) == ["unsafe_path"]
    (tmp_path / "folder.mp4").mkdir()
    assert numbers(source, "folder.mp4", [1]) == ["unreadable_picture"]


def test_another_size_than_annotated_is_told(tmp_path: Path, source: VideoFrames) -> None:
    write_video(tmp_path / "a.mp4", 2)
    assert numbers(source, "a.mp4", [0, 1], (96, 82)) == ["mis_sized_picture"] * 2
    assert numbers(source, "a.mp4", [0, 1], (0, 0)) == [0, 1]


def test_a_worker_gets_the_paths_and_decodes_the_same(tmp_path: Path, source: VideoFrames) -> None:
    write_video(tmp_path / "a.mp4", 12)
    here = list(source.decode("a.mp4", [1, 11], (0, 0)))
    with pickle.loads(pickle.dumps(source)) as there:
        assert isinstance(there, VideoFrames)
        np.testing.assert_array_equal(here, list(there.decode("a.mp4", [1, 11], (0, 0))))
