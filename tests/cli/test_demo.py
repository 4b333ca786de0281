"""The demo runs end to end on a few digits and leaves its pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from lichen.backbones.embedded import load_embedded_folder
from lichen.cli.main import main
from lichen.data import arrays
from lichen.data import digits as digits_module
from lichen.errors import MissingPackageError

pytest.importorskip("sklearn", reason="scikit-learn, which holds the digits, is not installed")
pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")
METHODS = ["unipt", "sherl", "lst", "pooled", "probe", "lora"]


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few of the digits, so that the frozen pass takes a second."""
    try:
        load_embedded_folder("dinov2-small")
    except MissingPackageError as error:
        pytest.skip(str(error))
    real = digits_module.load_digits

    def few(train: int = 1000, seed: int = 0) -> digits_module.Digits:
        whole = real(seed=seed)
        return digits_module.Digits(
            whole.images[:90], whole.labels[:90], train=torch.arange(60), test=torch.arange(60, 90)
        )

    monkeypatch.setattr(arrays, "load_digits", few)


@pytest.mark.usefixtures("few_digits")
def test_demo_prints_a_row_a_method_and_leaves_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--steps", "2", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    rows = [line.split()[0] for line in printed.splitlines() if line.split() and line.split()[0] in METHODS]
    assert rows == METHODS
    assert "60 to train, 30 to test, 2 steps of 32, seed 0" in printed and "next:" in printed
    for name in ("methods.png", "predictions.png"):
        with Image.open(tmp_path / name) as picture:
            assert picture.width > 500 and len(picture.convert("L").getcolors(256) or []) > 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["methods.png", "predictions.png", "results.json"]
    results = json.loads((tmp_path / "results.json").read_text())
    by_name = {row["method"]: row for row in results["rows"]}
    assert by_name["pooled"]["kept_bytes"] < 0.1 * by_name["lora"]["kept_bytes"]
    assert by_name["probe"]["trained_parameters"] == 2 * 384 * 10 + 10


def test_demo_refuses_a_folder_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["demo", "--out", str(tmp_path / "file" / "inside")]) == 2
    message = capsys.readouterr().err
    assert "Cannot write to folder" in message and "--out" in message and "Traceback" not in message


def test_demo_refuses_no_steps(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--steps", "0"]) == 2
    assert "--steps must be at least 1; got 0." in capsys.readouterr().err


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that even root cannot write to")
def test_demo_refuses_a_read_only_folder_before_it_trains(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--out", "/proc/self"]) == 2
    assert "Cannot write to folder '/proc/self'" in capsys.readouterr().err


def test_demo_misses_matplotlib_before_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lichen.figures.find_spec", lambda name: None)
    monkeypatch.setattr("lichen.cli.demo.compete", lambda *_: pytest.fail("trained first"))
    assert main(["demo", "--out", str(tmp_path)]) == 2
    assert "pip install matplotlib" in capsys.readouterr().err
