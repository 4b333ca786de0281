"""What a Scene asks of a decoder."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lichen.data.dataset import Dataset
from lichen.errors import InputError
from lichen.scene import Entity, Label, Question, Scene
from lichen.tasks.written.asked import ASK, Asked, Query, asked_of
from lichen.tasks.written.config import TASKS, WriteConfig

from .world import SIDE, config, dataset, scene

DATA = dataset()


def test_every_task_asks_what_the_scene_holds() -> None:
    one = scene(5)
    box = one.entities[0].box
    found = {task: list(ASK[task](one, 5, config(task))) for task in TASKS}
    assert found["classify"] == [Asked("classify", 5, answers=("green",))]
    assert found["caption"] == [Asked("caption", 5, answers=one.captions)]
    assert found["cap"] == [Asked("cap", 5, answers=one.captions)]
    assert [(each.words, each.answers, each.kind) for each in found["vqa"]] == [
        ("what colour is it?", ("green",), "colour"),
        ("is it on the left?", ("yes",), "yes/no"),
    ]
    assert found["ocr"] == [Asked("ocr", 5, answers=("GREEN",))]
    assert found["aref"] == [Asked("aref", 5, "the green square", (), (box,), (SIDE, SIDE))]
    assert found["gcap"] == [Asked("gcap", 5, None, ("the green square",), (box,), (SIDE, SIDE))]
    assert found["detect"] == [Asked("detect", 5, None, ("green square",), (box,), (SIDE, SIDE))]


def test_words_of_boxes_may_be_phrases_and_labels() -> None:
    settings = config("aref", words=("expressions", "phrases", "labels"))
    words = [each.words for each in ASK["aref"](scene(5), 5, settings)]
    assert words == ["the green square", "a green square", "green square"]
    together = list(ASK["gcap"](scene(5), 5, config("gcap", words=("phrases", "labels"))))
    assert [each.answers for each in together] == [("a green square", "green square")]


def test_objects_stand_in_falling_order_of_size() -> None:
    several = Scene(
        "s", size=(9, 9), entities=(Entity("small", (0.0, 0.0, 1.0, 1.0)), Entity("large", (0.0, 0.0, 5.0, 5.0)))
    )
    assert next(ASK["detect"](several, 0, config("detect"))).answers == ("large", "small")


def test_the_most_frequent_answer_is_learnt_and_all_captions() -> None:
    assert Asked("vqa", 0, "?", ("two", "2", "2")).learnt == ("2",)
    assert Asked("caption", 0, answers=("a", "b")).learnt == ("a", "b")


def test_questions_of_a_split_stand_task_by_task() -> None:
    found = asked_of(DATA, "dev", config("vqa", "classify"))
    assert [each.task for each in found] == ["vqa"] * 12 + ["classify"] * 6
    assert {each.row for each in found} == set(DATA.splits["dev"])


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(InputError, match="'dev' samples hold nothing for task 'ocr': it needs lines"):
        bare = Dataset(tuple(replace(each, lines=()) for each in DATA.scenes), DATA.splits)
        asked_of(bare, "dev", config("ocr"))
    with pytest.raises(InputError, match="'s' has 2 labels, but a decoder writes one name"):
        list(ASK["classify"](Scene("s", labels=(Label("a"), Label("b"))), 0, config("classify")))
    with pytest.raises(InputError, match="Question 0 of 's' is empty"):
        list(ASK["vqa"](Scene("s", questions=(Question(" ", ("a",)),)), 0, config("vqa")))
    with pytest.raises(InputError, match="'p5' has boxes but no size"):
        list(ASK["aref"](replace(scene(5), size=None), 5, config("aref")))
    for task in ("aref", "gcap", "detect"):
        with pytest.raises(InputError, match=r"The box .* of 'p5' holds nothing of its picture, which has 4 x 4"):
            list(ASK[task](replace(scene(5), size=(4, 4)), 5, config(task)))


def test_a_query_becomes_a_question_about_a_picture() -> None:
    one = scene(3)
    assert Query("aref", "it").about(one, 7) == Asked("aref", 7, "it", (), (), (SIDE, SIDE))
    assert Query("gcap", box=(0.0, 1.0, 2.0, 3.0)).about(one, 7).boxes == ((0.0, 1.0, 2.0, 3.0),)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tasks": ()}, "tasks is empty"),
        ({"tasks": ("captoin",)}, "Did you mean 'caption'"),
        ({"tasks": ("vqa", "vqa")}, "names one twice"),
        ({"level": "dataset"}, "needs WriteConfig.dataset"),
        ({"tasks": ("vqa", "caption"), "level": "none"}, "hides which"),
        ({"beams": 0}, "at least 1"),
        ({"words": ()}, "words is empty"),
        ({"parallel": 1.5}, "from 0 to 1"),
    ],
)
def test_wrong_settings_are_told(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        WriteConfig(**settings)  # type: ignore[arg-type]
