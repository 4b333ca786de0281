"""`ground`: phrases are learnt from captions alone, measured, saved, asked; bad captions are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lichen.backbones.features import Features
from lichen.backbones.outline import Outline
from lichen.errors import InputError
from lichen.scene import Entity, Phrase, Scene
from lichen.side.config import ProbeConfig
from lichen.side.fit import fit_side
from lichen.tasks import boxes as finding
from lichen.tasks.boxes import BoxesConfig
from lichen.tasks.ground import Ground
from lichen.tasks.grounded.config import GroundConfig
from lichen.tasks.model import SideModel
from lichen.tasks.task import HeadConfig, Preparation

from ..data.tiny import make_processor, make_tokenizer
from .boxed import COLOURS, COUNT, GIVEN, OUTLINE, SCENES, SIDE, SPLITS, TEXT, WIDTH, Seeing, dataset, features, scene

DATA = dataset()
OUTLINES = {
    "image": OUTLINE,
    "text": Outline("bert", "tokens", "text", (WIDTH,) * 3, heads=2, intermediate=12, late_blocks=2),
}
SMALL: dict[str, Any] = {"width": 24, "joint": 8, "hidden": 8, "top": 2, "least": 1}


def made(source: str = "given", parts: tuple[str, ...] = ("image",), **changes: Any) -> Ground:
    head = HeadConfig(grounding=GroundConfig(**(SMALL | changes)), boxes=BoxesConfig(source=source))
    return Ground.of(DATA, SCENES, head, parts)


def modelled(task: Ground, seed: int = 0) -> SideModel:
    torch.manual_seed(seed)
    given = {part: {"image": GIVEN, "text": TEXT}[part] for part in task.parts_read}
    sides = {part: fit_side(ProbeConfig(), OUTLINES[part])[0] for part in task.parts_read}
    return SideModel(sides, task.make_head(given))


def fetch(part: str, rows: Tensor) -> Features:
    """Maps of pictures; tokens of captions that say by their number alone what they are."""
    if part == "image":
        return features(rows)
    tokens = torch.stack([torch.randn(24, WIDTH, generator=torch.Generator().manual_seed(r)) for r in rows.tolist()])
    return Features((tokens,), tokens, mask=torch.ones(len(rows), 24, dtype=torch.bool), indices=(1,))


def trained(task: Ground, steps: int, batch: int = 12) -> SideModel:
    model = modelled(task).train()
    examples = task.examples(DATA, "train")
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(steps):
        some = examples.take(torch.randperm(len(examples), generator=torch.Generator().manual_seed(step))[:batch])
        given = {part: fetch(part, rows) for part, rows in some.rows.items()}
        model(given, task.told(some))["loss"].backward()
        optimiser.step()
        optimiser.zero_grad()
    return model.eval()


@pytest.fixture(autouse=True)
def seeing(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A detector that needs no weights, and a cache of its own."""
    monkeypatch.setattr(finding, "load_detector", lambda name, config: Seeing())
    monkeypatch.setattr(finding, "cache_root", lambda: tmp_path_factory.getbasetemp() / "ground-cache")
    finding._detector.cache_clear()


@pytest.fixture(scope="module")
def learnt() -> tuple[Ground, SideModel]:
    task = made()
    return task, trained(task, 50)


def test_phrases_are_learnt_from_captions_alone(learnt: tuple[Ground, SideModel]) -> None:
    task, model = learnt
    examples = task.examples(DATA, "test")
    before, after = (task.score(each, fetch, examples) for each in (modelled(task), model))
    assert after["any_acc50"] > max(0.75, before["any_acc50"] + 0.2), (before["any_acc50"], after["any_acc50"])
    assert after["any_acc50_top10"] == 1.0 and after["phrases"] == sum(len(scene(r).phrases) for r in SPLITS["test"])
    some = examples.take(torch.arange(6))
    found = model({"image": features(some.rows["image"])}, task.told(some))
    assert found["caption_loss"].shape == (6,) and bool(found["loss"].isfinite())
    assert task.measure({"caption_loss": torch.tensor([1.0, 3.0])}, {}) == {"grounding_loss": 2.0}


@pytest.mark.parametrize("variant", ["matching", "two stages", "regression", "full"])
def test_every_variant_learns(variant: str) -> None:
    task = made(variant=variant)
    model = modelled(task)
    examples = task.examples(DATA, "train")

    def loss(each: SideModel) -> float:
        with torch.no_grad():
            return float(each.eval()({"image": features(examples.rows["image"])}, task.told(examples))["loss"])

    assert loss(trained(task, 4)) < loss(model)


