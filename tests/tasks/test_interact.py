"""`interact`: a small world is learnt by every method, measured, asked and extended; its bad data are told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from lichen.backbones.backbone import Backbone
from lichen.data.interactions import Interactions
from lichen.errors import InputError
from lichen.heads.hoi import HOIConfig
from lichen.scene import Entity, Label, Scene
from lichen.side.config import ProbeConfig
from lichen.side.fit import fit_side
from lichen.tasks import boxes as finding
from lichen.tasks import interact as asking
from lichen.tasks.boxes import BoxesConfig, find_boxes
from lichen.tasks.interact import Interact
from lichen.tasks.interacting import teaching
from lichen.tasks.interacting.config import InteractConfig
from lichen.tasks.model import SideModel
from lichen.tasks.task import HeadConfig, Preparation

from ..data.tiny import make_clip_processor, make_processor
from ..families import make_trunk
from .boxed import COUNT, GIVEN, OUTLINE, SCENES, SIDE, SPLITS, Seeing, dataset, features, fetch, scene

DATA = dataset()
SMALL: dict[str, Any] = {"width": 32, "people": ("red",), "gamma": 1.0}
METHODS = ("weak", "supervised", "zero-shot")


def texts_of(name: str, sentences: Sequence[Sequence[str]]) -> Tensor:
    """A vector for each sentence, wherever it stands."""
    rows = [torch.randn(12, generator=torch.Generator().manual_seed(sum(map(ord, each[0])))) for each in sentences]
    return normalize(torch.stack(rows), dim=1)


def head(source: str = "given", **changes: Any) -> HeadConfig:
    return HeadConfig(interactions=InteractConfig(**(SMALL | changes)), boxes=BoxesConfig(source=source))


def made(source: str = "given", data: Any = DATA, **changes: Any) -> Interact:
    return Interact.of(data, SCENES, head(source, **changes))


def modelled(task: Interact, seed: int = 0) -> SideModel:
    torch.manual_seed(seed)
    return SideModel({"image": fit_side(ProbeConfig(), OUTLINE)[0]}, task.make_head({"image": GIVEN}, DATA))


def trained(task: Interact, steps: int, batch: int = 16, data: Any = DATA) -> SideModel:
    model = modelled(task).train()
    examples = task.examples(data, "train")
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(steps):
        some = examples.take(torch.randperm(len(examples), generator=torch.Generator().manual_seed(step))[:batch])
        model({"image": features(some.rows["image"])}, task.told(some))["loss"].backward()
        optimiser.step()
        optimiser.zero_grad()
    return model.eval()


@pytest.fixture(autouse=True)
def small_models(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A detector and a teacher that need no weights, and a cache of its own."""
    cache = tmp_path_factory.getbasetemp() / "interact-cache"
    for module in (finding, teaching):
        monkeypatch.setattr(module, "cache_root", lambda: cache)
    monkeypatch.setattr(finding, "load_detector", lambda name, config: Seeing())
    monkeypatch.setattr(asking, "embed_interactions", texts_of)
    clip = Backbone(make_trunk("clip"), processor=make_clip_processor())
    monkeypatch.setattr(teaching.Backbone, "from_pretrained", lambda name: clip)
    finding._detector.cache_clear()


@pytest.fixture(scope="module")
def learnt() -> tuple[Interact, SideModel]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "embed_interactions", texts_of)
        task = made()
        return task, trained(task, 80)


def test_a_small_world_is_learnt_from_labels_of_pictures(learnt: tuple[Interact, SideModel]) -> None:
    task, model = learnt
    assert task.vocabulary.people == {"red"} and set(task.vocabulary.verbs) == {"above", "left of", "under"}
    examples = task.examples(DATA, "test")
    before, after = (task.score(each, fetch, examples) for each in (modelled(task), model))
    assert after["mAP"] > before["mAP"] + 0.15, (before, after)
    assert after["mRec"] <= 1 and 0 < after["relatedness_chance"] < 1 and after[task.headline] == after["mAP"]
    assert task.measure({"picture_loss": torch.tensor([1.0, 3.0])}, {}) == {"interaction_loss": 2.0}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns(method: str) -> None:
    task = made(method=method)
    first, last = (_loss(task, each) for each in (modelled(task), trained(task, 12)))
    assert last < 0.9 * first


def _loss(task: Interact, model: SideModel, split: str = "train") -> float:
    examples = task.examples(DATA, split)
    with torch.no_grad():
        found = model.eval()({"image": features(examples.rows["image"])}, task.told(examples))
    assert found["picture_loss"].shape == (len(examples),) and bool(found["picture_loss"].isfinite().all())
    return float(found["picture_loss"].mean())


