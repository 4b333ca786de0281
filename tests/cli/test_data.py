"""`lichen data`: make and inspect, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lichen.cli.data import VERBS
from lichen.cli.main import main
from lichen.data.playground import dataset


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(dataset.SIZES, "smoke", {"train": 3, "val": 1, "test": 1, "unseen": 1})


def test_make_and_inspect(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "pg"
    assert main(["data", "make", "playground", "--size", "smoke", "--out", str(target), "--pixels", "64"]) == 0
    out, err = capsys.readouterr()
    assert "6 pictures in" in out and f"next:  lichen data inspect {target}" in out
    assert "train: 3 of 3 pictures" in err
    assert main(["data", "inspect", str(target), "--check"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("scenes") and "long tail" in out and "all digests match" in err
    assert (target / "contact-sheet.png").is_file() and (target / "statistics.png").is_file()
    plots = tmp_path / "p.png"
    monkeypatch.setattr("lichen.data.inspect.plots.draw_statistics", lambda found, path: path.touch())
    words = ["data", "inspect", str(target), "--json", "--pictures", "0", "--plots", str(plots), "--split", "val"]
    assert main(words) == 0
    out, _ = capsys.readouterr()
    found = json.loads(out)
    assert found["scenes"] == 1 and found["skipped"] == {} and plots.is_file()


def test_make_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "make", "playground", "--size", "smoke", "--out", str(tmp_path / "pg"), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["counts"]["train"] == 3 and err == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the following arguments are required: VERB"),
        (["mak"], "invalid choice: 'mak'"),
        (["make", "playground"], "the following arguments are required: --out"),
        (["make", "playgrund", "--out", "x"], "invalid choice"),
        (["make", "playground", "--out", "x", "--size", "smal"], "Did you mean 'small'"),
        (["make", "playground", "--out", "x", "--pixels", "7"], "from 32 to 2048"),
        (["inspect", "nowhere"], "no folder or file"),
        (["inspect", ".", "--limit", "0"], "--limit at least 1"),
    ],
)
def test_wrong_words(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.count("\n") == 1


def test_every_verb_has_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name, verb in VERBS.items():
        assert main(["data", name, "--help"]) == 0
        assert " ".join(verb.summary.split()) in " ".join(capsys.readouterr().out.split())
