"""Every kind of picture file becomes upright RGB; what cannot be read says why, and nothing warns."""

from __future__ import annotations

import os
import struct
import threading
import warnings
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from lichen.data.pictures import ASPECT, LIMIT, open_picture
from lichen.errors import BadSample

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def saved(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is and breaks off where the pixels begin."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")[:2])]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def reason(source: Any) -> str:
    with pytest.raises(BadSample) as caught:
        open_picture(source, "sample")
    assert caught.value.id == "sample"
    return caught.value.reason


@pytest.fixture
def quadrants() -> Image.Image:
    """40 x 20: red, green over blue, white."""
    image = Image.new("RGB", (40, 20), RED)
    image.paste(GREEN, (20, 0, 40, 10))
    image.paste(BLUE, (0, 10, 20, 20))
    image.paste(WHITE, (20, 10, 40, 20))
    return image


@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF", "TIFF", "PPM", "WEBP", "JPEG"])
def test_formats(quadrants: Image.Image, format: str) -> None:
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95, "subsampling": 0}}.get(format, {})
    image = open_picture(saved(quadrants, format, **options))
    assert image.mode == "RGB" and image.size == (40, 20)
    difference = np.asarray(image).astype(int) - np.asarray(quadrants).astype(int)
    assert abs(difference).max() <= (12 if format == "JPEG" else 0)


def test_from_path_bytes_and_file(quadrants: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / "ä picture.PNG"
    quadrants.save(path)
    with path.open("rb") as file:
        images = [open_picture(path), open_picture(str(path)), open_picture(path.read_bytes()), open_picture(file)]
    assert all(image.tobytes() == quadrants.tobytes() for image in images)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(quadrants: Image.Image, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(quadrants, "PNG", exif=exif)
    with Image.open(BytesIO(data)) as opened:
        expected = ImageOps.exif_transpose(opened)
    image = open_picture(data)
    assert image.tobytes() == expected.convert("RGB").tobytes()
    assert image.size == ((40, 20) if orientation < 5 else (20, 40))
    # Turning it once more would be wrong, and image processors try to.
    assert ImageOps.exif_transpose(image).tobytes() == image.tobytes()


def test_damaged_exif_is_ignored_in_silence(quadrants: Image.Image) -> None:
    data = saved(quadrants, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff broken", quality=95)
    assert open_picture(data).size == (40, 20)


def test_cmyk() -> None:
    image = open_picture(saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95))
    red, green, blue = image.getpixel((4, 4))
    assert image.mode == "RGB" and red > 240 and green < 15 and blue < 15


def test_sixteen_bit_grey() -> None:
    values = np.array([[0, 256, 32768, 65535]], dtype=np.uint16)
    for format in ("PNG", "TIFF"):
        image = open_picture(saved(Image.fromarray(values), format))
        assert np.asarray(image)[0, :, 0].tolist() == [0, 1, 128, 255]
        assert image.mode == "RGB"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 65535, 257, -5]], np.int32), [0, 255, 1, 0]),
        (np.array([[0, 1 << 20, 1 << 19, 1 << 18]], np.int32), [0, 255, 128, 64]),
        (np.array([[0.0, 0.5, 1.0, np.nan]], np.float32), [0, 128, 255, 0]),
        (np.array([[0.0, 100.0, 255.0, np.inf]], np.float32), [0, 100, 255, 0]),
        (np.zeros((1, 4), np.float32), [0, 0, 0, 0]),
    ],
)
def test_wide_grey_levels(values: np.ndarray, expected: list[int]) -> None:
    image = open_picture(saved(Image.fromarray(values), "TIFF"))
    assert np.asarray(image)[0, :, 0].tolist() == expected


def test_one_bit() -> None:
    image = Image.new("1", (4, 1), 0)
    image.putpixel((1, 0), 1)
    assert np.asarray(open_picture(saved(image)))[0, :, 1].tolist() == [0, 255, 0, 0]


def test_transparency_is_laid_on_white() -> None:
    half = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    half.putpixel((1, 0), (0, 0, 0, 0))
    assert [open_picture(saved(half)).getpixel((x, 0)) for x in (0, 1)] == [RED, WHITE]
    grey = Image.new("LA", (2, 1), (10, 255))
    grey.putpixel((1, 0), (10, 0))
    assert [open_picture(saved(grey)).getpixel((x, 0)) for x in (0, 1)] == [(10, 10, 10), WHITE]
    keyed = Image.new("RGB", (2, 1), RED)
    keyed.putpixel((1, 0), BLUE)
    assert open_picture(saved(keyed, transparency=BLUE)).getpixel((1, 0)) == WHITE
    bits = Image.new("1", (2, 1), 1)
    bits.putpixel((0, 0), 0)
    assert open_picture(saved(bits, transparency=0)).getpixel((0, 0)) == WHITE


