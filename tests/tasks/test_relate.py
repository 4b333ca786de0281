"""`relate`: a small world is learnt in every mode, measured, saved, asked; its bad data are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.scene import Entity, Relation, Scene
from lichen.side.config import ProbeConfig
from lichen.side.fit import fit_side
from lichen.tasks import boxes as finding
from lichen.tasks.boxes import BoxesConfig
from lichen.tasks.model import SideModel
from lichen.tasks.relate import Relate
from lichen.tasks.related.config import RelateConfig
from lichen.tasks.task import HeadConfig, Preparation

from ..data.tiny import make_processor
from .boxed import COLOURS, COUNT, GIVEN, OUTLINE, SCENES, SIDE, SPLITS, Seeing, dataset, features, fetch, scene

DATA = dataset()
SMALL: dict[str, Any] = {
    "width": 16,
    "pooled": 16,
    "graph": 16,
    "embedding": 4,
    "confidence": 16,
    "stages": 1,
    "rounds": 2,
    "region": 16,
    "cells": 2,
    "reduced": 4,
    "masks": 4,
    "mask_side": 9,
}


def head(source: str = "given", **changes: Any) -> HeadConfig:
    return HeadConfig(graph=RelateConfig(**(SMALL | changes)), boxes=BoxesConfig(source=source))


def made(source: str = "given", **changes: Any) -> Relate:
    return Relate.of(DATA, SCENES, head(source, **changes))


def modelled(task: Relate, seed: int = 0) -> SideModel:
    torch.manual_seed(seed)
    return SideModel({"image": fit_side(ProbeConfig(), OUTLINE)[0]}, task.make_head({"image": GIVEN}, DATA))


def trained(task: Relate, steps: int, batch: int = 8) -> SideModel:
    model = modelled(task).train()
    examples = task.examples(DATA, "train")
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(steps):
        some = examples.take(torch.randperm(len(examples), generator=torch.Generator().manual_seed(step))[:batch])
        model({"image": features(some.rows["image"])}, task.told(some))["loss"].backward()
        optimiser.step()
        optimiser.zero_grad()
    return model.eval()


@pytest.fixture(autouse=True)
def seeing(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A detector that needs no weights, and a cache of its own."""
    monkeypatch.setattr(finding, "load_detector", lambda name, config: Seeing())
    monkeypatch.setattr(finding, "cache_root", lambda: tmp_path_factory.getbasetemp() / "relate-cache")
    finding._detector.cache_clear()


@pytest.fixture(scope="module")
def learnt() -> tuple[Relate, SideModel]:
    task = made()
    return task, trained(task, 60, batch=16)


def test_a_small_world_is_learnt(learnt: tuple[Relate, SideModel]) -> None:
    task, model = learnt
    examples = task.examples(DATA, "test")
    before, after = (task.score(each, fetch, examples) for each in (modelled(task), model))
    assert after["mR@50"] > max(0.7, before["mR@50"] + 0.25), (before["mR@50"], after["mR@50"])
    assert after["R@20"] > before["R@20"] and after["pictures"] + after["pictures_skipped"] == len(SPLITS["test"])
    assert {"head@50", "body@50", "tail@50", "predicate/under"} <= set(after)
    losses = [float(_losses(task, each).detach()) for each in (modelled(task), model)]
    assert losses[1] < 0.7 * losses[0]
    assert task.measure({"picture_loss": torch.tensor([1.0, 3.0])}, {}) == {"relation_loss": 2.0}


def _losses(task: Relate, model: SideModel, split: str = "test") -> Tensor:
    examples = task.examples(DATA, split)
    model.eval()
    found = model({"image": features(examples.rows["image"])}, task.told(examples))
    assert found["picture_loss"].shape == (len(examples),) and bool(found["picture_loss"].isfinite().all())
    return found["picture_loss"].mean()


def test_found_boxes_are_related() -> None:
    sggen = made("seeing", mode="sggen")
    examples = sggen.examples(DATA, "test")
    graphs = examples.known[0].told
    assert set(graphs.found.labels.tolist()) <= set(range(len(COLOURS))), "ghosts are no class of the data"
    found = sggen.score(trained(sggen, 30), fetch, examples)
    assert found["R@50"] > 0.7, found["R@50"]
    calls = Seeing.calls
    sggen.gather(DATA)
    sggen.gather(DATA)
    assert Seeing.calls - calls in (0, len(SPLITS["dev"])), "what was found once is read again"


@pytest.mark.parametrize("context", ["plain", "sequence", "frequency", "bgnn"])
def test_every_context_learns(context: str) -> None:
    task = made(context=context, gates=context != "bgnn")
    model = modelled(task)
    first = float(_losses(task, model, "train").detach())
    assert float(_losses(task, trained(task, 6), "train").detach()) < first


