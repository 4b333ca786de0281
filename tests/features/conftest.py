"""What the tests of this folder run under."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are not forced to the disk: that only matters when the power fails, and takes most of a test's time."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
