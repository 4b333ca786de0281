"""Every context: pictures do not depend on their batch, any number of boxes works, bad input is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from lichen.errors import InputError
from lichen.heads.scene_graph import GraphInputs, GraphTargets, SceneGraphConfig, SceneGraphHead, count_triples

from .tiny import (
    CHANNELS,
    CLASSES,
    PREDICATES,
    UNIONS,
    make_head,
    make_inputs,
    make_regions,
    make_relations,
    make_targets,
    part,
)

FORMS: dict[str, dict[str, Any]] = {
    "bgnn": {},
    "no gates": {"gates": False},
    "no messages": {"context": "plain"},
    "sequence": {"context": "sequence"},
    "frequency": {"context": "frequency"},
    "no bias": {"bias": False},
    "classifies anew": {"entities": "replace"},
    "adds to given classes": {"entities": "add", "context": "plain"},
    "one stage": {"stages": 1, "rounds": 2},
    "one round": {"rounds": 1, "gates": False},
}
forms = pytest.mark.parametrize("form", FORMS)
PER_PAIR = ("logits", "features", "confidence", "gates")


def head_of(form: str, **more: Any) -> SceneGraphHead:
    regions = make_regions([4, 5], 9, known=True)
    counts = count_triples(regions, make_relations(regions), CLASSES, PREDICATES)
    return make_head(counts=counts, **FORMS[form] | more)


@forms
def test_a_picture_does_not_depend_on_its_batch(form: str) -> None:
    head, inputs = head_of(form).eval(), make_inputs([3, 0, 1, 5])
    whole = head(inputs)
    picture = inputs.regions.picture[inputs.pairs[:, 0]]
    for number in range(4):
        alone = head(part(inputs, number))
        for name, value in alone.items():
            if name in PER_PAIR:
                rows = picture == number
                wanted = whole[name][:, rows] if name in ("confidence", "gates") else whole[name][rows]
            else:
                wanted = whole[name][inputs.regions.picture == number]
            torch.testing.assert_close(value, wanted, rtol=0, atol=1e-10)


@forms
def test_shapes_and_finite_losses_for_any_number_of_boxes(form: str) -> None:
    head = head_of(form)
    for counts in ([0], [1], [2], [3, 1, 0]):
        inputs = make_inputs(counts)
        outputs = head(inputs, make_targets(inputs))
        pairs = len(inputs.pairs)
        assert outputs["logits"].shape == (pairs, PREDICATES + 1)
        if "confidence" in outputs:
            stages = head.config.stages
            assert outputs["confidence"].shape == (stages, pairs, PREDICATES + 1)
            assert outputs["gates"].shape == (stages, pairs)
            assert bool(((outputs["gates"] >= 0) & (outputs["gates"] <= 1)).all())
        assert all(bool(value.isfinite().all()) for value in outputs.values())
        outputs["loss"].backward()


@forms
def test_one_pair_of_many_boxes(form: str) -> None:
    inputs = make_inputs([4, 2])
    assert inputs.unions is not None
    one = replace(inputs, pairs=inputs.pairs[5:6], unions=inputs.unions[5:6])
    outputs = head_of(form)(one, GraphTargets(torch.tensor([2]), entities=torch.zeros(6, dtype=torch.long)))
    assert outputs["logits"].shape == (1, PREDICATES + 1) and bool(outputs["loss"].isfinite())


@forms
def test_no_pair_that_counts_gives_no_loss(form: str) -> None:
    head, inputs = head_of(form), make_inputs([3])
    outputs = head(inputs, GraphTargets(torch.full((6,), -1), entities=torch.zeros(3, dtype=torch.long)))
    assert outputs["loss_relation"].item() == 0
    if "loss_confidence" in outputs:
        assert outputs["loss_confidence"].detach().tolist() == [0, 0, 0][: head.config.stages]


@forms
def test_gradients_reach_every_parameter(form: str) -> None:
    head = head_of(form)
    if head.context is not None and getattr(head.context, "gate", None) is not None:
        # A gate that is shut or wide open has no gradient: put all between.
        with torch.no_grad():
            head.context.gate.slope.fill_(0.5)
            for estimator in head.context.estimators:
                estimator.any.bias.fill_(0.5)
    inputs = make_inputs([4, 3])
    head(inputs, make_targets(inputs))["loss"].backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None and bool((parameter.grad != 0).any()), name


def test_the_gate_learns_from_the_predicate_loss_and_judges_without_shaping() -> None:
    head, inputs = head_of("bgnn"), make_inputs([4, 3])
    with torch.no_grad():
        head.context.gate.slope.fill_(0.5)
        for estimator in head.context.estimators:
            estimator.any.bias.fill_(0.5)
    head(inputs, make_targets(inputs))["loss_relation"].backward()
    assert float(head.context.gate.slope.grad.abs()) > 0
    head.zero_grad()
    head(inputs, make_targets(inputs))["loss_confidence"].sum().backward()
    assert head.representation is not None
    # Stage 0 reads detached features, so their makers learn nothing from it.
    assert all(each.grad is None or not bool(each.grad.any()) for each in head.representation.roles.parameters())


def test_pretraining_passes_no_messages() -> None:
    for form in ("bgnn", "no gates"):
        head, inputs = head_of(form), make_inputs([4, 3])
        before = head(inputs, pretraining=True)
        with torch.no_grad():
            for parameter in head.context.messages.parameters():
                parameter.add_(1.0)
        after = head(inputs, pretraining=True)
        torch.testing.assert_close(after["logits"], before["logits"])
        assert not torch.allclose(head(inputs)["logits"], before["logits"])


def test_classes_enter_by_probability_and_by_label() -> None:
    head, inputs = head_of("bgnn").eval(), make_inputs([3])
    regions = inputs.regions
    other = replace(inputs, regions=replace(regions, labels=(regions.labels + 1) % CLASSES))
    unsure = replace(inputs, regions=replace(regions, probabilities=regions.probabilities * 0.5))
    for changed in (other, unsure):
        assert not torch.allclose(head(changed)["logits"], head(inputs)["logits"])


def test_no_class_is_allowed() -> None:
    head, inputs = head_of("bgnn"), make_inputs([3], known=True)
    unknown = replace(inputs, regions=replace(inputs.regions, labels=torch.full((3,), -1)))
    assert bool(head(unknown)["logits"].isfinite().all())


def test_known_labels_decide_the_bias() -> None:
    head = head_of("classifies anew")
    assert head.bias is not None and head.classify is not None
    with torch.no_grad():
        head.classify.weight.zero_()
        head.classify.bias.zero_()
    inputs = make_inputs([3], known=True)
    torch.testing.assert_close(head(inputs)["logits"], head.bias(inputs.regions.labels, inputs.pairs))
    free = head(replace(inputs, labels_known=False))
    own = free["entity_logits"][:, 1:].argmax(1)
    torch.testing.assert_close(free["logits"], head.bias(own, inputs.pairs))


def test_a_head_without_unions() -> None:
    torch.manual_seed(0)
    head = SceneGraphHead(SceneGraphConfig(width=8, pooled=8, graph=8), CLASSES, PREDICATES, CHANNELS).double()
    inputs = make_inputs([3, 2])
    assert head(replace(inputs, unions=None))["logits"].shape == (8, PREDICATES + 1)


def test_state_dict_round_trip_and_settings() -> None:
    first, second = head_of("bgnn"), make_head(7)
    second.load_state_dict(first.state_dict())
    inputs = make_inputs([3, 2])
    torch.testing.assert_close(second(inputs)["logits"], first(inputs)["logits"])
    assert SceneGraphConfig.from_dict(first.config.to_dict()) == first.config


def test_words_start_the_class_vectors() -> None:
    words = torch.randn(CLASSES, 64)
    head = SceneGraphHead(SceneGraphConfig(), CLASSES, PREDICATES, CHANNELS, words=words)
    assert head.representation is not None
    for table in (head.representation.seeming, head.representation.label, head.context.estimators[2].seeming):
        assert torch.equal(table.weight[1:], words)


def test_duplicate_boxes() -> None:
    inputs = make_inputs([4])
    boxes = inputs.regions.boxes[:1].expand(4, 4)
    outputs = head_of("bgnn")(replace(inputs, regions=replace(inputs.regions, boxes=boxes)), make_targets(inputs))
    assert bool(outputs["loss"].isfinite())


def spoilt(inputs: GraphInputs, name: str) -> GraphInputs:
    regions = inputs.regions
    assert inputs.features is not None and inputs.unions is not None
    bad = float("nan")
    changes: dict[str, dict[str, Any]] = {
        "features": {"features": inputs.features.index_fill(0, torch.tensor([2]), bad)},
        "unions": {"unions": inputs.unions.index_fill(0, torch.tensor([3]), bad)},
        "scores": {"regions": replace(regions, scores=regions.scores.index_fill(0, torch.tensor([1]), bad))},
        "labels": {"regions": replace(regions, labels=regions.labels + CLASSES)},
        "width": {"features": inputs.features[:, 1:]},
        "missing": {"features": None},
        "classes": {"regions": replace(regions, probabilities=torch.ones(len(regions), 2, dtype=torch.float64))},
        "itself": {"pairs": inputs.pairs.index_fill(0, torch.tensor([4]), 1)},
        "outside": {"pairs": inputs.pairs + 4},
        "two pictures": {"pairs": torch.cat([inputs.pairs[1:], torch.tensor([[0, 4]])])},
    }
    return replace(inputs, **changes[name])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("features", "features of box 2 hold a number that is not finite"),
        ("unions", "union features of pair 3 hold"),
        ("scores", "score of box 1 hold"),
        ("labels", f"there are {CLASSES}, numbered from 0"),
        ("width", f"must be 5 boxes by {CHANNELS} channels"),
        ("missing", "none were given"),
        ("classes", "probabilities of 2"),
        ("itself", "Pair 4 .* no relation to itself"),
        ("outside", "there are 5 boxes"),
        ("two pictures", "pictures 0 and 1"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_told(name: str, words: str) -> None:
    inputs = make_inputs([3, 2])
    with pytest.raises(InputError, match=words):
        make_head()(spoilt(inputs, name))


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (GraphTargets(torch.zeros(5, dtype=torch.long)), "labels must be 6 numbers; got 5"),
        (GraphTargets(torch.full((6,), PREDICATES + 1)), f"lie in -1 to {PREDICATES}; row 0"),
        (GraphTargets(torch.zeros(6, dtype=torch.long), torch.full((6,), -2)), "confidence lie in -1"),
    ],
)
def test_bad_targets_are_told(targets: GraphTargets, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_head()(make_inputs([3]), targets)


def test_heads_that_cannot_be() -> None:
    with pytest.raises(InputError, match="at least 1"):
        SceneGraphConfig(stages=0)
    with pytest.raises(InputError, match="slope must be above 0"):
        SceneGraphConfig(slope=0.0)
    with pytest.raises(InputError, match="rounds=2 or more"):
        SceneGraphConfig(rounds=1)
    with pytest.raises(InputError, match="bias alone"):
        SceneGraphConfig(context="frequency", bias=False)
    with pytest.raises(InputError, match="Did you mean 'stages'"):
        SceneGraphConfig.from_dict({"stagse": 3})
    with pytest.raises(InputError, match="how many channels"):
        SceneGraphHead(SceneGraphConfig(), CLASSES, PREDICATES, None)
    with pytest.raises(InputError, match="Word vectors must be 4 by 64"):
        SceneGraphHead(SceneGraphConfig(), CLASSES, PREDICATES, CHANNELS, words=torch.zeros(CLASSES, 3))
    with pytest.raises(InputError, match="counts of training"):
        SceneGraphHead(SceneGraphConfig(), CLASSES, PREDICATES, CHANNELS, counts=torch.zeros(2, 2, 2, dtype=torch.long))
    with pytest.raises(InputError, match="`entities`"):
        inputs = make_inputs([3])
        make_head(entities="replace")(inputs, GraphTargets(torch.zeros(6, dtype=torch.long)))
    assert UNIONS
