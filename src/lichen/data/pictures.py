"""`open_picture`: any picture file becomes an upright RGB picture of bounded size, or a `BadSample` that says why not.

What cameras, scanners and drawing programs write is all accepted: EXIF rotation, CMYK, 16 bits, palettes, transparency
(laid on white), animations (the first frame), one bit. What could exhaust memory is refused by its header alone.
"""

from __future__ import annotations

import os
import re
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO, IOBase
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from ..errors import BadSample

LIMIT = 178_956_970
"""Most pixels of a picture: where Pillow itself refuses, twice its `MAX_IMAGE_PIXELS`."""
ASPECT = 32
"""Longest shape, as long to short edge. Longer pictures keep their middle."""
EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")
"""Endings of picture files, in any case."""
# Pillow also opens formats that call other programs (PostScript) or are never photographs; these are not tried.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_LARGE = 16_000_000
"""Pixels above which a picture is shrunk before its colours are converted, to bound memory."""
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How to turn a picture upright, by EXIF orientation."""

_SIDEWAYS = tuple(_UPRIGHT[orientation] for orientation in (5, 6, 7, 8))
"""Turns that swap width and height."""


def open_picture(
    source: str | os.PathLike[str] | bytes | IO[bytes] | IOBase, id: str | None = None, *, size: int | None = None
) -> Image.Image:
    """Read a picture.

    Args:
        source: path, contents of a file, or a seekable binary file.
        id: name of the sample in messages; None takes the path.
        size: shorter edge, in pixels, to which the caller will shrink the picture. Large ones are then shrunk while
            they are read, to at least twice this; it saves most of the time and memory.

    Returns:
        Mode RGB, upright, at most 32 times as long as wide.

    Raises:
        BadSample: it is absent, no picture, damaged, or larger than `LIMIT` pixels.
    """
    name = id or (str(source) if isinstance(source, str | os.PathLike) else "picture")
    if isinstance(source, bytes):
        if not source:
            raise BadSample(name, "is empty (0 bytes)")
        return _read(BytesIO(source), name, size)
    if not isinstance(source, str | os.PathLike):
        return _read(source, name, size)
    path = Path(source)
    try:
        status = path.stat()
        # Opening a pipe would wait for ever.
        if stat.S_ISDIR(status.st_mode) or not stat.S_ISREG(status.st_mode):
            raise BadSample(name, f"{_kind(status.st_mode)}, not a picture file")
        if status.st_size == 0:
            raise BadSample(name, "is empty (0 bytes)")
        with path.open("rb") as file:
            return _read(file, name, size)
    except BadSample:
        raise
    except FileNotFoundError as error:
        raise BadSample(name, f"no file {str(path)!r}") from error
    # ValueError: a path with a NUL in it.
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadSample(name, f"{str(path)!r} cannot be opened: {reason}") from error


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture when it stands upright, in pixels; only its header is read.

    Raises:
        BadSample: it is absent, or no picture.
    """
    with _quiet():
        try:
            with Image.open(path, formats=_FORMATS) as image:
                turned = _UPRIGHT.get(_orientation(image))
                width, height = image.size
        # A header may be damaged in as many ways as a whole picture.
        except Exception as error:
            raise BadSample(str(path), f"cannot be read as a picture: {error or type(error).__name__}") from error
    return (height, width) if turned in _SIDEWAYS else (width, height)


def _kind(mode: int) -> str:
    return "is a folder" if stat.S_ISDIR(mode) else "is a device, pipe or socket"


