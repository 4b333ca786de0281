"""`lichen predict`, `plan` and `compare` with runs that find relations or ground phrases."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from lichen.cli.main import main
from lichen.errors import InputError
from lichen.regions import Regions
from lichen.regions.detectors import Detector
from lichen.scene import Entity, Phrase, Scene
from lichen.scene.jsonl import write_jsonl
from lichen.tasks import boxes as finding
from lichen.training.pipeline import evaluate
from lichen.training.recipe import load_recipe
from lichen.training.run import RECIPE, Run

from .recipes_data import save_bert, save_vit
from .shapes import Lichen

pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")
SMALL = ["data.limit=8", "data.eval_limit=4", "data.pixels=32", "train.steps=3", "train.batch=4", "backbone.name=vit"]
"""The shipped recipes, in their smallest form, shrunk further."""
GRAPH = ["head.graph.stages=1", "head.graph.reduced=4", "head.graph.masks=4"]
BOXES = ((2.0, 3.0, 30.0, 28.0), (30.0, 5.0, 58.0, 36.0))


class Finder(Detector):
    """Finds a girl, a cat and what nobody asked for, everywhere."""

    names = ("girl", "cat", "ghost")

    def __call__(self, pictures: Sequence[Image.Image], scenes: Sequence[Scene] | None = None) -> Regions:
        count = len(pictures)
        boxes = [*BOXES, (0.0, 0.0, 9.0, 9.0)] * count
        numbers = [number for number in range(count) for _ in range(3)]
        sizes = [picture.size for picture in pictures]
        return Regions.make(boxes, sizes, picture=numbers, labels=[0, 1, 2] * count, scores=[0.5] * 3 * count)


def _sets(*changes: str) -> list[str]:
    return [word for change in changes for word in ("--set", change)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that relates, one that grounds, and one that classifies nothing of the kind."""
    folder = tmp_path_factory.mktemp("graphs")
    save_vit(folder / "vit")
    save_bert(folder / "bert")
    quiet = ["--smoke", "--quiet", "--json"]
    with chdir(folder):
        relate = _sets(*SMALL, *GRAPH, "train.save_every=2", "train.eval_every=2")
        assert main(["train", "playground-relate", *quiet, *relate, "--out", "runs/relate"]) == 0
        assert main(["train", "playground-ground", *quiet, *_sets(*SMALL), "--out", "runs/ground"]) == 0
    return folder / "runs"