def test_training_is_repeated_to_the_bit_and_counts_its_steps() -> None:
    task = made(warm_up=2)
    one, other = (trained(task, 3) for _ in range(2))
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
    assert int(one.head.steps) == 3


def test_found_boxes_are_asked_and_read_the_second_time() -> None:
    before = Seeing.calls
    task = made("seeing")
    assert Seeing.calls == before, "the classes are the detector's own: no picture is looked at for them"
    assert task.classes == Seeing.names and task.option == "" and made().option.startswith("--detector")
    task.gather(DATA)
    gathered = Seeing.calls
    examples = task.examples(DATA, "train")
    task.gather(DATA)
    assert Seeing.calls == gathered
    regions = examples.known[0].table.regions
    store = find_boxes(DATA, list(SPLITS["train"]), task.head.boxes)
    assert torch.equal(regions.boxes, store.regions.boxes) and regions.pictures == len(store)
    assert examples.known[0].true_pairs.numel(), "boxes that are a little off are still the annotated ones"
    found = task.score(trained(task, 60), fetch, task.examples(DATA, "test"))
    assert found["mAP"] > 0.3 and found["mRec"] == 1.0


def test_the_teacher_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    task = made(method="zero-shot", templates=("a sketch of {thing}, {doing}",))
    told: list[tuple[str, int, int]] = []
    task.gather(DATA, lambda *each: told.append(each))
    assert {name for name, _, _ in told} == {f"the teacher on {split}" for split in SPLITS}
    assert ("the teacher on train", len(SPLITS["train"]), len(SPLITS["train"])) in told

    def gone(name: str) -> Backbone:
        raise AssertionError("the teacher is asked again")

    first = task.examples(DATA, "train").known[0].taught
    monkeypatch.setattr(teaching.Backbone, "from_pretrained", gone)
    second = task.examples(DATA, "train").known[0].taught
    assert torch.equal(first.image, second.image) and torch.equal(first.union, second.union)
    assert first.image.dtype == torch.float16 and bool(first.union.any())
    for changes in ({"padded": False}, {"pairs": 1}, {"teacher": "another"}):
        with pytest.raises(AssertionError, match="asked again"):
            made(method="zero-shot", templates=("a sketch of {thing}, {doing}",), **changes).examples(DATA, "train")


def test_a_teacher_in_a_folder_that_changed_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    clip = Backbone(make_trunk("clip"), processor=make_clip_processor())
    monkeypatch.setattr(teaching.Backbone, "from_pretrained", lambda name: asked.append(name) or clip)
    task = made(method="zero-shot", teacher=str(tmp_path))
    for contents, count in (("a", 1), ("a", 1), ("longer", 2)):
        if not (tmp_path / "weights").exists() or contents == "longer":
            (tmp_path / "weights").write_text(contents)
        task.examples(DATA, "dev")
        assert len(asked) == count


@pytest.mark.parametrize("rule", ["pairs", "labels"])
def test_what_stays_unseen_teaches_its_row_nothing(rule: str) -> None:
    task = made(unseen_rule=rule)
    hidden = tuple(n for n, each in enumerate(task.vocabulary.entries) if each.verb == "left of")
    task = replace(task, unseen=hidden)
    model = modelled(task).train()
    examples = task.examples(DATA, "train")
    assert len(examples) == len(SPLITS["train"]) if rule == "labels" else len(examples) < len(SPLITS["train"])
    annotated = examples.known[0].annotated
    assert not annotated.labels[:, hidden].any() and bool(annotated.unclear[:, hidden].all())
    model({"image": features(examples.rows["image"])}, task.told(examples))["loss"].backward()
    grad = model.head.network.bank.rows.grad
    assert not grad[list(hidden)].any() and bool(grad.any())
    whole = task.examples(DATA, "test")
    assert len(whole) == len(SPLITS["test"]) and bool(whole.known[0].annotated.labels[:, hidden].any())
    assert {"mAP_unseen", "mAP_seen", "mAP_harmonic"} <= set(task.score(model.eval(), fetch, whole))