def _read(file: Any, name: str, size: int | None) -> Image.Image:
    with _quiet():
        try:
            with Image.open(file, formats=_FORMATS) as image:
                _check_size(name, image.width * image.height)
                return _decode(image, size)
        except BadSample:
            raise
        except UnidentifiedImageError as error:
            raise BadSample(name, "is not a picture (JPEG, PNG, BMP, GIF, WebP or TIFF), or is damaged") from error
        except Image.DecompressionBombError as error:
            found = re.search(r"\d+", str(error))
            _check_size(name, int(found[0]) if found else LIMIT + 1)
            raise BadSample(name, str(error)) from error
        except MemoryError as error:
            raise BadSample(name, "needs more memory than there is; make it smaller") from error
        # On damaged files Pillow raises nearly anything: OSError, SyntaxError, struct.error, IndexError, and more.
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise BadSample(name, f"cannot be read as a picture: {reason}") from error


def _check_size(name: str, pixels: int) -> None:
    if pixels > LIMIT:
        raise BadSample(
            name,
            f"has {pixels / 1e6:.0f} megapixels, more than the limit of {LIMIT / 1e6:.0f}; "
            "save it smaller, or cut it into pieces",
        )


def _decode(image: Image.Image, size: int | None) -> Image.Image:
    if size is not None:
        # A JPEG can be decoded at 1/2, 1/4 or 1/8; other formats ignore this.
        image.draft(None, (2 * size, 2 * size))
    image.load()
    orientation = _orientation(image)
    image = _shorten(image)
    large = size is not None and image.width * image.height > _LARGE
    factor = max(1, min(image.size) // (2 * size)) if large and size is not None else 1
    image = _to_rgb(image, factor)
    turn = _UPRIGHT.get(orientation)
    image = image if turn is None else image.transpose(turn)
    # Whoever looks for an orientation in the result must not turn it again.
    image.info = {}
    return image


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    # Damaged metadata says nothing about the pixels: viewers show such a picture as it lies, and so do we.
    except Exception:
        return 1


def _shorten(image: Image.Image) -> Image.Image:
    """The middle of a picture that is longer than `ASPECT` allows: resizing by the short edge would blow it up."""
    width, height = image.size
    new = min(width, ASPECT * height), min(height, ASPECT * width)
    if new == image.size:
        return image
    left, top = (width - new[0]) // 2, (height - new[1]) // 2
    return image.crop((left, top, left + new[0], top + new[1]))


def _to_rgb(image: Image.Image, factor: int) -> Image.Image:
    """Convert to RGB, and shrink by a whole factor as soon as the mode allows averaging."""
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_to_bytes(np.asarray(image)))
    elif image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = _on_white(image)
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    if factor > 1:
        image = image.reduce(factor)
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    # Premultiplied modes convert to RGBA only.
    colours = image.convert("RGBA")
    result = Image.new("RGB", colours.size, "white")
    result.paste(colours, mask=colours.getchannel("A"))
    return result


def _to_bytes(values: np.ndarray) -> np.ndarray:
    """Grey levels of any depth as 8 bits.

    16-bit values lose their lower half. Wider whole numbers and floats are scaled by the first range that holds them
    all: floats 0 to 1 or 0 to 255, then 0 to 65,535, then up to their largest value.
    """
    if values.dtype.itemsize == 2:
        return (values.astype(np.uint16) >> 8).astype(np.uint8)
    floating = np.issubdtype(values.dtype, np.floating)
    values = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0).clip(min=0)
    largest = float(values.max(initial=0))
    ranges = (1.0, 255.0, 65535.0) if floating else (65535.0,)
    top = next((value for value in ranges if largest <= value), largest)
    return np.rint(values * (255.0 / top)).astype(np.uint8)


class _Quiet:
    """Pillow's warnings are switched off while at least one thread reads a picture.

    `warnings.catch_warnings` alone is not safe with threads: each would put back what another had changed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._caught: warnings.catch_warnings[None] | None = None

    def enter(self) -> None:
        with self._lock:
            self._depth += 1
            if self._depth == 1:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL(\.|$)")

    def leave(self) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0 and self._caught is not None:
                self._caught.__exit__(None, None, None)
                self._caught = None


_QUIET = _Quiet()


@contextmanager
def _quiet() -> Iterator[None]:
    _QUIET.enter()
    try:
        yield
    finally:
        _QUIET.leave()