def test_boxes_of_annotated_phrases_are_never_learnt_from() -> None:
    task = made()
    bare = [
        replace(scene(row), phrases=tuple(replace(p, entities=()) for p in scene(row).phrases)) for row in range(COUNT)
    ]
    other = Ground.of(dataset(scenes=bare), SCENES, task.head)
    one, two = (each.examples(data, "train").known[0] for each, data in ((task, DATA), (other, dataset(scenes=bare))))
    for name in ("spans", "spoken", "relations", "caption"):
        assert torch.equal(getattr(one.captions, name), getattr(two.captions, name))
    with pytest.raises(InputError, match="No phrase of these captions has an annotated box"):
        other.score(modelled(other), fetch, other.examples(dataset(scenes=bare), "test"))


def test_steps_are_counted_and_boxes_stay_until_it_is_time() -> None:
    task = made(refine_from=2)
    one, other = (trained(task, 3) for _ in range(2))
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
    assert int(one.head.steps) == 3
    fresh = modelled(task)
    assert fresh.train().head.refine == 0 and fresh.eval().head.refine == 1 and one.train().head.refine == 1


def test_a_text_backbone_reads_captions() -> None:
    task = made(parts=("image", "text"))
    inputs = task.inputs(DATA, "text", Preparation(make_tokenizer()))
    assert len(inputs) == COUNT and inputs.ids[3] == "p3#0"
    examples = task.examples(DATA, "test")
    assert examples.rows["text"].tolist() == examples.rows["image"].tolist(), "one caption a picture"
    assert examples.known[0].captions.tokens is None
    found = task.score(trained(task, 2), fetch, examples)
    assert 0 <= found["any_acc50"] <= 1


def test_words_of_classes_are_a_prior(tmp_path: Path) -> None:
    lines = [f"{name} {' '.join('1' if n == place else '0' for n in range(4))}" for place, name in enumerate(COLOURS)]
    (tmp_path / "words.txt").write_text("\n".join(lines))
    task = made(vectors=str(tmp_path / "words.txt"))
    assert task.width == 4
    model = modelled(task)
    found = task.score(model, fetch, task.examples(DATA, "test"))
    assert found["any_acc50"] == 1.0, "nothing was trained: the classes say it all"
    again = Ground.from_settings(json.loads(json.dumps(task.settings())), task.head)
    fresh = modelled(again, seed=1)
    fresh.load_state_dict(model.state_dict())
    assert again.score(fresh, fetch, task.examples(DATA, "test")) == found
    nameless = [replace(scene(r), entities=tuple(Entity(None, e.box) for e in scene(r).entities)) for r in range(COUNT)]
    with pytest.raises(InputError, match="these boxes have no labels"):
        Ground.of(dataset(scenes=nameless), SCENES, task.head)


def test_found_boxes_are_chosen_from() -> None:
    task = made("seeing", truths="labels", phrases="rules")
    assert task.classes == Seeing.names and task.headline == "any_acc50"
    regions = task.examples(DATA, "test").known[0].regions
    assert regions.pictures == len(SPLITS["test"]) and int(regions.labels.min()) == 0


def test_nouns_that_name_classes_can_be_measured() -> None:
    scenes = [
        replace(
            scene(row),
            captions=(f"a {scene(row).entities[0].label} and a dog",),
            phrases=(),
        )
        for row in range(COUNT)
    ]
    data = dataset(scenes=[replace(s, entities=(Entity("dog", s.entities[0].box), *s.entities[1:])) for s in scenes])
    head = HeadConfig(grounding=GroundConfig(**(SMALL | {"truths": "labels", "phrases": "rules"})))
    task = Ground.of(data, SCENES, head)
    found = task.score(modelled(task), fetch, task.examples(data, "test"))
    assert found["phrases"] >= len(SPLITS["test"])


def test_an_answer_does_not_depend_on_its_batch(learnt: tuple[Ground, SideModel]) -> None:
    task, model = learnt
    rows = torch.tensor([55, 56, 57])
    scenes = [replace(scene(row), phrases=()) for row in rows.tolist()]
    silent = replace(scenes[0], id="silent", captions=())
    together = task.respond(model, {"image": features(torch.tensor([55, *rows.tolist()]))}, [silent, *scenes])
    assert together[0].phrases == () and together[0].entities == ()
    for number in range(3):
        (alone,) = task.respond(model, {"image": features(rows[[number]])}, [scenes[number]])
        alone.validate()
        assert len(alone.phrases) == len(scene(55 + number).phrases)
        for one, other in zip(alone.entities, together[number + 1].entities, strict=True):
            assert one.label == other.label and one.box == pytest.approx(other.box, abs=1e-3)
        assert [p.score for p in alone.phrases] == pytest.approx(
            [p.score for p in together[number + 1].phrases], abs=1e-4
        )


def test_labels_of_answers_are_those_of_the_boxes(learnt: tuple[Ground, SideModel]) -> None:
    task, model = learnt
    (found,) = task.respond(model, {"image": features(torch.tensor([55]))}, [replace(scene(55), phrases=())])
    by_box = {thing.label: thing.box for thing in scene(55).entities}
    for thing in found.entities:
        near = sum(abs(a - b) for a, b in zip(thing.box or (), by_box[thing.label] or (), strict=True))
        assert near < 2 * SIDE / 4


