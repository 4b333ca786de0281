"""Packages of embedded models for the tests: real ones or a skip, and fakes that must never be imported."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lichen.backbones.embedded import (
    EMBEDDED,
    EmbeddedModel,
)
from lichen.backbones.embedded.registry import locate_weights
from lichen.errors import MissingPackageError
from lichen.files import sha256


def need(name: str) -> Path:
    """Path of the weights of an embedded model, or a skip that says how to get them."""
    try:
        return locate_weights(EMBEDDED[name])
    except MissingPackageError:
        pytest.skip(f"the package of embedded model {name!r} is not installed: {EMBEDDED[name].install}")


def fake_package(monkeypatch: pytest.MonkeyPatch, root: Path, name: str, data: bytes) -> EmbeddedModel:
    """Point the entry `name` at a package that holds `data` and must never be imported."""
    package = f"fake_{name.replace('-', '_')}"
    (root / package).mkdir(parents=True)
    (root / package / "__init__.py").write_text("raise RuntimeError('the package was imported')\n")
    weights = root / package / "weights.bin"
    weights.write_bytes(data)
    entry = dataclasses.replace(EMBEDDED[name], package=package, weights=weights.name, sha256=sha256(weights))
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.setitem(EMBEDDED, name, entry)
    return entry


def picture(seed: int, height: int = 120, width: int = 200) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))
