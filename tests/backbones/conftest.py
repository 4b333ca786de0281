"""Fixtures of the backbone tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache for tests that damage what is in it."""
    monkeypatch.setenv("LICHEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
