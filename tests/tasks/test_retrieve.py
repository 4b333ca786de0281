"""`retrieve`: pairs, groups of captions, scoring, and answers to queries."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.data.config import DataConfig
from lichen.errors import InputError
from lichen.heads.contrastive import Contrastive, Triplet
from lichen.scene import Scene
from lichen.side.config import PooledConfig
from lichen.side.fit import fit_side
from lichen.tasks.model import SideModel
from lichen.tasks.retrieve import Retrieve, distinct
from lichen.tasks.task import HeadConfig, Preparation

from ..data.tiny import make_processor, make_tokenizer
from .small import OUTLINE, PAIRS, PICTURE, TEXT, TEXT_PAIRS, Fetch, captioned

DATA = captioned()
TASK = Retrieve.of(DATA, PAIRS, HeadConfig(width=8))
GIVEN = {"image": PICTURE, "text": TEXT}


def model() -> SideModel:
    torch.manual_seed(0)
    sides = {name: fit_side(PooledConfig(layers=2), OUTLINE)[0] for name in GIVEN}
    return SideModel(sides, TASK.make_head(GIVEN)).train()


def test_parts_by_what_is_described() -> None:
    assert Retrieve.parts(PAIRS) == Retrieve.parts(DataConfig("coco-captions")) == ("image", "text")
    assert Retrieve.parts(TEXT_PAIRS) == ("query", "answer")
    with pytest.raises(InputError, match=r"retrieve learns from pairs: .*; got 'digits'"):
        Retrieve.parts(DataConfig("digits"))
    assert (TASK.asking, TASK.searched) == ("text", "image")
    texts = Retrieve.of(captioned(pictures=False), TEXT_PAIRS, HeadConfig())
    assert (texts.asking, texts.searched) == ("query", "answer")


def test_every_caption_is_an_example_with_its_picture() -> None:
    inputs = TASK.inputs(DATA, "text", Preparation(make_tokenizer(), max_tokens=8))
    for split, names in (("train", ("p0#0", "p0#1", "p1#0", "p2#0", "p2#1", "p2#2", "p3#0")), ("test", ("p6#0",))):
        found = TASK.examples(DATA, split)
        assert found.names == names
        assert [DATA.ids[row] for row in found.rows["image"]] == [name[:2] for name in names]
        assert [inputs.ids[row] for row in found.rows["text"].tolist()] == list(names)
        assert [inputs.texts[row] for row in found.rows["text"].tolist()] == [f"{name[1]} {name[3]}" for name in names]
        # Captions of one picture are a group: none is a wrong answer to another's picture.
        assert torch.equal(found.targets["group"], found.rows["image"])


def test_inputs_of_both_parts() -> None:
    pictures = TASK.inputs(DATA, "image", Preparation(make_processor()))
    assert pictures.ids == DATA.ids and "pixel_values" in pictures[0]
    data = captioned(pictures=False)
    task = Retrieve.of(data, TEXT_PAIRS, HeadConfig())
    queries = task.inputs(data, "query", Preparation(make_tokenizer(), max_tokens=8))
    answers = task.inputs(data, "answer", Preparation(make_tokenizer(), max_tokens=8))
    assert queries.texts[2] == "query 2" and answers.texts[:3] == ("0 0", "0 1", "1 0")  # type: ignore[union-attr]


def test_settings_make_the_same_task_again() -> None:
    assert Retrieve.from_settings(json.loads(json.dumps(TASK.settings())), TASK.head) == TASK


def test_losses_by_name() -> None:
    head = TASK.make_head(GIVEN)
    assert isinstance(head.loss, Contrastive) and head.names == ("image", "text")
    assert {embedder.width for embedder in head.embedders.values()} == {8}
    triplet = Retrieve.of(DATA, PAIRS, HeadConfig(loss="triplet", margin=0.4, warm_up=2.0, pooling="mean"))
    head = triplet.make_head(GIVEN)
    assert isinstance(head.loss, Triplet) and (head.loss.margin, head.loss.warm_up) == (0.4, 2.0)


@pytest.mark.parametrize("split", ["train", "dev"])
def test_each_sample_is_embedded_once_and_scores_as_all_pairs_together(split: str) -> None:
    found = TASK.examples(DATA, split)
    network, fetch = model(), Fetch()
    score = TASK.score(network, fetch, found, batch=2)
    assert network.training
    assert fetch.asked["image"] == sorted(set(found.rows["image"].tolist()))
    assert fetch.asked["text"] == found.rows["text"].tolist()
    everything = Fetch()
    with torch.no_grad():
        outputs = network.eval()({name: everything(name, rows) for name, rows in found.rows.items()})
    measured = TASK.measure(outputs, found.targets)
    assert score == pytest.approx(measured) and 0 <= score["rsum"] <= 600
    assert "image_to_text/r1" in score


def test_scoring_does_not_depend_on_the_order_of_the_pairs() -> None:
    found = TASK.examples(DATA, "train")
    shuffled = found.take(torch.tensor([6, 2, 0, 5, 1, 4, 3]))
    network = model()
    assert TASK.score(network, Fetch(), found) == pytest.approx(TASK.score(network, Fetch(), shuffled))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 8), min_size=1, max_size=12))
def test_distinct_numbers_and_where_they_stand(rows: list[int]) -> None:
    values, places = distinct(torch.tensor(rows))
    assert values.tolist() == sorted(set(rows))
    assert [rows[place] for place in places.tolist()] == values.tolist()


def test_answers_are_the_candidates_by_likeness() -> None:
    pictures = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    queries = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    asked = [Scene("1", text="a dog"), Scene("2", text="a cat")]
    candidates = [Scene(f"{n}.png", image=f"{n}.png") for n in range(3)]
    found = TASK.answer({"text": queries, "image": pictures}, [*asked, *candidates])
    assert [scene.id for scene in found] == ["1", "2"]
    assert [label.name for label in found[0].labels] == ["1.png", "2.png", "0.png"]
    assert [label.score for label in found[0].labels] == pytest.approx([1.0, 0.8, 0.0])
    assert [label.name for label in found[1].labels] == ["0.png", "2.png", "1.png"]
