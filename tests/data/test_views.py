"""Views depend on the seed, the id and the view's number, and on nothing else."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lichen.data.views import Crop, Views
from lichen.errors import InputError


@given(
    st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 50), st.integers(1, 2000), st.integers(1, 2000)
)
def test_crops_lie_inside_and_have_the_right_area(id: str, view: int, width: int, height: int) -> None:
    crop = Views(51, scale=(0.5, 0.8)).crop(id, view, width, height)
    assert 0 <= crop.left < crop.right <= width and 0 <= crop.top < crop.bottom <= height
    share = (crop.right - crop.left) * (crop.bottom - crop.top) / (width * height)
    assert share <= 0.8 + (width + height) / (width * height)
    if 0.75 <= width / height <= 4 / 3 and min(width, height) > 100:
        assert share >= 0.35


def test_known_values() -> None:
    """A change here means that stores with views no longer fit what is computed live."""
    views = Views(4, seed=1)
    assert views.crop("cat/1.jpg", 1, 640, 480) == Crop(137, 0, 576, 480, False)
    assert views.crop("cat/1.jpg", 3, 640, 480) == Crop(194, 0, 607, 480, False)


def test_another_process_agrees() -> None:
    code = "from lichen.data.views import Views; print(Views(9, seed=5).crop('ä/ö', 7, 300, 200))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == str(Views(9, seed=5).crop("ä/ö", 7, 300, 200))


def test_views_differ_by_seed_id_and_number() -> None:
    crops = [Views(9, seed).crop(id, view, 999, 999) for seed in (0, 1) for id in "ab" for view in range(1, 9)]
    assert len(set(crops)) == len(crops)


def test_half_are_mirrored_and_sizes_spread() -> None:
    views = Views(2)
    crops = [views.crop(str(number), 1, 1000, 1000) for number in range(500)]
    assert 200 < sum(crop.mirrored for crop in crops) < 300
    areas = np.array([(crop.right - crop.left) * (crop.bottom - crop.top) for crop in crops]) / 1e6
    assert areas.min() < 0.4 and areas.max() > 0.9 and abs(areas.mean() - 0.675) < 0.03
    assert not any(Views(2, mirror=False).crop(str(number), 1, 9, 9).mirrored for number in range(50))


def test_cut_takes_the_part_and_mirrors_it() -> None:
    picture = Image.fromarray(np.arange(100 * 80 * 3, dtype=np.uint32).reshape(80, 100, 3).astype(np.uint8))
    views = Views(9)
    for view in range(1, 9):
        crop = views.crop("x", view, 100, 80)
        part = np.asarray(picture)[crop.top : crop.bottom, crop.left : crop.right]
        assert np.array_equal(np.asarray(views.cut(picture, "x", view)), part[:, ::-1] if crop.mirrored else part)


def test_wrong_settings() -> None:
    for wrong in ({"count": 0}, {"count": 2, "scale": (0.9, 0.1)}, {"count": 2, "scale": (0.0, 1.0)}):
        with pytest.raises(InputError):
            Views(**wrong)
    with pytest.raises(InputError, match="ratio"):
        Views(2, ratio=0.5)