@pytest.mark.parametrize("protocol", ["pysgg", "sgbench", "open-images"])
def test_every_protocol_has_its_headline(protocol: str, learnt: tuple[Relate, SideModel]) -> None:
    task = made(protocol=protocol)
    assert 0.5 < task.score(learnt[1], fetch, task.examples(DATA, "test"))[task.headline] <= 1


def test_training_is_repeated_to_the_bit_and_counts_its_steps() -> None:
    task = made(resample=True, pretraining=2)
    one, other = (trained(task, 3) for _ in range(2))
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
    assert int(one.head.steps) == 3 and not one.head.pretraining and modelled(task).head.pretraining


def test_without_messages_they_get_no_gradient() -> None:
    task = made(pretraining=1)
    model = modelled(task).train()
    examples = task.examples(DATA, "train")
    told = task.told(examples)
    model({"image": features(examples.rows["image"])}, told)["loss"].backward()
    early = {name for name, value in model.named_parameters() if value.grad is not None and value.grad.any()}
    model({"image": features(examples.rows["image"])}, told)["loss"].backward()
    late = {name for name, value in model.named_parameters() if value.grad is not None and value.grad.any()}
    assert early < late, "the second step passes messages"


def test_an_answer_does_not_depend_on_its_batch(learnt: tuple[Relate, SideModel]) -> None:
    task, model = learnt
    rows = torch.tensor([55, 56, 57])
    bare = [replace(scene(row), relations=()) for row in rows.tolist()]
    together = task.respond(model, {"image": features(rows)}, bare)
    for number in range(3):
        (alone,) = task.respond(model, {"image": features(rows[[number]])}, [bare[number]])
        assert [(r.subject, r.predicate, r.object) for r in alone.relations] == [
            (r.subject, r.predicate, r.object) for r in together[number].relations
        ]
        for one, other in zip(alone.relations, together[number].relations, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-5)
        alone.validate()
        assert alone.entities == bare[number].entities


def test_answers_name_entities_of_the_scene_even_where_some_have_no_box(learnt: tuple[Relate, SideModel]) -> None:
    task, model = learnt
    whole = scene(55)
    shifted = replace(whole, entities=(Entity("sky"), *whole.entities), relations=(), phrases=())
    given = {"image": features(torch.tensor([55]))}
    (first,) = task.respond(model, given, [replace(whole, relations=())])
    (second,) = task.respond(model, given, [shifted])
    assert [(r.subject + 1, r.predicate, r.object + 1) for r in first.relations] == [
        (r.subject, r.predicate, r.object) for r in second.relations
    ]


def test_boxes_without_classes_are_classified_in_answers() -> None:
    task = made(mode="sgcls", entities="replace", context="plain")
    model = trained(task, 40)
    assert task.score(model, fetch, task.examples(DATA, "test"))["R@50"] > 0.6
    nameless = [Entity(None, thing.box) for thing in scene(55).entities]
    bare = Scene("q", size=(SIDE, SIDE), entities=tuple(nameless))
    (found,) = task.respond(model, {"image": features(torch.tensor([55]))}, [bare])
    found.validate()
    assert [thing.label for thing in found.entities] == [thing.label for thing in scene(55).entities]
    assert all(0 < (thing.score or 0) <= 1 for thing in found.entities)


def test_no_box_one_box_and_twice_the_same_box(learnt: tuple[Relate, SideModel]) -> None:
    task, model = learnt
    thing = scene(55).entities[0]
    cases = [(), (thing,), (thing, thing)]
    bare = [Scene(f"q{n}", size=(SIDE, SIDE), entities=things) for n, things in enumerate(cases)]
    found = task.respond(model, {"image": features(torch.tensor([55, 55, 55]))}, bare)
    assert [len(each.relations) for each in found] == [0, 0, 2]
    assert all(relation.score is not None and 0 <= relation.score <= 1 for relation in found[2].relations)


@pytest.mark.parametrize("mode", ["predcls", "sggen"])
def test_losses_of_poor_pictures_are_finite(mode: str) -> None:
    thing = scene(0).entities[0]
    poor = [(), (thing,), (thing, thing)]
    scenes = [scene(row) for row in range(COUNT)]
    for row, things in enumerate(poor):
        scenes[row] = replace(scenes[row], entities=things, relations=(), phrases=())
    scenes[2] = replace(
        scenes[2], relations=(Relation(0, "above", 1), Relation(0, "above", 1), Relation(1, "above", 1))
    )
    data = dataset(scenes=scenes)
    task = Relate.of(data, SCENES, head("seeing" if mode == "sggen" else "given", mode=mode))
    examples = task.examples(data, "train")
    model = modelled(task).train()
    for rows in ([0], [1], [0, 1], [2, 3]):
        some = examples.take(torch.tensor(rows))
        loss = model({"image": features(some.rows["image"])}, task.told(some))["loss"]
        assert bool(loss.isfinite()), rows
        if loss.requires_grad:
            loss.backward()
    grads = [value.grad for value in model.parameters() if value.grad is not None]
    assert grads and all(bool(grad.isfinite().all()) for grad in grads)


