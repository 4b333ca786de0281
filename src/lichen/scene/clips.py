"""Clips as GIF and MP4, for people to watch, and back to frames.

GIF is written by Pillow, with 256 colours of each frame's own; MP4 (H.264) by PyAV. Both round: GIF colours and
times (hundredths of a second), MP4 colours. Frames that must come back as they were are PNG files: see `unpack_clip`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import GifImagePlugin, Image, ImageSequence, UnidentifiedImageError

from ..errors import InputError, pick
from ..files import staged_file, staged_folder
from .extras import need
from .scene import Scene

_SUFFIXES = (".gif", ".mp4")
_QUALITY = "17"
"""Constant rate factor of x264; below 18 the eye sees no loss."""


def write_clip(path: str | Path, frames: Sequence[Image.Image | np.ndarray], fps: float | int = 8.0) -> None:
    """Write frames of one size as `.gif` or `.mp4`, by the suffix of the path. The file appears whole, or not at all.

    Args:
        path: where to.
        frames: pictures, or arrays (height, width, 3) of uint8. MP4 wants even sides: a last row or column is
            repeated where one is odd.
        fps: frames a second; in a GIF at most 50.

    Raises:
        MissingPackageError: an MP4, and PyAV is not installed.
        InputError: there are no frames, they differ in size, or the file cannot be written.
    """
    path = Path(path)
    kind = pick("suffix of a clip", path.suffix.lower(), _SUFFIXES)
    arrays = [_array(frame, place) for place, frame in enumerate(frames)]
    if not arrays:
        raise InputError("There are no frames to write.")
    for place, array in enumerate(arrays):
        if array.shape != arrays[0].shape:
            raise InputError(
                f"frames[{place}] is {array.shape[1]}×{array.shape[0]}, and frames[0] "
                f"{arrays[0].shape[1]}×{arrays[0].shape[0]}; all frames of a clip have one size."
            )
    if not 0 < fps <= (50 if kind == ".gif" else 240):
        raise InputError(f"fps must lie between 0 and {50 if kind == '.gif' else 240} for {kind}; got {fps}.")
    with staged_file(path) as part:
        (_write_gif if kind == ".gif" else _write_mp4)(part, arrays, fps)


def read_clip(path: str | Path) -> Iterator[Image.Image]:
    """Frames of a GIF or of a video that PyAV can open, in RGB, one by one.

    Raises:
        MissingPackageError: a video, and PyAV is not installed.
        InputError: the file cannot be read, or holds no picture.
    """
    path = Path(path)
    return _read_gif(path) if path.suffix.lower() == ".gif" else _read_video(path)


def unpack_clip(path: str | Path, folder: str | Path, id: str | None = None) -> Scene:
    """Write the frames of a clip as PNG files into a folder, and return a scene of them.

    Args:
        path: of the clip.
        folder: for `00000.png` and so on.
        id: of the scene; the clip's name without suffix if None.

    Raises:
        MissingPackageError: as `read_clip`.
        InputError: as `read_clip`, or the folder cannot be written.
    """
    path, folder = Path(path), Path(folder)
    names, size = [], None
    with staged_folder(folder) as stage:
        for place, frame in enumerate(read_clip(path)):
            names.append(f"{place:05d}.png")
            frame.save(stage / names[-1])
            size = frame.size
    return Scene(path.stem if id is None else id, size=size, frames=tuple(str(folder / name) for name in names))


def open_frames(scene: Scene, places: Iterable[int] | None = None) -> list[Image.Image]:
    """Pictures of a clip's frames, in RGB.

    Args:
        scene: with `frames`.
        places: which of them; all if None.

    Raises:
        InputError: a file cannot be opened as a picture.
    """
    opened = []
    for place in range(len(scene.frames)) if places is None else places:
        try:
            with Image.open(scene.frames[place]) as picture:
                opened.append(picture.convert("RGB"))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise InputError(f"Scene {scene.id!r}: frames[{place}] {scene.frames[place]!r}: {error}.") from error
    return opened


def _array(frame: Image.Image | np.ndarray, place: int) -> np.ndarray:
    array = np.asarray(frame.convert("RGB") if isinstance(frame, Image.Image) else frame)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[-1] != 3:
        raise InputError(
            f"frames[{place}] must be a picture or an array (height, width, 3) of uint8; got {array.shape} of "
            f"{array.dtype}."
        )
    return array


def _write_gif(path: Path, arrays: Sequence[np.ndarray], fps: float | int) -> None:
    # Times of a GIF are whole hundredths; rounding where each frame begins keeps the length of the whole.
    starts = [round(100 * place / fps) for place in range(len(arrays) + 1)]
    times = [10 * (after - before) for before, after in pairwise(starts)]
    # Frame by frame, since save_all joins equal neighbours into one, and the count of frames would be lost.
    pictures = [Image.fromarray(array).quantize(256) for array in arrays]
    header, _ = GifImagePlugin.getheader(pictures[0].copy(), info={"loop": 0, "duration": times[0]})
    with path.open("wb") as file:
        file.writelines(header)
        for picture, time in zip(pictures, times, strict=True):
            file.writelines(GifImagePlugin.getdata(picture, duration=time, disposal=1, include_color_table=True))
        file.write(b";")


def _write_mp4(path: Path, arrays: Sequence[np.ndarray], fps: float | int) -> None:
    av = need("av", "clips", "Videos are read and written")
    height, width = arrays[0].shape[:2]
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
        stream.options = {"crf": _QUALITY}
        for array in arrays:
            even = np.pad(array, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        container.mux(stream.encode())


def _read_gif(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as picture:
            for frame in ImageSequence.Iterator(picture):
                yield frame.convert("RGB")
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read as a GIF: {error}.") from error


def _read_video(path: Path) -> Iterator[Image.Image]:
    av: Any = need("av", "clips", "Videos are read and written")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(f"{str(path)!r} holds no pictures.")
            for frame in container.decode(video=0):
                yield frame.to_image()
    except (OSError, av.error.FFmpegError) as error:
        raise InputError(f"{str(path)!r} cannot be read as a video: {error}.") from error
