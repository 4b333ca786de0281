"""`lichen compare` leaves a table, a picture and all numbers, keeps what is done, and refuses what cannot be."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lichen.cli.main import main
from lichen.training.comparing import compare as module
from lichen.training.comparing.contenders import Contender
from lichen.training.recipe import load_recipe

from ..training.comparing.arenas import classify

pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recipe texts.toml."""
    place = tmp_path_factory.mktemp("compare")
    settings = {"seeds": 2, "methods": ["pooled", "lora"], "rates": {"pooled": 1e-2, "lora": 1e-2}}
    recipe = classify(place, train={"steps": 3, "batch": 8}, compare=settings)
    (place / "texts.toml").write_text(recipe.to_toml())
    return place


def recipe_of(folder: Path) -> str:
    return str(folder / "texts.toml")


def test_a_comparison_leaves_table_picture_numbers_and_the_next_command(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [
        recipe_of(folder),
        "--methods",
        "pooled,probe,lora",
        "--live",
        "pooled",
        "--set",
        "compare.factors=[0.5,1]",
    ]
    assert main(["compare", *words]) == 0
    out, err = capsys.readouterr()
    out_folder = tmp_path / "compare" / "texts"
    names = ["pooled", "probe", "lora", "pooled@live"]
    assert [line.split()[0] for line in out.splitlines()[2:6]] == names
    assert "±: standard deviation over seeds. Standard error" in out and "seeds 0, 1" in out
    assert "learning rates (2 of 2): step 3/3" in err and "seed 1 (until 1): step 3/3, 0:00 left in all" in err
    with Image.open(out_folder / "compare.png") as picture:
        assert picture.width > 1000
    rows = list(csv.DictReader((out_folder / "table.csv").read_text().splitlines()))
    assert [row["method"] for row in rows] == names and all(row["seed_1"] for row in rows)
    assert (out_folder / "table.md").read_text().startswith("| method | trained |")
    results = json.loads((out_folder / "results.json").read_text())
    assert len(results["seeds"]["1"]["lora"]["step_seconds"]) == 3
    assert results["environment"]["torch"] and 'task = "classify"' in results["toml"]
    assert results["costs"]["pooled"]["kept_bytes"] < results["costs"]["lora"]["kept_bytes"]
    command = next(line for line in out.splitlines() if line.startswith("  lichen train ")).split()
    assert command[2] == "compare/texts/best.toml" and command[4].startswith("runs/texts-")
    best = load_recipe(command[2])
    assert best.train.lr in {choice["rate"] for choice in results["choices"].values()}
    assert best.sides["input"].method in ("pooled", "probe") and best.data == load_recipe(recipe_of(folder)).data

    assert main(["compare", *words]) == 2
    assert "holds the results of an earlier comparison" in capsys.readouterr().err
    assert json.loads((out_folder / "results.json").read_text()) == results


def test_json_alone_is_on_stdout(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [recipe_of(folder), "--seeds", "1", "--out", str(tmp_path / "out"), "--json"]
    assert main(["compare", *words]) == 0
    results = json.loads(capsys.readouterr().out)
    assert [row["method"] for row in results["rows"]] == ["pooled", "lora"] and list(results["seeds"]) == ["0"]


def test_ctrl_c_leaves_the_seeds_that_are_done(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = module.make_contender

    def make(method: Any, arena: Any, rate: float, seed: int, steps: int) -> Contender:
        if seed == 1:
            raise KeyboardInterrupt
        return real(method, arena, rate, seed, steps)

    monkeypatch.setattr(module, "make_contender", make)
    assert main(["compare", recipe_of(folder), "--out", str(tmp_path / "out"), "--quiet"]) == 130
    out, err = capsys.readouterr()
    assert out == "" and f"1 of 2 seeds are in {tmp_path / 'out'}" in err
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert list(results["seeds"]) == ["0"] and len(results["rows"]) == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "best.toml", "compare.png", "results.json", "table.csv", "table.md",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--methods", ""], "Name at least one method: "),
        (["--methods", "unpit"], "Unknown method 'unpit'. Did you mean 'unipt'?"),
        (["--methods", "pooled:rnak=3"], "Did you mean 'rank'?"),
        (["--methods", "pooled", "--live", "full"], "Unknown side network 'full'"),
        (["--seeds", "0"], "at least one seed"),
        (["--set", "compare.rates.lara=1.0"], "Unknown method 'lara'"),
    ],
)
def test_wrong_words_are_one_message(
    folder: Path, tmp_path: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", recipe_of(folder), "--out", str(tmp_path / "out"), *words]) == 2
    err = capsys.readouterr().err
    assert message in err and "Traceback" not in err


def test_a_folder_that_cannot_be_is_refused_before_anything_is_read(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["compare", recipe_of(folder), "--out", str(tmp_path / "file" / "inside")]) == 2
    assert "Cannot write to folder" in capsys.readouterr().err
