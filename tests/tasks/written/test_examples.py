"""Questions as tables of ids."""

from __future__ import annotations

import pytest
import torch

from lichen.tasks.written.asked import Asked, asked_of
from lichen.tasks.written.config import TASKS
from lichen.tasks.written.examples import examples_of, learn_tokenizer, prompts_of

from .world import SIDE, config, dataset

DATA = dataset()


@pytest.mark.parametrize("task", TASKS)
def test_given_and_learnt_tokens_say_what_is_meant(task: str) -> None:
    settings = config(task)
    asked = asked_of(DATA, "dev", settings)
    tokenizer = learn_tokenizer(asked, settings)
    found, cut = examples_of(asked, ("a", "b"), DATA.ids, tokenizer, settings, all_answers=True)
    assert cut == 0 and found.rows["a"] is found.rows["b"]
    for row in range(len(found)):
        each = found.known[int(found.targets["asked"][row])]
        ids = found.targets["labels"][row].tolist()
        free = int(found.targets["free"][row])
        given, learnt = tokenizer.decode(ids[:free]), tokenizer.decode(ids[free:])
        assert ids[-1] in (tokenizer.end, tokenizer.pad) and tokenizer.end in ids
        assert TASKS[found.targets["task"][row]] == task and int(found.rows["a"][row]) == each.row
        marker = {"vqa": "answer", "ocr": "read"}.get(task, task)
        assert given.startswith(f"{marker}:")
        if task == "vqa":
            assert given == f"answer: {each.words} :" and learnt == each.answers[0]
        elif task in ("classify", "ocr"):
            assert given == f"{marker}:" and learnt == each.answers[0].lower()
        elif task == "aref":
            box = tokenizer.decode(tokenizer.box_ids(torch.tensor(each.boxes), torch.tensor([each.size]).float())[0])
            assert given == "aref:" and learnt == f"{each.words} :{box}", "LocCa learns words and box"


def test_all_captions_or_one_for_each_question() -> None:
    settings = config("caption", "vqa")
    asked = asked_of(DATA, "test", settings)
    tokenizer = learn_tokenizer(asked, settings)
    every, _ = examples_of(asked, ("image",), DATA.ids, tokenizer, settings, all_answers=True)
    single, _ = examples_of(asked, ("image",), DATA.ids, tokenizer, settings, all_answers=False)
    assert (len(every), len(single)) == (6 * 2 + 6 * 2, 6 + 6 * 2)
    assert every.names[0] == "p34 (caption)"


def test_what_does_not_fit_is_counted_and_the_box_stays() -> None:
    settings = config("aref", context=12)
    asked = [Asked("aref", 0, "the green square " * 6, (), ((0.0, 0.0, 8.0, 8.0),), (SIDE, SIDE))]
    tokenizer = learn_tokenizer(asked, settings)
    found, cut = examples_of(asked, ("image",), ("p0",), tokenizer, settings, all_answers=True)
    assert cut == 1
    first, behind = tokenizer.coordinates or (0, 0)
    assert [first <= id < behind for id in found.targets["labels"][0].tolist()[-5:]] == [True] * 4 + [False]


def test_prompts_are_what_examples_give_when_only_the_answer_is_learnt() -> None:
    for task in ("vqa", "aref", "gcap", "caption"):
        settings = config(task, loss="answer")
        asked = asked_of(DATA, "dev", settings)
        tokenizer = learn_tokenizer(asked, settings)
        found, _ = examples_of(asked, ("image",), DATA.ids, tokenizer, settings, all_answers=False)
        prompts = prompts_of(asked, tokenizer, settings)
        for row, prompt in enumerate(prompts):
            free = int(found.targets["free"][row])
            assert prompt[prompt != tokenizer.pad].tolist() == found.targets["labels"][row, :free].tolist()
