"""Prompts and targets: what is given, what is learnt, and what goes where it does not fit."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.language import MARKERS, Sequences, Target, collate, make_prompt

from .tiny import CODES_HERE, SIZE, boxes, learned

TOKENIZER = learned("tokens")
BOX = TOKENIZER.box_ids(boxes(1), SIZE)[0]


def words(*texts: str) -> tuple[int, ...]:
    """Ids of texts that were tokenised one by one."""
    return tuple(id for text in texts for id in TOKENIZER.encode(text))


def parts(target: Target) -> tuple[tuple[int, ...], tuple[int, ...], tuple[float, ...]]:
    return target.ids[: target.prefix], target.ids[target.prefix :], target.weights


def test_every_task_as_the_specification_has_it() -> None:
    s = Sequences(TOKENIZER)
    cases = {
        "classify": (s.classify("tiger"), words("classify:"), words("tiger"), None),
        "caption": (s.caption("A cat"), words("caption:"), words("a cat"), None),
        "vqa": (s.vqa("how many ?", "12"), words("answer:", "how many ?", ":"), words("12"), None),
        "ocr": (s.ocr("12"), words("read:"), words("12"), None),
        "cap": (s.cap("a cat"), words("cap:"), words("a cat"), words("cap:")),
        "aref": (s.aref("a cat", BOX), words("aref:", "a cat", ":"), BOX, words("aref:")),
        "gcap": (s.gcap(BOX, "a cat"), (*words("gcap:"), *BOX, *words(":")), words("a cat"), words("gcap:")),
        "detect": (s.detect(["cat", "dog"], [BOX, BOX]), words("detect:"), None, None),
    }
    assert set(cases) == set(MARKERS)
    for task, (target, prefix, answer, free) in cases.items():
        if answer is None:
            answer = (*BOX, *words("cat", ";"), *BOX, *words("dog"))
        assert parts(target)[:2] == (prefix, (*answer, TOKENIZER.end)), task
        # Loss on the answer alone; LocCa's on all behind the marker.
        without = len(prefix if free is None else free)
        assert target.weights == (0.0,) * without + (1.0,) * (len(target.ids) - without), task
        assert (target.cut, target.left_out) == (0, 0)
    asked = s.detect(["cat"], [BOX], asked=["cat", "dog"])
    assert parts(asked)[0] == words("detect:", "cat ; dog", ":") and sum(asked.weights) == 4 + len(words("cat")) + 1


def test_the_loss_may_leave_out_what_is_given() -> None:
    s = Sequences(TOKENIZER)
    for target in (s.aref("a cat", BOX, loss="answer"), s.gcap(BOX, "a cat", loss="answer")):
        assert target.weights == (0.0,) * target.prefix + (1.0,) * (len(target.ids) - target.prefix)


def test_levels_of_prompts() -> None:
    question = words("how many ?", ":")
    for level, marker in (("none", ()), ("task", words("answer:")), ("dataset", words("answer gqa:"))):
        prompt = Sequences(TOKENIZER, level=level).prompt("vqa", "how many ?", dataset="gqa")
        assert prompt.ids == (*marker, *question)
    assert Sequences(TOKENIZER, level="none").caption("a cat").prefix == 0


def test_prompts_are_the_prefixes_of_targets() -> None:
    s = Sequences(TOKENIZER)
    for prompt, target in (
        (s.prompt("caption"), s.caption("a cat")),
        (s.prompt("vqa", "how many ?"), s.vqa("how many ?", "12")),
        (s.prompt("aref", "a cat"), s.aref("a cat", BOX)),
        (s.prompt("gcap", BOX), s.gcap(BOX, "a cat")),
        (s.prompt("detect", "cat ; dog"), s.detect(["cat"], [BOX], asked=["cat", "dog"])),
    ):
        assert prompt.ids == target.ids[: target.prefix] and prompt.cut == 0


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(CODES_HERE)),
    text=st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=120),
    context=st.integers(40, 64),
)
def test_truncation_never_removes_a_box(name: str, text: str, context: int) -> None:
    tokenizer = learned(name)
    s = Sequences(tokenizer, context=context)
    box = tokenizer.box_ids(boxes(1), SIZE)[0]
    whole = tokenizer.encode(text)
    for target in (s.aref(text, box), s.gcap(box, text)):
        assert len(target.ids) <= context and target.ids[-1] == tokenizer.end == target.ids[len(target.ids) - 1]
        assert contains(target.ids, box) and len(target.weights) == len(target.ids)
        kept = len(whole) - target.cut
        assert contains(target.ids, whole[:kept]) and kept > 0
        # Nothing is cut that would have fitted.
        assert target.cut == 0 or len(target.ids) == context
    assert s.aref(text, box).ids[-len(box) - 1 : -1] == box


def contains(ids: tuple[int, ...], part: tuple[int, ...]) -> bool:
    return any(ids[start : start + len(part)] == part for start in range(len(ids) - len(part) + 1))


def test_captions_and_questions_are_cut_at_their_end() -> None:
    s = Sequences(TOKENIZER, context=24)
    long, short = "cat dog " * 20, "dog"
    caption = s.caption(long)
    room = 24 - len(words("caption:")) - 1
    assert caption.ids == (*words("caption:"), *words(long)[:room], 1)
    assert caption.cut == len(words(long)) - room
    # A short answer keeps all its words, the question what is left; two long ones share.
    question = s.vqa(long, short)
    assert question.ids[question.prefix :] == (*words(short), 1) and len(question.ids) == 24
    assert question.ids[question.prefix - len(words(":")) : question.prefix] == words(":")
    both = s.vqa(long, long)
    room = 24 - len(words("answer:", ":")) - 1
    assert len(both.ids) == 24 and len(both.ids) - both.prefix - 1 == room - room // 2
    assert both.cut == 2 * len(words(long)) - room


def test_objects_that_do_not_fit_are_left_out_whole() -> None:
    s = Sequences(TOKENIZER, context=30)
    rows = TOKENIZER.box_ids(boxes(9), SIZE)
    target = s.detect(["cat"] * 9, rows)
    each = 4 + len(words("cat"))
    fitting = (30 - len(words("detect:")) - 1 + len(words(";"))) // (each + len(words(";")))
    assert target.left_out == 9 - fitting and 0 < fitting < 9
    expected = [id for row in rows[:fitting] for id in (*words(";"), *row, *words("cat"))][len(words(";")) :]
    assert list(target.ids[target.prefix :]) == [*expected, 1]


def test_a_long_question_leaves_room_for_an_answer() -> None:
    s = Sequences(TOKENIZER, context=20)
    prompt = s.prompt("aref", "cat dog " * 30)
    room = 20 - len(prompt.marker) - len(prompt.seam) - 1
    assert len(prompt.payload) == room - room // 4 and prompt.cut == len(words("cat dog " * 30)) - len(prompt.payload)
    with pytest.raises(InputError, match="no place for words"):
        Sequences(TOKENIZER, context=6).prompt("gcap", BOX)


def test_bad_input_is_refused() -> None:
    s = Sequences(TOKENIZER)
    prompt = partial(make_prompt, TOKENIZER)
    for call, message in (
        (lambda: s.vqa("", "12"), "question of task 'vqa' is empty"),
        (lambda: s.vqa(" \n", "12"), "question of task 'vqa' is empty"),
        (lambda: s.vqa("how many ?", ""), "answer is empty"),
        (lambda: s.caption("  "), "caption is empty"),
        (lambda: s.aref("", BOX), "expression is empty"),
        (lambda: s.aref("a cat", ()), "Tokenizer.box_ids"),
        (lambda: s.detect(["cat"], []), "1 labels but 0 boxes"),
        (lambda: s.detect([""], [BOX]), "label is empty"),
        (lambda: Sequences(TOKENIZER, context=8).aref("a cat", BOX), "Make the context longer"),
        (lambda: Sequences(TOKENIZER, context=16).classify("tiger shark " * 9), "tokens more than the 16"),
        (lambda: prompt("captoin"), "Did you mean 'caption'"),
        (lambda: prompt("vqa"), "needs a question"),
        (lambda: prompt("caption", "a cat"), "takes nothing but a picture"),
        (lambda: prompt("caption", level="dataset"), "name the data set"),
        (lambda: prompt("gcap", ()), "box of task 'gcap' is empty"),
    ):
        with pytest.raises(InputError, match=message):
            call()


def test_an_unknown_level_is_refused(unchecked: None) -> None:
    with pytest.raises(InputError, match="Did you mean 'task'"):
        make_prompt(TOKENIZER, "caption", level="tasks")  # type: ignore[arg-type]


def test_targets_become_a_table() -> None:
    s = Sequences(TOKENIZER, context=14)
    targets = [s.caption("a cat"), s.aref("a cat on a mat " * 5, BOX), s.classify("dog")]
    batch = collate(targets, TOKENIZER.pad)
    assert batch.ids.shape == batch.weights.shape == (3, 14)
    for row, target in enumerate(targets):
        length = len(target.ids)
        assert batch.ids[row].tolist() == [*target.ids, *[0] * (14 - length)]
        assert batch.weights[row].tolist() == [*target.weights, *[0.0] * (14 - length)]
    assert batch.lengths.tolist() == [len(target.ids) for target in targets]
    assert batch.prefix.tolist() == [target.prefix for target in targets] and batch.cut == 1
    # The input is the labels moved by one; the end is never read.
    assert torch.equal(batch.inputs[:, 1:], batch.ids[:, :-1]) and batch.inputs[:, 0].eq(TOKENIZER.pad).all()
    assert collate(targets, 0, length=20).ids.shape == (3, 20)
    for call, message in ((lambda: collate([], 0), "no targets"), (lambda: collate(targets, 0, 13), "13 columns")):
        with pytest.raises(InputError, match=message):
            call()
