"""Images by their bytes: only when intact, always as stored."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
import simplejpeg

from pymaf_data.datasets.images import Images, MissingImage, decode
from tests.factories.images import JPEG, SIZE, reason, smooth


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
