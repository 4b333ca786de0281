"""`ask`: pictures of a user put to a run, with boxes that are given or found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from lichen.errors import InputError
from lichen.scene import Entity, Scene
from lichen.tasks import boxes as finding
from lichen.tasks.boxes import BoxesConfig
from lichen.tasks.classify import Classify
from lichen.tasks.model import SideModel
from lichen.tasks.relate import Relate
from lichen.training import asking
from lichen.training.asking import ask
from lichen.training.run import Run

from ..tasks.boxed import COLOURS, SCENES, SIDE, Seeing, dataset, scene
from ..tasks.test_relate import head

DATA = dataset()


class Echo(Run):
    """Answers with what it was asked, and remembers it."""

    def __init__(self, task: Any) -> None:
        self.task, self.head, self.parts = task, task.head, {}
        self.asked: list[list[Scene]] = []

    def respond(self, samples: Any, scenes: Any, asked: Any = ()) -> list[Scene]:
        self.asked.append(list(scenes))
        return list(scenes)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Echo:
    monkeypatch.setattr(finding, "load_detector", lambda name, config: Seeing())
    finding._detector.cache_clear()
    return Echo(Relate.of(DATA, SCENES, head()))


@pytest.fixture
def pictures(tmp_path: Path) -> list[Scene]:
    found = []
    for row in range(3):
        Image.fromarray(DATA.pixels[row]).save(tmp_path / f"{row}.png")  # type: ignore[index]
        found.append(replace(scene(row), image=str(tmp_path / f"{row}.png"), size=None))
    return found


def test_given_boxes_stay_and_sizes_are_those_of_the_pictures(run: Echo, pictures: list[Scene]) -> None:
    told: list[tuple[int, int]] = []
    answered, skipped = ask(run, pictures, report=lambda done, total: told.append((done, total)))
    assert not skipped and told == [(3, 3)]
    assert [each.entities for each in answered] == [each.entities for each in pictures]
    assert {each.size for each in answered} == {(SIDE, SIDE)}


def test_many_pictures_are_asked_in_turns(run: Echo, pictures: list[Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "TOGETHER", 2)
    answered, _ = ask(run, pictures)
    assert [len(some) for some in run.asked] == [2, 1] and [each.id for each in answered] == ["p0", "p1", "p2"]


def test_found_boxes_of_unknown_classes_are_left_out_and_given_ones_are_not(run: Echo, pictures: list[Scene]) -> None:
    strange = replace(pictures[0], entities=(Entity("unicorn", (0.0, 0.0, 5.0, 5.0)),), relations=(), phrases=())
    bare = replace(pictures[1], entities=(), relations=(), phrases=())
    (kept, found), _ = ask(run, [strange, bare], boxes=BoxesConfig(source="seeing"))
    assert kept.entities == strange.entities, "what a user gives is refused by the task, not dropped"
    assert {thing.label for thing in found.entities} <= set(COLOURS) and found.entities
    with pytest.raises(InputError, match="comes without boxes"):
        ask(run, [bare])
    task: Any = run.task
    with pytest.raises(InputError, match="'unicorn', which is not among the classes"):
        task.respond(SideModel({}, torch.nn.Linear(1, 1)), {}, [replace(strange, size=(SIDE, SIDE))])


def test_what_cannot_be_used_is_named(run: Echo, pictures: list[Scene], tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    bad = Scene("bad", image=str(tmp_path / "bad.png"))
    answered, skipped = ask(run, [bad, Scene("none"), pictures[0]])
    assert [each.id for each in answered] == ["p0"] and set(skipped) == {"bad", "none"}
    assert skipped["none"] == "it names no picture"
    assert ask(run, []) == ([], {})


def test_other_runs_take_no_questions(run: Echo) -> None:
    run.task = Classify(("a", "b"), False, run.head)  # type: ignore[call-arg]
    with pytest.raises(InputError, match="trained to classify takes no questions"):
        ask(run, [])
