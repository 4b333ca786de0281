"""`write`: a decoder learns a small world, is measured, saved, asked."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from lichen.backbones.outline import Outline
from lichen.data.config import DataConfig
from lichen.data.dataset import Dataset
from lichen.errors import CheckpointError, InputError
from lichen.scene import Scene
from lichen.side.base import Side
from lichen.side.config import ProbeConfig
from lichen.side.fit import fit_side
from lichen.tasks.model import SideModel
from lichen.tasks.task import HeadConfig, Preparation
from lichen.tasks.write import Write
from lichen.tasks.written.asked import Query

from ..data.tiny import make_processor
from .written.world import COLOURS, GIVEN, SIDE, WIDTH, Fetch, config, dataset, features, scene

DATA = dataset()
SCENES = DataConfig("scenes", path="scenes.jsonl")
OUTLINE = Outline("resnet", "maps", "image", (WIDTH,))


def side() -> Side:
    return fit_side(ProbeConfig(), OUTLINE)[0]


def made(*tasks: str, **changes: object) -> Write:
    return Write.of(DATA, SCENES, HeadConfig(decoder=config(*tasks, **changes)), ("image",))


def trained(task: Write, steps: int) -> SideModel:
    torch.manual_seed(0)
    model = SideModel({"image": side()}, task.make_head({"image": GIVEN})).train()
    examples = task.examples(DATA, "train")
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for step in range(steps):
        some = examples.take(torch.randperm(len(examples), generator=torch.Generator().manual_seed(step))[:48])
        model({"image": features(some.rows["image"])}, some.targets)["loss"].backward()
        optimiser.step()
        optimiser.zero_grad()
    return model.eval()


LEARNT = ("classify", "caption", "vqa", "aref", "gcap", "detect")


@pytest.fixture(scope="module")
def learnt() -> tuple[Write, SideModel]:
    task = made(*LEARNT)
    return task, trained(task, 300)


def test_a_small_world_is_learnt(learnt: tuple[Write, SideModel]) -> None:
    pytest.importorskip("faster_coco_eval", reason="faster-coco-eval is not installed")
    task, model = learnt
    fetch = Fetch()
    found = task.score(model, fetch, task.examples(DATA, "test"), batch=4)
    for name in ("classify/accuracy", "vqa/accuracy", "aref/acc50"):
        assert found[name] > 0.9, (name, found[name])
    assert found["caption/cider"] > 2 and found["gcap/cider"] > 2 and found["detect/ap"] > 0.5
    assert found["classify/spelt_alike"] == 1.0
    assert found["mean"] == pytest.approx(np.mean([found[f"{name}/{metric}"] for name, metric in _HEADLINES]), abs=1e-9)
    assert 0 < found["log_perplexity"] < 5 and not model.training
    assert set(fetch.asked) == set(DATA.splits["test"])


_HEADLINES = (
    ("classify", "accuracy"),
    ("caption", "cider"),
    ("vqa", "accuracy"),
    ("aref", "acc50"),
    ("gcap", "cider"),
    ("detect", "ap"),
)


def test_answers_become_scenes(learnt: tuple[Write, SideModel]) -> None:
    task, model = learnt
    rows = torch.tensor([34, 35])
    bare = [Scene(f"q{row}", size=(SIDE, SIDE)) for row in rows.tolist()]
    truths = [scene(row) for row in rows.tolist()]
    asked = [
        Query("classify"),
        Query("caption"),
        Query("vqa", "what colour is it?"),
        Query("aref", "the square"),
        Query("aref"),
        Query("gcap", box=truths[0].entities[0].box),
        Query("gcap"),
        Query("detect"),
    ]
    found = task.respond(model, {"image": features(rows)}, bare, asked)
    for answer, truth in zip(found, truths, strict=True):
        answer.validate()
        assert answer.labels[0].name == truth.labels[0].name and len(answer.labels) == len(COLOURS)
        assert sum(label.score or 0 for label in answer.labels) == pytest.approx(1.0, abs=1e-5)
        assert len(answer.captions) == 1 and answer.questions[0].answers == (truth.labels[0].name,)
        scores = [entity.score for entity in answer.entities if entity.box != truths[0].entities[0].box]
        assert all(score is None or 0 < score <= 1 for score in scores) and any(scores), "every written box has a score"
        assert len(answer.expressions) == 4


def test_an_answer_does_not_depend_on_its_batch(learnt: tuple[Write, SideModel]) -> None:
    task, model = learnt
    rows = torch.tensor([34, 36, 38])
    bare = [Scene(f"q{row}", size=(SIDE, SIDE)) for row in rows.tolist()]
    asked = [Query("caption"), Query("aref", "the blue square"), Query("detect"), Query("classify")]
    together = task.respond(model, {"image": features(rows)}, bare, asked)
    for number in range(3):
        (alone,) = task.respond(model, {"image": features(rows[[number]])}, [bare[number]], asked)
        assert alone.captions == together[number].captions
        assert [e.box for e in alone.entities] == [e.box for e in together[number].entities]
        for one, other in zip(alone.labels, together[number].labels, strict=True):
            assert one.name == other.name and one.score == pytest.approx(other.score, abs=1e-5)


def test_what_was_not_learnt_cannot_be_asked(learnt: tuple[Write, SideModel]) -> None:
    task, model = learnt
    given, bare = {"image": features(torch.tensor([34]))}, [Scene("q", size=(SIDE, SIDE))]
    with pytest.raises(InputError, match="task of this decoder 'ocr'"):
        task.respond(model, given, bare, [Query("ocr")])
    with pytest.raises(InputError, match="empty"):
        task.respond(model, given, bare, [Query("vqa", " ")])
    with pytest.raises(InputError, match="holds nothing of its picture"):
        task.respond(model, given, bare, [Query("gcap", box=(50.0, 0.0, 99.0, 5.0))])
    with pytest.raises(InputError, match="respond"):
        task.answer({}, bare)


def test_settings_come_back_and_damaged_words_are_told(learnt: tuple[Write, SideModel]) -> None:
    task, model = learnt
    told = json.loads(json.dumps(task.settings()))
    again = Write.from_settings(told, task.head)
    assert (again.classes, again.names, again.parts_read) == (task.classes, task.names, task.parts_read)
    head = again.make_head({"image": GIVEN})
    head.load_state_dict(model.head.state_dict())
    assert again.tokenizer.encode("a red square") == task.tokenizer.encode("a red square")
    with pytest.raises(CheckpointError, match="tokenizer"):
        Write.from_settings({**told, "tokenizer": {**told["tokenizer"], "inner": "{"}}, task.head)


def test_headlines_options_and_parts() -> None:
    assert made("vqa").headline == "vqa/accuracy" and made("vqa", "caption").headline == "mean"
    assert made("aref").option.startswith("--expression") and made("caption").option == "--task caption"
    assert Write.parts(SCENES) == ("image",) and Write.parts(SCENES, ("dino", "net")) == ("dino", "net")


def test_several_backbones_are_looked_at_together() -> None:
    task = Write.of(DATA, SCENES, HeadConfig(decoder=config("classify")), ("one", "two"))
    model = SideModel({"one": side(), "two": side()}, task.make_head({"one": GIVEN, "two": GIVEN}))
    fetch = Fetch()
    found = task.score(model, fetch, task.examples(DATA, "dev"))
    assert 0 <= found["classify/accuracy"] <= 1
    both = {"one": features(torch.tensor([1])), "two": features(torch.tensor([1]))}
    assert model.head.remember(model.adapt(both)).keys[0].shape[2] == 32, "tokens of both backbones"


def test_pictures_on_both_sides_are_refused() -> None:
    assert DATA.pixels is not None
    pixels = DATA.pixels.copy()
    pixels[35] = pixels[3]
    leaking = replace(DATA, pixels=pixels)
    with pytest.raises(InputError, match="also trained on: test/p35 is train/p3"):
        Write.of(leaking, SCENES, HeadConfig(decoder=config("caption", check_leaks=True)))
    Write.of(leaking, SCENES, HeadConfig(decoder=config("caption")))


def test_other_data_must_fit() -> None:
    task = made("classify")
    task.check_data(Write, DATA, SCENES, task.head)
    with pytest.raises(InputError, match="classes that the run does not know: pink"):
        task.check_data(Write, Dataset(DATA.scenes, DATA.splits, ("pink",)), SCENES, task.head)
    with pytest.raises(InputError, match="are texts"):
        texts = tuple(Scene(f"t{row}", text="a") for row in range(3))
        Write.of(Dataset(texts, {"train": (0, 1, 2)}), SCENES, task.head)


def test_pictures_are_squeezed_whole() -> None:
    inputs = made("aref").inputs(DATA, "image", Preparation(make_processor()))
    assert inputs.framing.short is None and inputs.framing.squeezed == inputs.framing.size