def test_answers_do_not_depend_on_their_batch(learnt: tuple[Interact, SideModel]) -> None:
    task, model = learnt
    rows = torch.tensor([55, 56, 57, 58])
    bare = [replace(scene(row), relations=()) for row in rows.tolist()]
    together = task.respond(model, {"image": features(rows)}, bare)
    assert any(each.relations for each in together)
    turned = task.respond(model, {"image": features(rows.flip(0))}, bare[::-1])[::-1]
    alone = [task.respond(model, {"image": features(rows[[n]])}, [bare[n]])[0] for n in range(4)]
    for one, two, three in zip(together, turned, alone, strict=True):
        one.validate()
        assert one.entities == two.entities == three.entities
        _alike(one, two)
        _alike(one, three)


def _alike(one: Scene, other: Scene) -> None:
    assert [(r.subject, r.predicate, r.object) for r in one.relations] == [
        (r.subject, r.predicate, r.object) for r in other.relations
    ]
    for mine, theirs in zip(one.relations, other.relations, strict=True):
        assert mine.score == pytest.approx(theirs.score, abs=1e-5)


def test_answers_are_of_people_and_with_what_suits(learnt: tuple[Interact, SideModel]) -> None:
    task, model = learnt
    rows = [row for row in SPLITS["test"] if any(thing.label == "red" for thing in scene(row).entities)]
    for row in rows:
        (found,) = task.respond(model, {"image": features(torch.tensor([row]))}, [replace(scene(row), relations=())])
        scores = [each.score or 0 for each in found.relations]
        assert scores == sorted(scores, reverse=True) and all(0 < each <= 1 for each in scores)
        for each in found.relations:
            assert found.entities[each.subject].label == "red" != found.entities[each.object].label
            assert (each.predicate, found.entities[each.object].label) in task.vocabulary.number


def test_poor_pictures_are_answered(learnt: tuple[Interact, SideModel]) -> None:
    task, model = learnt
    red, blue = Entity("red", (0.0, 0.0, 8.0, 8.0)), Entity("blue", (8.0, 0.0, 16.0, 8.0))
    cases = [(), (red,), (blue,), (red, red), (Entity("sky"), red, blue), (red, blue) * 100]
    bare = [Scene(f"q{n}", size=(SIDE, SIDE), entities=things) for n, things in enumerate(cases)]
    found = task.respond(model, {"image": features(torch.full((len(cases),), 55))}, bare)
    assert [bool(each.relations) for each in found] == [False, False, False, False, True, True]
    assert {(r.subject, r.object) for r in found[4].relations} == {(1, 2)}, "places of the Scene, not of its boxes"
    assert len(found[5].relations) <= 20
    with pytest.raises(InputError, match="pink"):
        task.respond(
            model,
            {"image": features(torch.tensor([55]))},
            [Scene("q", size=(SIDE, SIDE), entities=(Entity("pink", red.box),))],
        )
    strange = Scene("q", size=(SIDE, SIDE), entities=(red, Entity("pink", red.box)))
    assert task.known(strange).entities == (red,)


def test_settings_come_back(learnt: tuple[Interact, SideModel]) -> None:
    task, model = learnt
    again = Interact.from_settings(json.loads(json.dumps(task.settings())), task.head)
    assert (again.vocabulary, again.classes, again.unseen) == (task.vocabulary, task.classes, task.unseen)
    fresh = SideModel({"image": fit_side(ProbeConfig(), OUTLINE)[0]}, again.make_head({"image": GIVEN}))
    fresh.load_state_dict(model.state_dict())
    examples = task.examples(DATA, "dev")
    assert again.score(fresh.eval(), fetch, examples) == task.score(model, fetch, examples)


def test_an_order_of_interactions_that_was_mixed_up_is_refused(learnt: tuple[Interact, SideModel]) -> None:
    """hoi.md 5.4 (b)."""
    task, _ = learnt
    told = json.loads(json.dumps(task.settings()))
    told["vocabulary"]["entries"].reverse()
    with pytest.raises(InputError, match="not in the order in which they were learnt"):
        Interact.from_settings(told, task.head)


