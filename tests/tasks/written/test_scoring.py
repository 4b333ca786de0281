"""How answers count, by hand-made answers."""

from __future__ import annotations

import math

import pytest
import torch

from lichen.language.found import Found
from lichen.scene import Entity, Expression
from lichen.tasks.written.asked import Asked
from lichen.tasks.written.config import TASKS
from lichen.tasks.written.scoring import HEADLINES, perplexities, scores_of

BOX, SIZE = (0.0, 0.0, 10.0, 10.0), (20, 20)


def test_answers_count_by_their_protocols() -> None:
    asked = [Asked("classify", row, answers=(name,)) for row, name in enumerate(("cat", "dog"))]
    assert scores_of("classify", asked, [Found("cat"), Found("cat")]) == {"accuracy": 0.5}
    asked = [Asked("vqa", 0, "?", ("Two",), kind="count"), Asked("vqa", 0, "?", ("yes",), kind="yes/no")]
    found = scores_of("vqa", asked, [Found("two"), Found("no")])
    assert (found["accuracy"], found["accuracy/count"], found["accuracy/yes/no"]) == (0.5, 1.0, 0.0)
    people = [Asked("vqa", 0, "?", ("yes",) * 3 + ("no",) * 7)]
    assert scores_of("vqa", people, [Found("yes")])["accuracy"] == pytest.approx(0.9)
    read = scores_of("ocr", [Asked("ocr", 0, answers=("STOP",))], [Found("stap")])
    assert (read["word_accuracy"], read["cer"]) == (0.0, 0.25)


def test_boxes_count_from_half_overlap_on_and_what_is_none_is_wrong() -> None:
    asked = [Asked("aref", row, "it", (), (BOX,), SIZE) for row in range(3)]
    half = Found("it", entities=(Entity(None, (0.0, 0.0, 10.0, 5.0), 0.5),), expressions=(Expression("it", 0),))
    less = Found("it", entities=(Entity(None, (0.0, 0.0, 10.0, 4.9), 0.5),))
    scores = scores_of("aref", asked, [half, less, Found("it")])
    assert scores["acc50"] == pytest.approx(1 / 3) and scores["invalid"] == pytest.approx(1 / 3)
    assert scores["mean_iou"] == pytest.approx((0.5 + 0.49) / 3)


def test_detections_are_ranked_by_their_scores() -> None:
    pytest.importorskip("faster_coco_eval", reason="faster-coco-eval is not installed")
    asked = [Asked("detect", 0, None, ("cat",), (BOX,), SIZE)]
    good, bad = Entity("cat", BOX, 0.9), Entity("cat", (10.0, 10.0, 20.0, 20.0), 0.1)
    best = scores_of("detect", asked, [Found(entities=(good, bad))])
    worst = scores_of("detect", asked, [Found(entities=(Entity("cat", BOX, 0.1), Entity("cat", bad.box, 0.9)))])
    assert best["ap"] == pytest.approx(1.0) and worst["ap"] == pytest.approx(0.5, abs=0.01)
    unknown = scores_of(
        "detect", asked, [Found(entities=(Entity("unicorn", BOX, 0.9),), malformed={"unknown label": 1})]
    )
    assert unknown["ap"] == 0.0 and unknown["unreadable"] == 1.0


def test_captions_are_compared_with_all_of_their_picture() -> None:
    asked = [Asked("caption", row, answers=("a cat on a mat", f"{name} here")) for row, name in enumerate("ab")]
    far, near = (scores_of("caption", asked, [Found(text), Found("b here")])["cider"] for text in ("dogs", "a here"))
    assert near > far


def test_perplexity_is_the_mean_over_texts_by_task() -> None:
    likely = torch.tensor([-1.0, -3.0, -8.0])
    task = torch.tensor([TASKS.index("vqa"), TASKS.index("vqa"), TASKS.index("caption")])
    found = perplexities({"log_likelihood": likely}, {"task": task})
    assert found == {"log_perplexity": 4.0, "vqa/log_perplexity": 2.0, "caption/log_perplexity": 8.0}


def test_every_task_has_a_headline() -> None:
    assert set(HEADLINES) == set(TASKS) and not math.isnan(len(HEADLINES))