@pytest.fixture
def runs(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The runs; the current folder holds two pictures, and scenes of them with boxes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(finding, "load_detector", lambda name, config: Finder())
    finding._detector.cache_clear()
    for name, colour in (("a", "red"), ("b", "white")):
        Image.new("RGB", (60, 40), colour).save(f"{name}.png")
    write_jsonl("given.jsonl", [given("a"), given("b")])
    return trained


def given(name: str) -> Scene:
    things = (Entity("girl", BOXES[0]), Entity("cat", BOXES[1]))
    return Scene(name, image=f"{name}.png", captions=("a girl beside a cat",), entities=things)


def names_of(runs: Path) -> set[str]:
    return set(Run.open(runs / "relate").task.settings()["classes"])


def test_given_boxes_are_related(runs: Path, lichen: Lichen) -> None:
    assert {"girl", "cat"} <= names_of(runs)
    out, err = lichen("predict", runs / "relate", "given.jsonl", "--top", "1")
    assert out.startswith("a.png  ") and len(out.splitlines()) == 2 and err == ""
    lines, _ = lichen("predict", runs / "relate", "given.jsonl", "--json", "-")
    scene = Scene.from_json(lines.splitlines()[0]).validate()
    assert scene.size == (60, 40) and scene.entities == given("a").entities
    assert {(r.subject, r.object) for r in scene.relations} == {(0, 1), (1, 0)}
    best = scene.relations[0]
    assert f"{scene.entities[best.subject].label} {best.subject} {best.predicate}" in out


def test_a_detector_finds_boxes_and_graphs_are_written_and_drawn(runs: Path, lichen: Lichen) -> None:
    words = ["a.png", "--detector", "finder", "--graph", "a.graphml", "--draw", "a_drawn.png", "--json", "a.jsonl"]
    out, err = lichen("predict", runs / "relate", *words)
    assert out.startswith("a.png") and err == "drawn: a_drawn.png\n"
    scene = Scene.from_json(Path("a.jsonl").read_text())
    assert {thing.label for thing in scene.entities} == {"girl", "cat"}, "a ghost has no name here"
    root = ElementTree.parse("a.graphml").getroot()
    assert len(root.findall(".//{*}node")) == 2 and len(root.findall(".//{*}edge")) == len(scene.relations) == 2
    with Image.open("a_drawn.png") as picture:
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20
    lichen("predict", runs / "relate", "a.png", "--detector", "finder", "--graph", "a.dot")
    assert Path("a.dot").read_text().startswith("digraph")


def test_phrases_of_a_caption_are_tied_to_boxes(runs: Path, lichen: Lichen) -> None:
    words = ["a.png", "--caption", "a girl beside a cat", "--detector", "finder", "--draw", "a_drawn.png"]
    out, _ = lichen("predict", runs / "ground", *words, "--graph", "a.gv")
    assert "a girl: " in out and "a cat: " in out and "means" in Path("a.gv").read_text()
    lines, _ = lichen("predict", runs / "ground", "given.jsonl", "--json", "-")
    scene = Scene.from_json(lines.splitlines()[1]).validate()
    assert [scene.captions[0][p.start : p.end] for p in scene.phrases] == ["a girl", "a cat"]
    assert all(len(p.entities) == 1 and 0 <= (p.score or 0) <= 1 for p in scene.phrases)
    several, _ = lichen(
        "predict", runs / "ground", "given.jsonl", "--caption", "a girl", "--caption", "running quickly"
    )
    assert several.count("a girl: ") == 2


@pytest.mark.parametrize(
    ("run", "options", "message"),
    [
        ("relate", ["a.png"], "'a.png' comes without boxes"),
        ("relate", ["a.png", "--caption", "a girl"], "takes no --caption. A run trained to ground does"),
        ("relate", ["a.png", "--question", "?"], "takes no --question"),
        ("relate", ["a.png", "--query", "a girl"], "takes no --query"),
        ("relate", ["given.jsonl", "--graph", "a.txt"], "--graph takes a file that ends in .graphml, .dot, .gv"),
        ("relate", ["missing.jsonl"], "Cannot read 'missing.jsonl'"),
        ("relate", ["strange.jsonl"], "entities[0] is a 'unicorn', which is not among the classes"),
        ("relate", ["nameless.jsonl"], "entities[0] has a box and no label"),
        ("ground", ["given.jsonl", "--caption", " "], "--caption is empty"),
        ("ground", ["a.png", "--detector", "finder"], "it comes without a caption"),
        ("ground", ["outside.jsonl"], "phrases[0] is [2:99] of captions[0]"),
        ("ground", ["a.png", "--caption", "a girl"], "'a.png' comes without boxes"),
        ("ground", ["a.png", "--task", "caption"], "takes no --task. A run trained to write does"),
    ],
)
def test_what_cannot_be_asked_is_told(
    run: str, options: list[str], message: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = {"strange": Entity("unicorn", BOXES[0]), "nameless": Entity(None, BOXES[0])}
    for name, thing in odd.items():
        write_jsonl(f"{name}.jsonl", [replace(given("a"), entities=(thing,))])
    outside = replace(given("a"), phrases=(Phrase(0, 2, 99, (0,)),))
    Path("outside.jsonl").write_text(outside.to_json())
    assert main(["predict", str(runs / run), *options]) == 2
    told = capsys.readouterr().err
    assert message in told and "Traceback" not in told


def test_what_is_bad_is_left_out_and_the_rest_answered(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.png").write_bytes(b"no picture")
    thing = Entity("girl", BOXES[0])
    poor = [replace(given("a"), id=f"q{n}", entities=things) for n, things in enumerate([(thing,), (thing, thing)])]
    write_jsonl("mixed.jsonl", [given("c"), replace(given("a"), id="silent", captions=("",)), *poor])
    assert main(["predict", str(runs / "ground"), "mixed.jsonl"]) == 0
    told = capsys.readouterr()
    assert "c" in told.err and "silent" in told.err and told.out.count("a girl: ") == 2
    assert main(["predict", str(runs / "relate"), "mixed.jsonl", "--json", "-"]) == 0
    found = [Scene.from_json(line) for line in capsys.readouterr().out.splitlines()]
    assert [len(each.relations) for each in found] == [2, 0, 2] and found[0].id == "silent"


def test_a_run_is_measured_as_it_was_and_on_other_splits(runs: Path) -> None:
    for name in ("relate", "ground"):
        run, recipe = Run.open(runs / name), load_recipe(str(runs / name / RECIPE))
        again = evaluate(run, recipe, ["dev", "train"])
        assert again["dev"] == run.facts["metrics"]["dev"] and run.task.headline in again["train"]
        assert int(run.model.head.steps) == 3


def test_training_goes_on_where_it_was(trained: Path, tmp_path: Path) -> None:
    with chdir(trained.parent):
        sets = _sets(*SMALL, *GRAPH, "train.save_every=2", "train.eval_every=2")
        words = ["train", "playground-relate", "--smoke", "--quiet", "--json", *sets, "--out", str(tmp_path / "run")]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Run, "save", _stop)
            assert main(words) == 2
        assert main(["train", "--resume", str(tmp_path / "run"), "--quiet", "--json"]) == 0
    one, other = Run.open(tmp_path / "run"), Run.open(trained / "relate")
    assert int(one.model.head.steps) == 3
    assert one.facts["metrics"] == other.facts["metrics"]


def _stop(*args: Any, **kwargs: Any) -> None:
    raise InputError("no room")


def test_a_plan_says_what_it_cannot_count(trained: Path, lichen: Lichen) -> None:
    with chdir(trained.parent):
        for task in ("relate", "ground"):
            out, _ = lichen("plan", f"playground-{task}", "--smoke", *_sets(*SMALL))
            assert "stored features of image" in out and f"probe: a step of {task} depends on boxes" in out
            assert "trained" not in out.split("stored features")[0].split("probe:")[0]


@pytest.mark.slow
@pytest.mark.parametrize("task", ["relate", "ground"])
def test_methods_are_compared(task: str, trained: Path, lichen: Lichen, tmp_path: Path) -> None:
    with chdir(trained.parent):
        sets = _sets(*SMALL, "compare.factors=[1.0]")
        words = ["--methods", "probe,probe@live", "--seeds", "1", "--quiet", "--out", tmp_path / "results"]
        out, _ = lichen("compare", f"playground-{task}", "--smoke", *sets, *words)
    assert "probe@live" in out and (tmp_path / "results").is_dir()