def test_features_that_are_not_finite_are_told(learnt: tuple[Relate, SideModel]) -> None:
    task, model = learnt
    seen = features(torch.tensor([55, 56]))
    maps = seen.final.clone()
    maps[1, 0, 0, 0] = torch.nan
    bad = Features((maps,), maps, grid=seen.grid, indices=(1,))
    with pytest.raises(InputError, match="features of picture 1 of a batch hold NaN"):
        task.respond(model, {"image": bad}, [scene(55), scene(56)])


def test_settings_come_back(learnt: tuple[Relate, SideModel]) -> None:
    task, model = learnt
    again = Relate.from_settings(json.loads(json.dumps(task.settings())), task.head)
    assert (again.classes, again.predicates, again.tail) == (task.classes, task.predicates, task.tail)
    fresh = SideModel({"image": fit_side(ProbeConfig(), OUTLINE)[0]}, again.make_head({"image": GIVEN}))
    fresh.load_state_dict(model.state_dict())
    examples = task.examples(DATA, "dev")
    assert again.score(fresh.eval(), fetch, examples) == task.score(model, fetch, examples)


def test_only_what_is_known_is_kept_of_what_was_found() -> None:
    strange = replace(scene(55), entities=(*scene(55).entities, Entity("unicorn", (0.0, 0.0, 5.0, 5.0))))
    assert made().known(strange).entities == scene(55).entities
    assert made(mode="sgcls", entities="replace").known(strange).entities == strange.entities


def _with(change: Callable[[Scene], Scene], row: int = 3) -> list[Scene]:
    scenes = [scene(each) for each in range(COUNT)]
    scenes[row] = change(scenes[row])
    return scenes


def test_what_cannot_be_learnt_from_is_told() -> None:
    bare = [replace(each, relations=()) for each in _with(lambda each: each)]
    with pytest.raises(InputError, match="No training scene has a relation between two boxes"):
        Relate.of(dataset(scenes=bare), SCENES, head())
    selfish = [replace(each, relations=(Relation(0, "above", 0),)) for each in bare]
    with pytest.raises(InputError, match="No training scene has a relation between two boxes"):
        Relate.of(dataset(scenes=selfish), SCENES, head())
    nameless = _with(lambda each: replace(each, entities=(Entity(None, each.entities[0].box), *each.entities[1:])))
    data = dataset(scenes=nameless)
    with pytest.raises(InputError, match=r"'p3': entities\[0\] has a box and no label"):
        Relate.of(data, SCENES, head()).examples(data, "train")
    sizeless = _with(lambda each: replace(each, size=None))
    with pytest.raises(InputError, match="does not say how large its picture is"):
        Relate.of(dataset(scenes=sizeless), SCENES, head())
    with pytest.raises(InputError, match=r"head\.boxes\.source is 'given'"):
        made(mode="sggen")
    with pytest.raises(InputError, match=r"annotated boxes: head\.boxes\.source = \"given\""):
        made("seeing")
    with pytest.raises(InputError, match="relate learns from data of the kinds playground, scenes; got 'table'"):
        Relate.parts(replace(SCENES, kind="table"))


def test_other_data_may_not_name_what_has_no_name_here() -> None:
    task = made()
    task.check_data(Relate, DATA, SCENES, task.head)
    strange = dataset(scenes=_with(lambda each: replace(each, relations=(Relation(0, "aboev", 1),)), 60))
    with pytest.raises(InputError, match=r"'p60': relations\[0\] says 'aboev'.*'above'"):
        task.examples(strange, "test")
    pink = dataset(
        scenes=_with(lambda each: replace(each, entities=(Entity("gren", (0.0, 0.0, 1.0, 1.0)),), relations=()), 60)
    )
    with pytest.raises(InputError, match=r"'p60': entities\[0\] is a 'gren'.*'green'"):
        task.examples(pink, "test")


def test_relations_to_themselves_are_left_out() -> None:
    selfish = dataset(scenes=_with(lambda each: replace(each, relations=(*each.relations, Relation(0, "above", 0)))))
    task = made()
    more, plain = (len(task.examples(each, "train").known[0].told.relations) for each in (selfish, DATA))
    assert more == plain


def test_options_headlines_and_inputs() -> None:
    assert made().headline == "mR@50" and made(protocol="open-images").headline == "score_wtd"
    assert made().option.startswith("--detector") and made("seeing", mode="sggen").option == ""
    assert Relate.parts(SCENES) == ("image",)
    inputs = made().inputs(DATA, "image", Preparation(make_processor()))
    assert inputs.framing.short is None and inputs.framing.squeezed == inputs.framing.size
    with pytest.raises(InputError, match=r"asked by Run\.respond"):
        made().answer({}, [])
