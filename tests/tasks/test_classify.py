"""`classify`: examples, class weights, metrics and answers of one class a sample and of several."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from lichen.data.config import DataConfig
from lichen.data.inputs import ImageInputs, TextInputs
from lichen.errors import InputError
from lichen.scene import Label, Scene
from lichen.tasks.classify import KINDS, Classify
from lichen.tasks.task import HeadConfig, Preparation

from ..data.tiny import make_processor, make_tokenizer
from .small import TABLE, TEXT, captioned, features_of, heads_match, labelled

ONE = labelled([["a"], ["b"], ["a"], ["a"], ["b"], ["a"], ["b"]])
SEVERAL = labelled([["a"], ["a", "b"], [], ["a"], ["b"], ["a"], ["b"]], several=True)


def test_one_part_from_data_with_labels() -> None:
    assert all(Classify.parts(DataConfig(kind)) == ("input",) for kind in KINDS)
    with pytest.raises(InputError, match=r"classify learns from data of the kinds folder, table, .*; got 'pairs'"):
        Classify.parts(DataConfig("pairs", path="x.csv"))


def test_examples_are_the_samples_of_a_split() -> None:
    task = Classify.of(ONE, TABLE, HeadConfig())
    found = task.examples(ONE, "dev")
    assert found.names == ("t4", "t5") and found.rows["input"].tolist() == [4, 5]
    assert found.targets["labels"].tolist() == [1, 0]
    several = Classify.of(SEVERAL, TABLE, HeadConfig())
    assert several.examples(SEVERAL, "train").targets["labels"].tolist() == [[1, 0], [1, 1], [0, 0], [1, 0]]


def test_inputs_are_texts_or_pictures() -> None:
    task = Classify.of(ONE, TABLE, HeadConfig())
    texts = task.inputs(ONE, "input", Preparation(make_tokenizer(), max_tokens=8))
    assert isinstance(texts, TextInputs) and texts.ids == ONE.ids and texts.texts[3] == "text 3"
    pictures = task.inputs(captioned(), "input", Preparation(make_processor()))
    assert isinstance(pictures, ImageInputs) and len(pictures) == 7


def test_settings_make_the_same_task_again() -> None:
    for dataset, headline in ((ONE, "accuracy"), (SEVERAL, "mean_average_precision")):
        task = Classify.of(dataset, TABLE, HeadConfig())
        again = Classify.from_settings(json.loads(json.dumps(task.settings())), HeadConfig())
        assert again == task and task.headline == headline


def weights_of(dataset: Any) -> list[float] | None:
    task = Classify.of(dataset, TABLE, HeadConfig(balanced=True))
    weights = task.make_head({"input": TEXT}, dataset).classifier.class_weights
    return None if weights is None else weights.tolist()


def test_balanced_classes_weigh_by_the_inverse_of_their_frequency_in_training() -> None:
    # Three of class a and one of class b: two a class would be even.
    assert weights_of(ONE) == pytest.approx([2 / 3, 2.0])
    # Three of four samples are positive for a, one for b: weights of the positives, never below one.
    assert weights_of(SEVERAL) == pytest.approx([1.0, 3.0])


def test_weights_of_classes_belong_to_training_alone() -> None:
    task = Classify.of(ONE, TABLE, HeadConfig(balanced=True))
    plain = Classify.of(ONE, TABLE, HeadConfig())
    assert plain.make_head({"input": TEXT}, ONE).classifier.class_weights is None
    loaded = task.make_head({"input": TEXT})
    assert loaded.classifier.class_weights is None
    assert heads_match(loaded, task.make_head({"input": TEXT}, ONE))


@pytest.mark.parametrize("dataset", [ONE, SEVERAL])
def test_the_head_answers_with_logits_and_a_loss(dataset: Any) -> None:
    settings = HeadConfig(dropout=0.3, label_smoothing=0.1, pooling="cls")
    task = Classify.of(dataset, TABLE, settings)
    head = task.make_head({"input": TEXT}, dataset)
    assert head.classifier.dropout.p == 0.3 and head.classifier.label_smoothing == 0.1
    assert head.classifier.summary.pooling == "cls"
    found = task.examples(dataset, "train")
    features = {"input": features_of(found.rows["input"])}
    assert set(head(features)) == {"logits"}
    outputs = head(features, found.targets)
    assert outputs["logits"].shape == (4, 2) and outputs["loss"].ndim == 0
    outputs["loss"].backward()
    assert head.classifier.linear.weight.grad is not None


def test_metrics_of_one_class_a_sample() -> None:
    task = Classify.of(ONE, TABLE, HeadConfig())
    logits = torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.0, 3.0]])
    found = task.measure({"logits": logits}, {"labels": torch.tensor([0, 1, 1])})
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert (found["accuracy/a"], found["accuracy/b"]) == (1.0, 0.5)


def test_metrics_of_several_classes_a_sample() -> None:
    task = Classify.of(SEVERAL, TABLE, HeadConfig())
    # A class is predicted from a probability of one half on, which is a logit of 0.
    logits = torch.tensor([[0.0, -0.1], [1.0, -1.0], [-1.0, 2.0]])
    targets = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    found = task.measure({"logits": logits}, {"labels": targets})
    assert found["hamming_loss"] == pytest.approx(1 / 6)
    assert found["average_precision/b"] == 1.0 and found["average_precision/a"] == 0.5
    assert found["mean_average_precision"] == 0.75


def test_answers_list_all_classes_best_first() -> None:
    task = Classify.of(ONE, TABLE, HeadConfig())
    scenes = [Scene("x", text="x", labels=(Label("old"),)), Scene("y", image="y.png")]
    found = task.answer({"logits": torch.tensor([[0.0, 1.0], [3.0, 3.0]])}, scenes)
    assert [label.name for label in found[0].labels] == ["b", "a"]
    assert sum(label.score or 0 for label in found[0].labels) == pytest.approx(1.0)
    assert (found[0].id, found[0].text, found[1].image) == ("x", "x", "y.png")
    assert scenes[0].labels == (Label("old"),)


def test_answers_where_several_classes_may_apply() -> None:
    task = Classify(("a", "b", "c"), True, HeadConfig())
    logits = torch.tensor([[0.1, 2.0, -1.0], [-3.0, -1.0, -2.0]])
    found = task.answer({"logits": logits}, [Scene("x"), Scene("y")])
    assert [label.name for label in found[0].labels] == ["b", "a"]
    # Where none is likely, the likeliest is named, and its score tells.
    (only,) = found[1].labels
    assert only.name == "b" and only.score == pytest.approx(torch.tensor(-1.0).sigmoid().item())