@pytest.mark.parametrize("method", ["weak", "zero-shot"])
def test_new_interactions_leave_the_old_ones_as_they_were(method: str) -> None:
    task = made(method=method)
    model = trained(task, 5)
    examples = task.examples(DATA, "test")
    told = task.told_of(examples)
    before = _scores(model, examples, told)
    names, known = task.vocabulary.names, task.vocabulary.entries[0]
    added = Interactions.of([("hide", "blue"), (known.verb, known.object)], frozenset({"red"}))
    grown = task.extended(model, added)
    assert grown.vocabulary.names == (*names, "hide blue") and grown.learnt == len(names)
    after = _scores(model, examples, told)
    assert torch.allclose(after[:, : len(names)], before, rtol=0, atol=1e-7) and bool((after[:, -1] > 0).any())
    with pytest.raises(InputError, match="has no class 'unicorn'"):
        grown.extended(model, Interactions.of([("ride", "unicorn")], frozenset({"red"})))
    assert grown.extended(model, added) is grown, "all are known"
    # What was added is saved with the rest.
    again = Interact.from_settings(json.loads(json.dumps(grown.settings())), task.head)
    fresh = SideModel({"image": fit_side(ProbeConfig(), OUTLINE)[0]}, again.make_head({"image": GIVEN}))
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(_scores(fresh.eval(), examples, told), after)
    row = next(each for each in SPLITS["test"] if {"red", "blue"} <= {thing.label for thing in scene(each).entities})
    (answer,) = again.respond(fresh, {"image": features(torch.tensor([row]))}, [replace(scene(row), relations=())])
    answer.validate()


@torch.no_grad()
def _scores(model: SideModel, examples: Any, told: Any) -> Tensor:
    inputs = asking._inputs(model, {"image": features(examples.rows["image"])}, told.regions, told.pairs)
    found: Tensor = model.head.scores(inputs)[0]
    return found


def test_unclear_labels_of_a_picture_reach_the_head() -> None:
    scenes = [scene(row) for row in range(COUNT)]
    task = made()
    name = task.vocabulary.names[1]
    scenes[3] = replace(scenes[3], metadata={"unclear": [name]}, labels=(Label(task.vocabulary.names[0]),))
    told = task.told_of(task.examples(dataset(scenes=scenes), "train").take(torch.tensor([2, 3])))
    assert told.unclear.nonzero().tolist() == [[1, 1]] and told.labels[1].nonzero().flatten().tolist() == [0]


@pytest.mark.parametrize("method", METHODS)
def test_losses_of_poor_pictures_are_finite(method: str) -> None:
    scenes = [scene(row) for row in range(COUNT)]
    red = Entity("red", (0.0, 0.0, 8.0, 8.0))
    for row, things in enumerate([(), (red,), (Entity("blue", (8.0, 0.0, 16.0, 8.0)),), (red, red)]):
        scenes[row] = replace(scenes[row], entities=things, relations=(), phrases=())
    data = dataset(scenes=scenes)
    task = made(data=data, method=method)
    examples = task.examples(data, "train")
    model = modelled(task).train()
    for rows in ([0], [1, 2], [0, 1, 2, 3], [3, 4]):
        some = examples.take(torch.tensor(rows))
        loss = model({"image": features(some.rows["image"])}, task.told(some))["loss"]
        assert bool(loss.isfinite()), rows
        loss.backward()
    assert all(bool(each.grad.isfinite().all()) for each in model.parameters() if each.grad is not None)


def test_what_cannot_be_learnt_from_is_told(tmp_path: Path) -> None:
    bare = dataset(scenes=[replace(scene(row), relations=()) for row in range(COUNT)])
    with pytest.raises(InputError, match="No training scene says what a person"):
        made(data=bare)
    with pytest.raises(InputError, match="none of person, man, woman, boy, girl is among"):
        made(people=())
    own = tmp_path / "own.csv"
    own.write_text("verb,object\nride,unicorn\n", "utf-8")
    with pytest.raises(InputError, match="The detector has no class 'unicorn'"):
        made(vocabulary=str(own))
    own.write_text("verb,object\nhide,blue\n", "utf-8")
    with pytest.raises(InputError, match=r"No training picture is labelled with any of 1 interactions"):
        made(vocabulary=str(own)).examples(DATA, "train")
    assert len(made(vocabulary=str(own), method="zero-shot").examples(DATA, "train")) == len(SPLITS["train"])
    with pytest.raises(InputError, match="numbers the interactions of HICO-DET"):
        made(unseen="rare_first")
    with pytest.raises(InputError, match="kinds playground, scenes, coco-captions; got 'table'"):
        Interact.parts(replace(SCENES, kind="table"))
    with pytest.raises(InputError, match=r"names \{doing\} and \{thing\}"):
        made(templates=("a photo",))


def test_options_and_inputs(learnt: tuple[Interact, SideModel]) -> None:
    task, _ = learnt
    assert Interact.parts(SCENES) == ("image",)
    inputs = task.inputs(DATA, "image", Preparation(make_processor()))
    assert inputs.framing.short is None and inputs.framing.squeezed == inputs.framing.size
    task.check_data(Interact, DATA, SCENES, task.head)
    assert isinstance(task.config.head, HOIConfig) and task.objects.sum(0).tolist() == [1] * len(task.vocabulary)
