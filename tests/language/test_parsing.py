"""Answers back to parts of scenes; nothing that a decoder writes raises."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.language import AUTOMATA, Found, Parser, Sequences, count_malformed, rank_by_order
from lichen.scene import Entity, Expression, Label, Phrase, Scene

from .tiny import CODES_HERE, SIZE, boxes, learned

T = learned("tokens")
CAT, DOG, SEAM, NEXT = (T.encode(text) for text in ("cat", "dog", ":", ";"))
CORNERS = torch.tensor([[64.0, 48, 320, 240], [0.0, 0, 640, 480]], dtype=torch.float64)
ONE, TWO = T.box_ids(CORNERS, SIZE)
BOX_ONE, BOX_TWO = (tuple(row) for row in CORNERS.tolist())


def read(task: str, *ids: int, log_probs: list[float] | None = None, **options: object) -> Found:
    """One answer, with its end."""
    values = None if log_probs is None else [[*log_probs, 0.0]]
    (found,) = Parser(T).read(task, [[*ids, T.end]], SIZE, values, **options)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("name", CODES_HERE)
def test_targets_come_back(name: str) -> None:
    tokenizer, code = learned(name), CODES_HERE[name]
    s = Sequences(tokenizer, context=200)
    given_boxes = boxes(6)
    rows = tokenizer.box_ids(given_boxes, SIZE)
    exact = [tuple(row) for row in code.decode(code.encode(given_boxes, SIZE), SIZE).tolist()]
    parser = Parser(tokenizer)
    labels = ["tiger", "tiger shark", "a ; b"]
    target = s.detect(labels, rows[:3])
    (found,) = parser.read("detect", [target.ids[target.prefix :]], SIZE)
    assert found.entities == tuple(Entity(label, box) for label, box in zip(labels, exact, strict=False))
    texts = ["the cat : left", "12 tigers", "; : ;"]
    for task, targets in (
        ("aref", [s.aref(text, row) for text, row in zip(texts, rows, strict=False)]),
        ("gcap", [s.gcap(row, text) for text, row in zip(texts, rows, strict=False)]),
    ):
        answers = [target.ids[target.weights.index(1.0) :] for target in targets]
        for number, found in enumerate(parser.read(task, answers, SIZE)):
            assert found.entities == (Entity(None, exact[number]),) and found.malformed == {}
            assert found.expressions == (Expression(texts[number], 0),) and found.text == texts[number]
        given_words = parser.read(task, [t.ids[t.prefix :] for t in targets], SIZE, asked=["it"] * 3)
        assert [found.text for found in given_words] == (["it"] * 3 if task == "aref" else texts)


def test_words_alone() -> None:
    assert read("caption", *CAT) == Found("cat", captions=("cat",))
    assert read("vqa", *CAT, *DOG).text == "cat dog" and read("vqa").malformed == {}
    assert read("vqa", *CAT, names=["Cat"]).text == "Cat"
    assert read("vqa", *DOG, names=["Cat"]).malformed == {"unknown label": 1}
    assert read("gcap", *CAT) == Found("cat")
    assert read("cap").malformed == {"no words": 1} and read("cap").captions == ()


def test_labels_have_the_probability_of_all_their_tokens() -> None:
    values = [math.log(0.5)] * len(CAT)
    found = read("classify", *CAT, log_probs=values, names=["Cat", "dog"])
    assert [(label.name, label.score) for label in found.labels] == [("Cat", pytest.approx(0.5 ** len(CAT)))]
    assert read("classify", *CAT).labels == (Label("cat"),)
    assert read("classify", *DOG, names=["cat"]) == Found("dog", malformed={"unknown label": 1})


def test_boxes_have_scores() -> None:
    values = [math.log(p) for p in (0.9, 0.7, 0.5, 0.3)]
    found = read("aref", *ONE, log_probs=values, asked=["the cat"])
    assert [entity.box for entity in found.entities] == [BOX_ONE] and found.expressions[0].text == "the cat"
    assert found.entities[0].score == found.expressions[0].score == pytest.approx(0.6)
    label = [math.log(0.8)] * len(DOG)
    ids, logs = (*ONE, *DOG, *NEXT, *TWO, *DOG), [*values, *label, *[-9.0] * len(NEXT), *[0.0] * 4, *label]
    chance = 0.8 ** len(DOG)
    for score, expected in (
        ("label and box", (0.6 * chance, chance)),
        ("label", (chance, chance)),
        ("box", (0.6, 1.0)),
    ):
        (found,) = Parser(T, score=score).read("detect", [[*ids, 1]], SIZE, torch.tensor([[*logs, -1.0]]))
        # What the separator cost is not a part of any score.
        assert [entity.score for entity in found.entities] == pytest.approx(expected)
        assert [entity.box for entity in found.entities] == [BOX_ONE, BOX_TWO]
    with pytest.raises(InputError, match="Did you mean 'label'"):
        Parser(T, score="labels")


def test_malformed_answers_are_counted_and_the_rest_is_kept() -> None:
    first = ONE[:3]
    cases = [
        ("detect", (*ONE, *CAT, *NEXT, *first, *DOG), ["cat"], {"incomplete box": 1}),
        ("detect", (*ONE[2:], *ONE[:2], *CAT, *NEXT, *ONE, *DOG), ["dog"], {"inverted box": 1}),
        ("detect", (*ONE, *NEXT, *TWO, *DOG), ["dog"], {"no words": 1}),
        ("detect", (*CAT, *ONE, *DOG), ["dog"], {"no box": 1}),
        ("detect", (*ONE, *CAT, *TWO, *DOG, *NEXT), ["cat", "dog ;"], {}),
        ("detect", (*CAT,), [], {"no box": 1}),
        ("detect", (), [], {}),
        ("aref", (*CAT,), [], {"no box": 1}),
        ("aref", (*ONE[2:], *ONE[:2]), [], {"inverted box": 1}),
        ("aref", (*CAT, *SEAM, *ONE, *DOG, *TWO), [None], {}),
        ("aref", (*ONE,), [None], {"no words": 1}),
        ("gcap", (*ONE, *SEAM), [None], {"no words": 1}),
        ("gcap", (*first, *SEAM, *CAT), [], {"incomplete box": 1}),
    ]
    for task, ids, labels, malformed in cases:
        found = read(task, *ids)
        assert [entity.label for entity in found.entities] == labels, (task, T.decode(ids))
        assert found.malformed == malformed, (task, T.decode(ids))
    unknown = read("detect", *ONE, *CAT, *NEXT, *TWO, *DOG, names=["dog"])
    assert [entity.label for entity in unknown.entities] == ["dog"] and unknown.malformed == {"unknown label": 1}
    (cut,) = Parser(T).read("detect", [[*ONE, *CAT, *NEXT, *first]], SIZE)
    assert len(cut.entities) == 1 and cut.malformed == {"unfinished": 1, "incomplete box": 1}
    assert count_malformed([cut, unknown, cut]) == {"unfinished": 2, "incomplete box": 2, "unknown label": 1}


@settings(max_examples=80, deadline=None)
@given(data=st.data(), name=st.sampled_from(["tokens", "text", "kosmos2"]), task=st.sampled_from(sorted(AUTOMATA)))
def test_nothing_raises(data: st.DataObject, name: str, task: str) -> None:
    tokenizer = learned(name)
    low, high = tokenizer.coordinates or (3, tokenizer.vocabulary)
    token = st.integers(0, tokenizer.vocabulary - 1) | st.integers(low, high - 1) | st.sampled_from([0, 1, 2])
    rows = data.draw(st.lists(st.lists(token, max_size=14), max_size=3))
    values = [[-1.0] * len(row) for row in rows]
    for found in Parser(tokenizer).read(task, rows, SIZE, values, names=["cat"]):
        scene = found.add_to(Scene("a", size=(640, 480))).validate()
        assert all(entity.score is not None for entity in scene.entities)
        assert all(count > 0 for count in found.malformed.values())


def test_a_batch_is_read_like_its_rows() -> None:
    rows = [[*ONE, *CAT, 1, 0, 0], [*TWO, *DOG, 1, 5, 5]]
    width = max(map(len, rows))
    table = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
    sizes = torch.tensor([[640.0, 480], [64, 48]])
    both = Parser(T).read("detect", table, sizes)
    assert [found.entities[0].box for found in both] == [
        pytest.approx(BOX_ONE),
        pytest.approx(tuple(value / 10 for value in BOX_TWO)),
    ]
    alone = [Parser(T).read("detect", table[n : n + 1], sizes[n : n + 1])[0] for n in range(2)]
    assert alone == both and Parser(T).read("detect", [], SIZE) == []


def test_what_a_caller_can_get_wrong() -> None:
    for options, message in (
        ({"task": "detection"}, "Did you mean 'detect'"),
        ({"sizes": None}, "how large the pictures are"),
        ({"sizes": torch.ones(2, 2) * 9}, "1 answers but 2 sizes"),
        ({"log_probs": [[0.0]]}, "one log-probability for each id"),
        ({"asked": ["a", "b"]}, "1 answers but 2 expressions"),
    ):
        arguments = {"task": "aref", "ids": [[*ONE, 1]], "sizes": SIZE, **options}
        with pytest.raises(InputError, match=message):
            Parser(T).read(**arguments)  # type: ignore[arg-type]


def test_found_parts_go_behind_those_of_a_scene() -> None:
    box = (0.0, 0.0, 5.0, 5.0)
    scene = Scene("a", size=(9, 9), captions=("x",), entities=(Entity("cat", box),), expressions=(Expression("it", 0),))
    found = Found(
        captions=("a dog",),
        labels=(Label("b"),),
        entities=(Entity("dog", box), Entity(None, box)),
        phrases=(Phrase(0, 2, 5, (0, 1)),),
        expressions=(Expression("that", 1),),
    )
    whole = found.add_to(scene).validate()
    assert whole.captions == ("x", "a dog") and whole.labels == (Label("b"),)
    assert whole.phrases == (Phrase(1, 2, 5, (1, 2)),)
    assert whole.expressions == (Expression("it", 0), Expression("that", 2))
    assert found.add_to(whole).expressions[-1].entity == 4


def test_order_as_a_score() -> None:
    ranked = rank_by_order([Entity("a"), Entity("b"), Entity("c"), Entity("d")])
    assert [entity.score for entity in ranked] == [1, 0.75, 0.5, 0.25] and rank_by_order([]) == ()
