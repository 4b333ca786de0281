"""Settings that train in seconds: they show that all parts fit, not that anything is learnt."""

from __future__ import annotations

from lichen.training.pretraining.clip import ClipSettings
from lichen.training.pretraining.detector import DetectorSettings
from lichen.training.pretraining.locca import LoccaSettings

CLIP = ClipSettings(
    pictures=24,
    steps=3,
    batch=8,
    size=32,
    channels=(8, 16),
    depths=(1, 1),
    width=16,
    heads=2,
    layers=1,
    projection=8,
    vocabulary=320,
)
LOCCA = LoccaSettings(
    pictures=24,
    steps=3,
    batch=8,
    size=32,
    channels=(8, 16),
    depths=(1, 1),
    width=16,
    heads=2,
    layers=1,
    vocabulary=320,
    bins=8,
)
DETECTOR = DetectorSettings(
    pictures=12,
    dense_steps=2,
    steps=2,
    batch=4,
    size=64,
    channels=(8, 8, 16, 16),
    width=16,
    heads=2,
    decoder_layers=1,
    queries=8,
    denoising=4,
)
