"""The command in this process, in a folder as a newcomer has it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .shapes import Lichen, make_place


@pytest.fixture(scope="session")
def shared_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing in it is changed; new files go elsewhere."""
    return make_place(tmp_path_factory.mktemp("newcomer"))


@pytest.fixture
def place(shared_place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: all of the shared one, and room for more."""
    for name in ("vit", "bert", "pictures"):
        (tmp_path / name).symlink_to(shared_place / name)
    # Paths in a recipe start from where it really lies.
    for file in [*shared_place.glob("*.toml"), *shared_place.glob("*.csv")]:
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def lichen(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Lichen:
    monkeypatch.delenv("LICHEN_DEBUG", raising=False)
    return Lichen(capsys)
