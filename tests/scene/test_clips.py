"""Clips as GIF and MP4 and back to frames."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lichen.errors import InputError, MissingPackageError
from lichen.scene import Scene
from lichen.scene.clips import open_frames, read_clip, unpack_clip, write_clip


def frames(count: int = 6, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """Smooth colours that move; the third to the fifth frame are equal."""
    y, x = np.mgrid[:height, :width]
    steps = [min(step, 2) if step < 5 else step for step in range(count)]
    return [np.stack([x * 3, y * 4, np.full_like(x, 20 * step)], -1).astype(np.uint8) for step in steps]


def distance(found: Image.Image, wanted: np.ndarray) -> float:
    return float(np.abs(np.asarray(found, np.float64)[: wanted.shape[0], : wanted.shape[1]] - wanted).mean())


def test_a_gif_has_every_frame_also_equal_ones(tmp_path: Path) -> None:
    written = frames()
    write_clip(tmp_path / "a.gif", written, fps=12)
    found = list(read_clip(tmp_path / "a.gif"))
    assert len(found) == 6 and found[0].mode == "RGB" and found[0].size == (64, 48)
    assert max(map(distance, found, written)) < 4
    # Each frame has a palette of its own: the blue of the last is not that of the first.
    assert np.asarray(found[5])[..., 2].mean() == pytest.approx(100, abs=4)
    with Image.open(tmp_path / "a.gif") as picture:
        times = []
        for place in range(picture.n_frames):
            picture.seek(place)
            times.append(picture.info["duration"])
        # 12 frames a second do not divide into hundredths; their sum is right.
        assert sum(times) == 500 and set(times) == {80, 90}
        assert picture.info["loop"] == 0


def test_an_mp4_has_every_frame(tmp_path: Path) -> None:
    pytest.importorskip("av")
    written = frames()
    write_clip(tmp_path / "a.mp4", [Image.fromarray(frame) for frame in written], fps=10)
    found = list(read_clip(tmp_path / "a.mp4"))
    assert len(found) == 6 and found[0].size == (64, 48)
    assert max(map(distance, found, written)) < 4


def test_odd_sides_of_an_mp4_are_made_even(tmp_path: Path) -> None:
    pytest.importorskip("av")
    written = frames(3, 33, 21)
    write_clip(tmp_path / "a.mp4", written)
    found = list(read_clip(tmp_path / "a.mp4"))
    assert found[0].size == (34, 22)
    assert distance(found[0], written[0]) < 4
    write_clip(tmp_path / "a.gif", written)
    assert next(read_clip(tmp_path / "a.gif")).size == (33, 21)


def test_a_clip_becomes_a_scene_with_frames_on_disk(tmp_path: Path) -> None:
    write_clip(tmp_path / "run.gif", frames())
    scene = unpack_clip(tmp_path / "run.gif", tmp_path / "frames")
    assert scene.id == "run" and scene.size == (64, 48) and len(scene.frames) == 6
    kept = list(read_clip(tmp_path / "run.gif"))
    assert all(np.array_equal(a, b) for a, b in zip(open_frames(scene), kept, strict=True))
    (last,) = open_frames(scene, [5])
    assert np.array_equal(last, kept[5])
    assert unpack_clip(tmp_path / "run.gif", tmp_path / "other", "name").id == "name"


@pytest.mark.parametrize(
    ("clip", "fps", "message"),
    [
        ([], 8, "no frames to write"),
        ([*frames(1), *frames(1, 32, 32)], 8, r"frames\[1\] is 32×32, and frames\[0\] 64×48"),
        ([np.zeros((4, 4, 3))], 8, r"frames\[0\] must be a picture or an array"),
        ([np.zeros((4, 4), np.uint8)], 8, r"got \(4, 4\) of uint8"),
        (frames(2), 0, "fps must lie between"),
        (frames(2), 100, r"fps must lie between 0 and 50 for \.gif"),
    ],
)
def test_what_is_no_clip_is_refused(tmp_path: Path, clip: list[np.ndarray], fps: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_clip(tmp_path / "a.gif", clip, fps)
    assert not list(tmp_path.iterdir())


def test_files_that_are_no_clips(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Unknown suffix of a clip '\.avi'"):
        write_clip(tmp_path / "a.avi", frames(2))
    (tmp_path / "a.gif").write_bytes(b"GIF89a")
    with pytest.raises(InputError, match="cannot be read as a GIF"):
        list(read_clip(tmp_path / "a.gif"))
    with pytest.raises(InputError, match=r"frames\[1\] 'absent\.png'"):
        Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
        open_frames(Scene("a", frames=(str(tmp_path / "a.png"), "absent.png")))


def test_videos_that_cannot_be_read(tmp_path: Path) -> None:
    pytest.importorskip("av")
    (tmp_path / "a.mp4").write_bytes(b"no video")
    for name in ("a.mp4", "absent.mp4"):
        with pytest.raises(InputError, match="cannot be read as a video"):
            list(read_clip(tmp_path / name))


def test_without_av(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'lichen\[clips\]'"):
        write_clip(tmp_path / "a.mp4", frames(2))
    assert not list(tmp_path.iterdir())
