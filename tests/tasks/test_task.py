"""What all tasks share: examples, settings of heads, how inputs are made, scoring in batches."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from lichen.errors import InputError
from lichen.tasks import TASKS
from lichen.tasks.classify import Classify
from lichen.tasks.retrieve import Retrieve
from lichen.tasks.task import Examples, HeadConfig, Preparation, evaluating, picture_inputs, text_inputs

from ..data.tiny import make_processor, make_tokenizer
from .small import TABLE, Fetch, captioned, labelled


def examples() -> Examples:
    rows = {"image": torch.tensor([3, 3, 5, 7]), "text": torch.tensor([0, 1, 2, 3])}
    return Examples(rows, {"group": torch.tensor([3, 3, 5, 7])}, ("a", "b", "c", "d"))


def test_examples_without_those_that_read_bad_inputs() -> None:
    found = examples().without("image", [3, 9])
    assert found.names == ("c", "d") and len(found) == 2
    assert found.rows["image"].tolist() == [5, 7] and found.rows["text"].tolist() == [2, 3]
    assert found.targets["group"].tolist() == [5, 7]
    assert examples().without("text", (1,)).names == ("a", "c", "d")
    assert examples().without("text", []).names == ("a", "b", "c", "d")
    assert len(examples().without("image", range(9))) == 0


def test_examples_in_batches() -> None:
    batches = list(examples().batches(3))
    assert [batch.names for batch in batches] == [("a", "b", "c"), ("d",)]
    assert batches[1].rows["text"].tolist() == [3] and batches[1].targets["group"].tolist() == [7]
    assert examples().take(torch.tensor([2, 0])).names == ("c", "a")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dropout": 1.0}, r"HeadConfig.dropout must lie in \[0, 1\); got 1.0"),
        ({"label_smoothing": -0.1}, "HeadConfig.label_smoothing must lie"),
        ({"width": 0}, "HeadConfig.width must be at least 1"),
        ({"temperature": 0.0}, "HeadConfig.temperature must be above 0"),
        ({"temperature": float("nan")}, "HeadConfig.temperature must be above 0"),
        ({"margin": -1.0}, "HeadConfig.margin must be 0 or more"),
        ({"warm_up": -1.0}, "HeadConfig.warm_up must be 0 or more"),
    ],
)
def test_settings_of_a_head_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        HeadConfig(**settings)


def test_a_model_is_in_eval_mode_for_a_while() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5))
    model[1].eval()
    with pytest.raises(KeyError), evaluating(model):
        assert not any(module.training for module in model.modules())
        raise KeyError
    assert [module.training for module in model.modules()] == [True, True, False]


def test_texts_need_a_tokenizer_and_pictures_an_image_processor() -> None:
    how = Preparation(make_tokenizer(), max_tokens=5)
    inputs = text_inputs(["good film a bad film", "bad"], ["x", "y"], how)
    assert inputs.ids == ("x", "y") and inputs.lengths().tolist() == [5, 3]
    both = Preparation(SimpleNamespace(tokenizer=make_tokenizer(), image_processor=make_processor()), max_tokens=5)
    assert text_inputs(["bad"], ["y"], both).lengths().tolist() == [3]
    with pytest.raises(InputError, match=r"texts, but ViT.* prepares pictures\. Choose a text backbone"):
        text_inputs(["bad"], ["y"], Preparation(make_processor()))
    with pytest.raises(InputError, match="Choose a vision backbone"):
        picture_inputs(captioned(), how)
    pictures = picture_inputs(captioned(), Preparation(make_processor(), size=12))
    assert len(pictures) == 7 and pictures[6]["pixel_values"].shape == (3, 12, 12)


def test_scoring_reads_every_example_once_without_a_trace_on_the_model() -> None:
    task = Classify.of(labelled([["a"], ["b"]] * 3 + [["a"]]), TABLE, HeadConfig())
    seen = []

    class Model(nn.Module):
        def forward(self, features: Any, targets: Any = None) -> dict[str, torch.Tensor]:
            assert targets is None and not self.training and not torch.is_grad_enabled()
            seen.append(len(features["input"].final))
            return {"logits": features["input"].final.mean(1)[:, :2]}

    model = Model()
    fetch = Fetch()
    found = task.score(model, fetch, task.examples(labelled([["a"], ["b"]] * 3 + [["a"]]), "train"), batch=3)
    assert seen == [3, 1] and fetch.asked == {"input": [0, 1, 2, 3]} and model.training
    assert set(found) >= {"accuracy", "macro_f1", "accuracy/a"}


def test_a_run_refuses_data_that_pose_another_question() -> None:
    head = HeadConfig()
    task = Classify(("cat", "dog"), False, head)
    task.check_same(Classify(("cat", "dog"), False, HeadConfig(dropout=0.5)))
    with pytest.raises(InputError, match="classes: expected cat, dog, got cat, fox"):
        task.check_same(Classify(("cat", "fox"), False, head))
    with pytest.raises(InputError, match="several: expected False, got True"):
        task.check_same(Classify(("cat", "dog"), True, head))
    with pytest.raises(InputError, match="data are for retrieve, but the run was trained to classify"):
        task.check_same(Retrieve(("image", "text"), head))


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_found_by_its_own_name(name: str) -> None:
    assert TASKS[name].name == name
