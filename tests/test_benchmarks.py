"""Benchmarks of scene graphs, grounding and interactions at their smallest: they run, and print what they measure."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from lichen.training.pipeline import train
from lichen.training.recipe import load_recipe

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up while the class is made.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
    return module


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_relations(capsys: pytest.CaptureFixture[str]) -> None:
    module = script("relations")
    assert module.main(["--small"]) == 0
    rows = [cells(line) for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    ways = [row for row in rows if row[0] == "10" and len(row) == 8]
    assert [row[1] for row in ways] == ["lichen", "loop over entities: messages and means", "loop over entities: means"]
    assert all(float(row[6]) <= 1e-5 for row in ways) and ways[1][7] == "≥ 10"
    # 2 pictures of 6 boxes: 10 pairs each, then all 30.
    assert [row[:2] for row in rows if len(row) == 7 and row[1] in ("20", "60")] == [["10", "20"], ["30", "60"]]
    assert [row[:2] for row in rows if len(row) == 7 and row[0] in ("3", "6")] == [["3", "6"], ["6", "30"]]


def test_relations_that_differ_are_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    module = script("relations")
    monkeypatch.setattr(module, "_mean", lambda messages, confidence: messages.sum(0) + 1)
    with pytest.raises(SystemExit, match="logits differ"):
        module.main(["--small", "--only", "loop"])


def test_a_loop_takes_all_of_its_numbers_from_the_head() -> None:
    module = script("relations")
    head = module.make_head("tiny").double().eval()
    inputs = module.make_inputs(2, 5, "tiny")
    for kind in (module.LoopedMeans, module.LoopedMessages):
        other = module.looped(head, kind).double()
        torch.testing.assert_close(other(inputs)["logits"], head(inputs)["logits"], rtol=0, atol=1e-9)


def test_grounding_baselines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = script("grounding_baselines")
    recipe = load_recipe("playground-ground", ["train.steps=2", f"store.folder={tmp_path / 'store'}"], smoke=True)
    run = train(recipe, tmp_path / "run", quiet=True)
    vectors = tmp_path / "vectors.txt"
    words = [name.split()[-1] for name in run.task.classes]
    vectors.write_text("\n".join(f"{word} {place % 3 - 1} {place % 5} 1" for place, word in enumerate(words)))
    capsys.readouterr()
    assert module.main([str(tmp_path / "run"), "--draws", "3", "--vectors", str(vectors)]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {row[0]: row[1:] for row in map(cells, lines[4:])}
    assert cells(lines[2])[1:] == ["any_acc50", "merged_acc50", "any_pointing"] and len(rows) == 6
    # The run is measured as it was after its training, and no choice of boxes beats the upper bound.
    own = run.facts["metrics"]["test"]
    assert rows[f"the run {tmp_path / 'run'}"] == [f"{100 * own[key]:.1f}" for key in module.SHOWN]
    bound = rows.pop("upper bound of choosing")
    for name, row in rows.items():
        if not name.startswith("the run"):
            assert float(row[0]) <= float(bound[0]) and float(row[1]) <= float(bound[1])
    # A recipe alone has the same phrases and boxes.
    changes = ["--set=data.size=smoke", "--clip="]
    assert module.main(["playground-ground", "--draws", "3", *changes]) == 0
    again = {row[0]: row[1:] for row in map(cells, capsys.readouterr().out.splitlines()[4:])}
    assert again["the largest"] == rows["the largest"] and len(again) == 3


def test_interactions_metric(capsys: pytest.CaptureFixture[str]) -> None:
    module = script("interactions_metric")
    assert module.main(["--small"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "6 classes, 30 pictures, 600 detections, 90 annotated pairs"
    rows = [cells(line) for line in lines if line.startswith("|")][2:]
    assert [row[:2] for row in rows] == [["lichen", "6"], ["loop over detections", "3"]]
    assert float(rows[1][7]) <= 1e-9


def test_an_interactions_metric_that_differs_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    module = script("interactions_metric")
    monkeypatch.setattr(module, "iou", lambda first, second: 1.0)
    with pytest.raises(SystemExit, match="average precision differs"):
        module.main(["--small"])


def test_solids_baselines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LICHEN_CACHE", str(tmp_path))
    module = script("solids_baselines")
    small = ["--set=data.size=smoke", "--set=data.views=1", "--set=data.pixels=48", "--limit", "4"]
    assert module.main(["playground-solids", *small]) == 0
    rows = [cells(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["4 pictures", *module.SHOWN] and [row[0] for row in rows[2:]] == [
        "mean shape",
        "nearest picture",
    ]
    assert all(0 <= float(row[1]) < 1 for row in rows[2:])
    # The mean shape is the one that agrees best with the others.
    grids = torch.zeros(3, 4, 4, 4, dtype=torch.bool)
    grids[0, :2], grids[1, :3], grids[2, :4] = True, True, True
    assert module.mean_shape(grids) == 1


def test_solids_fit(capsys: pytest.CaptureFixture[str]) -> None:
    module = script("solids_fit")
    assert module.main(["--objects", "2", "--grid", "12", "--only", "full", "--only", "without polishing"]) == 0
    rows = [cells(line) for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows[2:]] == ["full", "without polishing"]
    assert all(float(row[1]) > 0.7 for row in rows[2:])
