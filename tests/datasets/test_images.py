"""Images: only from below the root, only when intact, always as stored."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg

from pymaf_data.datasets.images import MISSING, Images, MissingImage, decode, image_name
from pymaf_data.errors import UntrustedData


def smooth(height: int = 48, width: int = 64) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


JPEG = simplejpeg.encode_jpeg(smooth(), 95)
SIZE = (64, 48)


@pytest.fixture
def pictures(tmp_path: Path) -> Images:
    (tmp_path / "root" / "train2014").mkdir(parents=True)
    (tmp_path / "root" / "train2014" / "a.jpg").write_bytes(JPEG)
    (tmp_path / "outside.jpg").write_bytes(JPEG)
    return Images(tmp_path / "root", "train2014")


def reason(outcome: np.ndarray | MissingImage) -> str:
    assert isinstance(outcome, MissingImage), "an image where a missing image was expected"
    assert str(outcome).startswith(MISSING[outcome.reason])
    return outcome.reason


def test_an_intact_image_is_read(pictures: Images) -> None:
    picture = pictures.load("train2014/a.jpg", SIZE)
    assert isinstance(picture, np.ndarray)
    assert picture.shape == (48, 64, 3) and np.abs(picture.astype(int) - smooth()).mean() < 2
    assert pictures.stamp("train2014/a.jpg") == len(JPEG)


@pytest.mark.parametrize(
    "name",
    ["train2014/../../outside.jpg", "/etc/hostname", "train2014//etc/hostname", "../outside.jpg", "train2014/a\0.jpg"],
)
def test_a_name_that_leaves_the_root_is_refused(name: str, pictures: Images) -> None:
    assert reason(pictures.load(name, SIZE)) == "unsafe_path"
    assert pictures.stamp(name) == -1
    with pytest.raises(UntrustedData, match="below"):
        pictures.resolve(name)


def test_a_link_that_leaves_the_root_is_refused(pictures: Images, tmp_path: Path) -> None:
    folder = tmp_path / "root" / "train2014"
    (folder / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    (folder / "deep").symlink_to(tmp_path)
    (folder / "inner.jpg").symlink_to(folder / "a.jpg")
    assert reason(pictures.load("train2014/link.jpg", SIZE)) == "unsafe_path"
    assert reason(pictures.load("train2014/deep/outside.jpg", SIZE)) == "unsafe_path"
    assert isinstance(pictures.load("train2014/inner.jpg", SIZE), np.ndarray)


def test_a_sibling_whose_name_begins_like_the_root_is_outside(tmp_path: Path, pictures: Images) -> None:
    (tmp_path / "root-2").mkdir()
    (tmp_path / "root-2" / "a.jpg").write_bytes(JPEG)
    (tmp_path / "root" / "link").symlink_to(tmp_path / "root-2")
    assert reason(pictures.load("link/a.jpg", SIZE)) == "unsafe_path"


def test_the_image_folder_itself_may_lie_on_another_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a.jpg").write_bytes(JPEG)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "train2014").symlink_to(tmp_path / "disk")
    assert isinstance(Images(tmp_path / "root", "train2014").load("train2014/a.jpg", SIZE), np.ndarray)


def test_what_is_not_a_regular_file_is_missing(pictures: Images, tmp_path: Path) -> None:
    folder = tmp_path / "root" / "train2014"
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")  # reading it would wait for ever
    assert reason(pictures.load("train2014/folder.jpg", SIZE)) == "unreadable_picture"
    assert reason(pictures.load("train2014/pipe.jpg", SIZE)) == "unreadable_picture"
    assert reason(pictures.load("train2014/absent.jpg", SIZE)) == "missing_picture"
    assert reason(pictures.load("train2014/a.jpg/b.jpg", SIZE)) == "missing_picture"
    (folder / "round.jpg").symlink_to(folder / "round.jpg")
    assert reason(pictures.load("train2014/round.jpg", SIZE)) == "unreadable_picture"


@pytest.mark.parametrize("kept", [0, 1, 20, 200, len(JPEG) // 2, len(JPEG) - 2])
def test_an_image_cut_off_anywhere_is_missing(kept: int) -> None:
    assert reason(decode(JPEG[:kept], SIZE)) in ("truncated_picture", "corrupt_picture")
    if kept == 0 or kept >= len(JPEG) // 2:
        assert reason(decode(JPEG[:kept], SIZE)) == "truncated_picture"


def test_what_the_decoder_would_repair_is_missing() -> None:
    middle = len(JPEG) // 2
    assert reason(decode(JPEG[:middle] + bytes(300) + JPEG[middle + 300 :], SIZE)) == "corrupt_picture"
    assert reason(decode(b"GIF89a" + bytes(500), SIZE)) == "corrupt_picture"


@pytest.mark.parametrize("size", [(64, 47), (48, 64), (63, 48), (640, 480)])
def test_another_size_than_annotated_is_missing(size: tuple[int, int]) -> None:
    hole = decode(JPEG, size)
    assert reason(hole) == "mis_sized_picture"
    assert "64 × 48" in str(hole)


def test_grey_and_cmyk_become_rgb() -> None:
    picture = smooth()
    grey = decode(simplejpeg.encode_jpeg(picture[..., :1].copy(), 95, "GRAY"), SIZE)
    assert isinstance(grey, np.ndarray)
    assert grey.shape == (48, 64, 3) and np.abs(grey.astype(int) - picture[..., :1]).mean() < 2
    # Adobe's inverted CMYK without black ink holds the RGB values themselves.
    inks = np.dstack([picture, np.full((48, 64, 1), 255, np.uint8)])
    cmyk = decode(simplejpeg.encode_jpeg(inks, 95, "CMYK"), SIZE)
    assert isinstance(cmyk, np.ndarray)
    assert cmyk.shape == (48, 64, 3) and np.abs(cmyk.astype(int) - picture).mean() < 3


def exif(orientation: int, order: str = "<") -> bytes:
    """A TIFF block that says nothing but the orientation."""
    tag = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(f"{order}IH", 8, 1) + tag + struct.pack(f"{order}I", 0)


def with_exif(orientation: int, order: str = "<") -> bytes:
    block = b"Exif\0\0" + exif(orientation, order)
    return JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + JPEG[2:]


def test_exif_orientation_is_ignored_as_the_annotations_ignore_it() -> None:
    turned = with_exif(6)
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (64, 48, 3)  # others do turn
    assert np.array_equal(decode(turned, SIZE), decode(JPEG, SIZE))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_where_the_manifest_says_so(orientation: int) -> None:
    data = with_exif(orientation, "<>"[orientation % 2])
    shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    picture = decode(data, shown.shape[1::-1], "apply")
    assert isinstance(picture, np.ndarray)
    assert picture.shape == shown.shape and np.abs(picture.astype(int) - shown).mean() < 2


def test_a_size_that_fits_only_the_turned_image_names_exif() -> None:
    hole = decode(with_exif(6), (48, 64))
    assert reason(hole) == "exif_turned_picture" and "orientation: apply" in str(hole)
    assert reason(decode(with_exif(3), (48, 64))) == "mis_sized_picture"  # turned by 180°: no help
    assert reason(decode(JPEG, (48, 64))) == "mis_sized_picture"
    assert reason(decode(with_exif(6), (47, 64))) == "mis_sized_picture"
    assert "as stored it fits" in str(decode(with_exif(6), SIZE, "apply"))


@pytest.mark.parametrize("block", [b"", b"II", b"II*\0" + b"\xff" * 8, exif(6)[:-9], exif(9), b"XX" + exif(6)[2:]])
def test_an_exif_block_that_says_nothing_sound_turns_nothing(block: bytes) -> None:
    segment = b"Exif\0\0" + block
    data = JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + JPEG[2:]
    assert np.array_equal(decode(data, SIZE, "apply"), decode(JPEG, SIZE))


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(
    rows: np.ndarray, depth: int, colour: int, *more: bytes, interlaced: int = 0, size: tuple[int, int] = SIZE
) -> bytes:
    """A PNG written here: rows of bytes as the specification packs them, each behind a filter byte of 0."""
    head = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlaced)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(more) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def pngs() -> dict[str, tuple[bytes, np.ndarray]]:
    """Kind → (file, the pixels to expect)."""
    rgb = smooth()
    grey, full = rgb[..., 0], np.full((48, 64, 1), 255, np.uint8)
    wide = rgb.astype(">u2") * 257
    palette = chunk(b"PLTE", bytes(value for k in range(256) for value in (k, 255 - k, k // 2)))
    colours = np.stack([grey, 255 - grey, grey // 2], axis=-1)
    bits = grey > 128
    grey3 = np.repeat(grey[..., None], 3, axis=2)
    return {
        "rgb": (png(rgb, 8, 2), rgb),
        "rgb 16": (png(wide.view(np.uint8).reshape(48, -1), 16, 2), rgb),
        "grey": (png(grey, 8, 0), grey3),
        "grey 16": (png(wide[..., 0].copy().view(np.uint8).reshape(48, -1), 16, 0), grey3),
        "1 bit": (png(np.packbits(bits, axis=1), 1, 0), np.repeat(bits[..., None] * np.uint8(255), 3, axis=2)),
        "palette": (png(grey, 8, 3, palette), colours),
        "palette with alpha": (png(grey, 8, 3, palette, chunk(b"tRNS", bytes(256))), colours),
        "alpha": (png(np.dstack([rgb, full - 255]), 8, 6), rgb),
        "grey alpha": (png(np.dstack([grey, full[..., 0] // 2]), 8, 4), grey3),
        "text and a turn": (png(rgb, 8, 2, chunk(b"tEXt", b"a\0b"), chunk(b"eXIf", exif(6))), rgb),
    }


@pytest.mark.parametrize("kind", pngs())
def test_png_is_read_by_content(kind: str, pictures: Images) -> None:
    data, expected = pngs()[kind]
    (pictures.root / "train2014" / "a.jpg").write_bytes(data)  # named .jpg, as some of COCO's are
    assert np.array_equal(pictures.load("train2014/a.jpg", SIZE), expected)


@pytest.mark.parametrize("size", [SIZE, (1, 1), (3, 2), (5, 9), (9, 5)])
def test_an_interlaced_png_is_read(size: tuple[int, int]) -> None:
    """Of a small one, some passes have a single row or column, and some have none."""
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    grey = smooth()[: size[1], : size[0], 0]
    rows = [row.copy() for x, y, across, down in passes for row in grey[y::down, x::across] if row.size]
    data = png(rows, 8, 0, interlaced=1, size=size)
    assert np.array_equal(decode(data, size)[..., 0], grey)
    assert reason(decode(png(rows[:-1], 8, 0, interlaced=1, size=size), size)) == "truncated_picture"


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("width", [1, 8, 9, 15])
def test_rows_of_bits_end_with_a_whole_byte(depth: int, width: int) -> None:
    levels = np.random.default_rng(width).integers(0, 1 << depth, (3, width))
    bits = (levels[..., None] >> np.arange(depth)[::-1]) & 1
    rows = np.packbits(bits.reshape(3, -1).astype(np.uint8), axis=1)
    picture = decode(png(rows, depth, 0, size=(width, 3)), (width, 3))
    assert np.array_equal(picture[..., 0], levels * (255 // ((1 << depth) - 1)))
    assert reason(decode(png(rows[:-1], depth, 0, size=(width, 3)), (width, 3))) == "truncated_picture"


def test_a_png_is_turned_and_named_as_a_jpeg_is() -> None:
    data, rgb = pngs()["text and a turn"]
    assert np.array_equal(decode(data, (48, 64), "apply"), np.rot90(rgb, -1))
    assert reason(decode(data, (48, 64))) == "exif_turned_picture"


@pytest.mark.parametrize("part", [0.02, 0.3, 0.7, 0.999])
def test_a_damaged_png_is_never_half_an_image(part: float) -> None:
    data = pngs()["rgb"][0]
    at = int(len(data) * part)
    assert reason(decode(data[:at], SIZE)) == "truncated_picture"
    flipped = data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]
    assert reason(decode(flipped, SIZE)) in ("corrupt_picture", "truncated_picture")


def test_a_png_whose_checksums_hold_must_still_have_all_rows() -> None:
    rgb = smooth()
    assert reason(decode(png(rgb[:-1], 8, 2), SIZE)) == "truncated_picture"
    assert reason(decode(png(np.vstack([rgb, rgb]), 8, 2), SIZE)) == "corrupt_picture"
    bomb = png(np.zeros((20000, 10000), np.uint8), 8, 2)
    assert len(bomb) < 1 << 20 and reason(decode(bomb, SIZE)) == "corrupt_picture"


def test_a_huge_header_is_refused_before_anything_is_unpacked() -> None:
    head = struct.pack(">IIBBBBB", 1 << 20, 1 << 20, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    assert reason(decode(data, SIZE)) == "mis_sized_picture"
    assert reason(decode(data, (1 << 20, 1 << 20))) == "unreadable_picture"


@pytest.mark.parametrize("quality", [90, 101])  # lossy and lossless
def test_webp_is_read_and_what_is_cut_off_is_not(quality: int) -> None:
    picture = smooth()
    data = cv2.imencode(".webp", picture[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
    read = decode(data, SIZE)
    assert isinstance(read, np.ndarray)
    assert read.shape == (48, 64, 3) and np.abs(read.astype(int) - picture).mean() < 4
    assert reason(decode(data, (48, 64))) == "mis_sized_picture"
    for kept in (11, 14, 40, len(data) // 2, len(data) - 2):
        assert reason(decode(data[:kept], SIZE)) in ("truncated_picture", "corrupt_picture")
    # Cut off and the length in its header mended: the decoder's own complaint counts.
    short = bytearray(data[: len(data) // 2])
    short[4:8], short[16:20] = struct.pack("<I", len(short) - 8), struct.pack("<I", len(short) - 20)
    assert isinstance(decode(bytes(short), SIZE), MissingImage)


def test_an_extended_webp_is_turned_by_its_exif_and_an_animation_is_refused() -> None:
    plain = cv2.imencode(".webp", smooth(), [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()

    def extended(flags: int) -> bytes:
        canvas = struct.pack("<I", flags) + struct.pack("<I", 63)[:3] + struct.pack("<I", 47)[:3]
        block = exif(6)
        body = b"WEBPVP8X" + struct.pack("<I", 10) + canvas + plain[12:]
        body += b"EXIF" + struct.pack("<I", len(block)) + block
        return b"RIFF" + struct.pack("<I", len(body)) + body

    assert np.array_equal(decode(extended(8), (48, 64), "apply"), np.rot90(smooth()[..., ::-1], -1))
    assert reason(decode(extended(8), (48, 64))) == "exif_turned_picture"
    assert "animated" in str(decode(extended(10), SIZE))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"GIF89a" + bytes(50), "GIF"),
        (b"RIFF\x24\0\0\0WAVEfmt " + bytes(40), "AVI or WAV"),
        (b"<!DOCTYPE html><html>Sign in</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 24\n", "git lfs pull"),
        (b"/annex/objects/SHA256E-s2--00.jpg\n", "git annex get"),
        (b"\0\0\0\x1cftypheic" + bytes(40), "HEIC"),
        (bytes(5000), "zeros"),
    ],
)
def test_another_file_in_an_images_place_is_said_to_be_that(data: bytes, told: str) -> None:
    hole = decode(data, SIZE)
    assert reason(hole) == "corrupt_picture" and told in str(hole)


@pytest.mark.parametrize(
    "name", ["train2014/in side/b c.jpg", "train2014/in%20side/b%20c.jpg", "train2014\\in side\\b c.jpg"]
)
def test_names_as_other_tools_write_them_are_found(name: str, pictures: Images) -> None:
    folder = pictures.root / "train2014" / "in side"
    folder.mkdir()
    (folder / "b c.jpg").write_bytes(JPEG)
    assert isinstance(pictures.load(name, SIZE), np.ndarray)
    assert pictures.stamp(name) == len(JPEG)


def test_a_name_that_is_there_as_written_is_taken_as_written(pictures: Images) -> None:
    folder = pictures.root / "train2014"
    for name, number in (("a%41.jpg", 1), ("aA.jpg", 2), ("b\\c.jpg", 3)):
        (folder / name).write_bytes(JPEG + bytes(number))
    assert pictures.stamp("train2014/a%41.jpg") == len(JPEG) + 1
    assert pictures.stamp("train2014/b\\c.jpg") == len(JPEG) + 3


@pytest.mark.parametrize(
    "name",
    ["train2014/..\\..\\outside.jpg", "train2014/%2e%2e/%2e%2e/outside.jpg", "..%5c..%5coutside.jpg", "%2Foutside.jpg"],
)
def test_no_other_spelling_leaves_the_root(name: str, pictures: Images, tmp_path: Path) -> None:
    for follow in (False, True):
        there = Images(tmp_path / "root", "train2014", follow_links=follow)
        assert reason(there.load(name, SIZE)) == "missing_picture"


def test_links_out_of_the_root_are_taken_when_asked_for(pictures: Images, tmp_path: Path) -> None:
    folder = pictures.root / "train2014"
    (folder / "b.jpg").symlink_to(tmp_path / "outside.jpg")
    (folder / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (folder / "deep").symlink_to(tmp_path)
    assert "--follow-links" in str(pictures.load("train2014/b.jpg", SIZE))
    following = Images(pictures.root, "train2014", follow_links=True)
    for name in ("train2014/b.jpg", "train2014/deep/outside.jpg"):
        assert isinstance(following.load(name, SIZE), np.ndarray)
        assert following.stamp(name) == len(JPEG)
    hole = following.load("train2014/gone.jpg", SIZE)
    assert reason(hole) == "missing_picture" and "nowhere.jpg, which is not there" in str(hole)
    for name in ("train2014/../../outside.jpg", "/etc/hostname", "train2014/" + str(tmp_path / "outside.jpg")):
        assert reason(following.load(name, SIZE)) == "unsafe_path"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("train2014/A.JPG", "a.jpg is there"),
        ("train2014/a.png", "a.jpg is there"),
        ("train2014/train2014/a.jpg", "train2014/a.jpg is there"),
        ("train2014/deeper/a.jpg", "train2014/a.jpg is there"),
        ("train2014//data/upload/1/a.jpg", "train2014/a.jpg is there"),
        ("train2014/http://images.example/train2014/a.jpg", "a URL"),
        ("train2014/C:\\Users\\me\\b.jpg", "Windows machine"),
        ("val2014\\a.jpg", "backslashes"),
        ("train2014/c\\b.jpg", "no folder"),
        ("val2014/a.jpg", "a.jpg"),
        ("train2014/" + "x" * 300, ""),
    ],
)
def test_an_absent_image_is_told_with_its_likely_cause(name: str, told: str, pictures: Images) -> None:
    hole = pictures.load(name, SIZE)
    assert isinstance(hole, MissingImage)
    assert told in str(hole)


@pytest.mark.parametrize(
    ("folder", "name", "expected"),
    [
        ("images", "a.jpg", "images/a.jpg"),
        ("", "a.jpg", "a.jpg"),
        ("images", "b//a.jpg", "images/b/a.jpg"),
        ("images", "{root}/other/a.jpg", "other/a.jpg"),
        ("images", "{root}/other/../../a.jpg", "images/{root}/other/../../a.jpg"),
        ("images", "/etc/hostname", "images//etc/hostname"),
        ("images", "http://x/a.jpg", "images/http://x/a.jpg"),
    ],
)
def test_names_are_kept_relative_to_the_root(folder: str, name: str, expected: str, tmp_path: Path) -> None:
    filled = name.replace("{root}", str(tmp_path))
    assert image_name(folder, filled, tmp_path) == expected.replace("{root}", str(tmp_path))


def test_a_root_that_is_a_link_counts_by_both_its_names(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for start in ("real", "link"):
        assert image_name("images", f"{tmp_path / start}/b/a.jpg", tmp_path / "link") == "b/a.jpg"