def test_palettes() -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([*RED, *GREEN, *BLUE])
    for x in range(3):
        image.putpixel((x, 0), x)
    assert [open_picture(saved(image)).getpixel((x, 0)) for x in range(3)] == [RED, GREEN, BLUE]
    # Transparency as bytes makes Pillow warn when it is converted straight to RGB.
    clear = open_picture(saved(image, transparency=bytes([255, 0, 255])))
    assert [clear.getpixel((x, 0)) for x in range(3)] == [RED, WHITE, BLUE]


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_animations_show_their_first_frame(format: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True} if format == "WEBP" else {}
    data = saved(frames[0], format, save_all=True, append_images=frames[1:], **options)
    assert open_picture(data).getpixel((3, 3)) == RED


def test_extreme_shapes_keep_their_middle() -> None:
    assert open_picture(saved(Image.new("RGB", (1, 1), RED))).size == (1, 1)
    tall = Image.new("RGB", (1, 60000), WHITE)
    tall.paste(RED, (0, 30000 - 16, 1, 30000 + 16))
    image = open_picture(saved(tall))
    assert image.size == (1, ASPECT) and set(image.get_flattened_data()) == {RED}
    assert open_picture(saved(Image.new("L", (60000, 2)))).size == (64, 2)
    assert open_picture(saved(Image.new("L", (64, 2)))).size == (64, 2)


def test_very_large_pictures_are_read(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (12000, 12000), 1).save(path)
    image = open_picture(path, size=224)
    assert image.mode == "RGB" and min(image.size) >= 448 and max(image.size) <= 1000
    assert image.getpixel((0, 0)) == WHITE
    path = tmp_path / "large.jpg"
    Image.new("L", (12000, 12000), 128).save(path)
    image = open_picture(path, size=224)
    assert 448 <= min(image.size) <= 1500 and image.mode == "RGB"
    assert abs(image.getpixel((5, 5))[0] - 128) <= 2


def test_a_target_size_shrinks_evenly() -> None:
    gradient = Image.fromarray(np.tile(np.linspace(0, 255, 1600, dtype=np.uint8), (1200, 1)))
    image = open_picture(saved(gradient.convert("RGB"), "JPEG", quality=95), size=100)
    assert image.size == (400, 300)
    whole = open_picture(saved(gradient.convert("RGB"), "JPEG", quality=95))
    assert whole.size == (1600, 1200)
    small = np.asarray(whole.resize(image.size, Image.Resampling.BOX)).astype(int)
    assert abs(small - np.asarray(image)).max() <= 4
    assert open_picture(saved(gradient, "JPEG"), size=1000).size == (1600, 1200)


def test_what_is_too_large_is_refused_by_its_header() -> None:
    said = reason(png_header(30000, 30000))
    assert "900 megapixels" in said and f"limit of {LIMIT / 1e6:.0f}" in said and "smaller" in said


def test_the_limit_holds_when_pillow_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert "900 megapixels" in reason(png_header(30000, 30000))


def test_truncated_and_damaged(quadrants: Image.Image) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    for format in ("PNG", "JPEG", "TIFF", "GIF", "WEBP", "BMP"):
        data = saved(noise, format)
        for share in (0.02, 0.3, 0.6, 0.9):
            assert reason(data[: int(len(data) * share)])
    assert "truncated" in reason(saved(noise, "JPEG")[:2000])
    flipped = bytearray(saved(noise))
    flipped[200] ^= 0xFF
    assert "cannot be read" in reason(bytes(flipped))


def test_no_picture_at_all(tmp_path: Path) -> None:
    assert "0 bytes" in reason(b"")
    assert "not a picture" in reason(b"hello")
    empty = tmp_path / "empty.jpg"
    empty.touch()
    assert "0 bytes" in reason(empty)
    assert "folder" in reason(tmp_path)
    assert "no file" in reason(tmp_path / "absent.jpg")
    assert "cannot be opened" in reason("a\0b.jpg")
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    assert "pipe" in reason(pipe)


def test_formats_that_run_programs_are_not_tried() -> None:
    assert "not a picture" in reason(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n")


def test_the_path_names_the_sample() -> None:
    with pytest.raises(BadSample) as caught:
        open_picture("absent.jpg")
    assert caught.value.id == "absent.jpg"


def test_threads_leave_the_warning_filters_as_they_were() -> None:
    before = list(warnings.filters)
    data = saved(Image.new("RGB", (64, 64)), "JPEG")
    threads = [threading.Thread(target=lambda: [open_picture(data) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
    with pytest.raises(UserWarning):
        warnings.warn("still an error here", UserWarning, stacklevel=1)
