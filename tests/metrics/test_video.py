"""Metrics of clips on cases that can be told by hand, and against other implementations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from lichen.errors import InputError
from lichen.metrics.video import (
    FrameEmbedder,
    box_control,
    clip_features,
    clip_similarity,
    first_frame_fidelity,
    frechet_distance,
    psnr,
    ssim,
)

BOX = (0.0, 0.0, 4.0, 4.0)


def test_box_control_by_hand() -> None:
    half = (0.0, 0.0, 4.0, 2.0)
    most = (0.0, 0.0, 4.0, 3.2)
    found = box_control([[BOX, half, None, most]], [[BOX, BOX, BOX, BOX]])
    assert found["ao"] == pytest.approx((1 + 0.5 + 0 + 0.8) / 4)
    assert (found["sr50"], found["sr75"], found["lost"]) == (0.5, 0.5, 0.25)


def test_frames_without_a_wanted_box_and_the_first_do_not_count() -> None:
    found = box_control([[None, BOX, BOX]], [[BOX, None, BOX]], skip_first=True)
    assert found == {"ao": 1.0, "sr50": 1.0, "sr75": 1.0, "lost": 0.0}
    with pytest.raises(InputError, match=r"no frame with a wanted box"):
        box_control([[BOX]], [[None]])
    with pytest.raises(InputError, match=r"same things and frames"):
        box_control([[BOX]], [[BOX, BOX]])


def test_psnr() -> None:
    black = torch.zeros(2, 12, 12, 3, dtype=torch.uint8)
    other = black.clone()
    other[0] += 10
    found = psnr(black, other)
    assert found[0] == pytest.approx(20 * np.log10(25.5)) and found[1] == float("inf")


def test_ssim_is_one_for_equal_pictures_and_follows_its_formula() -> None:
    chance = np.random.default_rng(0)
    one = torch.from_numpy(chance.integers(0, 256, (2, 16, 20, 3), np.uint8))
    assert ssim(one, one).tolist() == pytest.approx([1.0, 1.0])
    # Two flat pictures: only the light term differs from one.
    grey, lighter = (
        torch.full((1, 11, 11, 3), 100, dtype=torch.uint8),
        torch.full((1, 11, 11, 3), 120, dtype=torch.uint8),
    )
    c1 = (0.01 * 255) ** 2
    assert ssim(grey, lighter).item() == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1))
    noisy = (one.int() + torch.from_numpy(chance.integers(-20, 20, one.shape))).clamp(0, 255).to(torch.uint8)
    worse = (one.int() + torch.from_numpy(chance.integers(-80, 80, one.shape))).clamp(0, 255).to(torch.uint8)
    assert (ssim(one, noisy) > ssim(one, worse)).all()
    with pytest.raises(InputError, match=r"windows of 11"):
        ssim(one[:, :8], one[:, :8])


def test_one_window_of_ssim_by_hand() -> None:
    chance = np.random.default_rng(1)
    one, two = (chance.integers(0, 256, (1, 11, 11, 3), np.uint8) for _ in range(2))
    line = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    found = []
    for colour in range(3):
        a, b = (each[0, ..., colour].astype(float) for each in (one, two))
        ma, mb = (window * a).sum(), (window * b).sum()
        va, vb, ab = (window * a * a).sum() - ma**2, (window * b * b).sum() - mb**2, (window * a * b).sum() - ma * mb
        c1, c2 = 2.55**2, 7.65**2
        found.append((2 * ma * mb + c1) * (2 * ab + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
    assert ssim(torch.from_numpy(one), torch.from_numpy(two)).item() == pytest.approx(np.mean(found), abs=1e-10)


def test_frechet_distance_against_scipy() -> None:
    chance = torch.Generator().manual_seed(0)
    one = torch.randn(40, 5, generator=chance, dtype=torch.float64)
    two = torch.randn(30, 5, generator=chance, dtype=torch.float64) @ torch.randn(
        5, 5, generator=chance, dtype=torch.float64
    ) + torch.arange(5)
    a, b = np.cov(one.numpy().T), np.cov(two.numpy().T)
    wanted = ((one.mean(0) - two.mean(0)) ** 2).sum().item() + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))
    assert frechet_distance(one, two) == pytest.approx(wanted, rel=1e-8)
    assert frechet_distance(one, one) == pytest.approx(0.0, abs=1e-8)
    with pytest.raises(InputError, match=r"at least two"):
        frechet_distance(one[:1], two)


def test_words_and_pictures_of_the_playground() -> None:
    from lichen.data.playground.clips import ClipConfig, PlaygroundClips

    config = ClipConfig(frames=(2, 2), size=96, panning=0.0, movers=1, props=0, classes=("car", "dog"))
    clips = [PlaygroundClips(0, "val", 12, config)[place] for place in range(12)]
    pixels = torch.from_numpy(np.stack([clip.frames for clip in clips]))
    captions = [clip.scene.captions[0] for clip in clips]
    embedder = FrameEmbedder("embedded:playground-clip")
    vectors, words = embedder.clips(pixels), embedder.texts(captions)
    assert vectors.shape == (12, 2, 128)
    assert clip_similarity(vectors, words) > clip_similarity(vectors, words.roll(1, 0))
    kept = first_frame_fidelity(vectors, embedder.frames(pixels[:, 0]))
    assert kept["first"] == pytest.approx(1.0, abs=1e-4) and kept["all"] > 0.8
    assert first_frame_fidelity(vectors.roll(1, 0), vectors[:, 0])["all"] < kept["all"]
    features = clip_features(vectors)
    assert features.shape == (12, 256)
    assert frechet_distance(features[:6], features[6:]) > 0