def test_no_box_one_box_and_twice_the_same_box(learnt: tuple[Ground, SideModel]) -> None:
    task, model = learnt
    thing = scene(55).entities[0]
    cases = [(), (thing,), (thing, thing), (Entity("unicorn", thing.box),)]
    scenes = [
        replace(scene(55), id=f"q{n}", entities=things, relations=(), phrases=()) for n, things in enumerate(cases)
    ]
    found = task.respond(model, {"image": features(torch.full((4,), 55))}, scenes)
    assert all(len(p.entities) == int(n > 0) for n, each in enumerate(found) for p in each.phrases)
    for each in found:
        each.validate()
        assert json.loads(each.to_json())["phrases"]


def test_losses_of_poor_pictures_are_finite() -> None:
    thing = scene(0).entities[0]
    scenes = [scene(row) for row in range(COUNT)]
    for row, things in enumerate([(), (thing,), (thing, thing)]):
        scenes[row] = replace(scenes[row], entities=things, relations=(), phrases=())
    data = dataset(scenes=scenes)
    task = Ground.of(data, SCENES, HeadConfig(grounding=GroundConfig(**SMALL)))
    examples = task.examples(data, "train")
    model = modelled(task).train()
    for rows in ([0], [1], [0, 1], [0, 2, 3]):
        some = examples.take(torch.tensor(rows))
        loss = model({"image": features(some.rows["image"])}, task.told(some))["loss"]
        assert bool(loss.isfinite()), rows
        loss.backward()
    assert all(bool(v.grad.isfinite().all()) for v in model.parameters() if v.grad is not None)


def test_features_that_are_not_finite_are_told(learnt: tuple[Ground, SideModel]) -> None:
    task, model = learnt
    maps = features(torch.tensor([55])).final.clone()
    maps[0, 0, 0, 0] = torch.inf
    with pytest.raises(InputError, match="NaN or infinity"):
        task.respond(model, {"image": Features((maps,), maps, grid=(4, 4), indices=(1,))}, [scene(55)])


def test_settings_come_back(learnt: tuple[Ground, SideModel]) -> None:
    task, model = learnt
    again = Ground.from_settings(json.loads(json.dumps(task.settings())), task.head)
    assert again.settings() == task.settings()
    fresh = modelled(again, seed=1)
    fresh.load_state_dict(model.state_dict())
    examples = task.examples(DATA, "dev")
    assert again.score(fresh.eval(), fetch, examples) == task.score(model, fetch, examples)


def _changed(change: Callable[[Scene], Scene]) -> Any:
    return dataset(scenes=[change(scene(row)) for row in range(COUNT)])


def test_what_cannot_be_learnt_from_is_told() -> None:
    head = HeadConfig(grounding=GroundConfig(**SMALL))
    for captions in ((), ("",), ("running quickly",)):
        bare = _changed(lambda each, captions=captions: replace(each, captions=captions, phrases=()))
        with pytest.raises(InputError, match="No training caption has a phrase"):
            Ground.of(bare, SCENES, head)
    unboxed = _changed(lambda each: replace(each, entities=(), relations=(), phrases=()))
    with pytest.raises(InputError, match=r"no boxes to choose from. Name a detector in head\.boxes\.source"):
        Ground.of(unboxed, SCENES, head)
    outside = _changed(lambda each: replace(each, phrases=(Phrase(0, 2, 999, (0,)),)))
    with pytest.raises(InputError, match="from character 2 to 999 is not inside its caption"):
        Ground.of(outside, SCENES, head)
    with pytest.raises(InputError, match="ground learns from data of the kinds"):
        Ground.parts(replace(SCENES, kind="table"))
    assert Ground.parts(SCENES) == ("image",) and Ground.parts(SCENES, ("image", "text")) == ("image", "text")


def test_captions_without_phrases_are_no_examples() -> None:
    scenes = [scene(row) for row in range(COUNT)]
    scenes[54] = replace(scenes[54], captions=("", "running quickly", *scenes[54].captions), phrases=())
    data = dataset(scenes=scenes)
    task = made()
    assert task.examples(data, "test").names[0] == "p54#2"
    silent = _changed(lambda each: replace(each, captions=(), phrases=()))
    assert len(task.examples(silent, "test")) == 0


def test_what_a_scene_lacks_is_told() -> None:
    task = made()
    assert task.lacking(scene(0)) is None
    assert "without a caption" in str(task.lacking(replace(scene(0), captions=())))
    assert "is empty" in str(task.lacking(replace(scene(0), captions=("a dog", " "))))
    pictures = task.inputs(DATA, "image", Preparation(make_processor()))
    assert pictures.framing.squeezed == pictures.framing.size
