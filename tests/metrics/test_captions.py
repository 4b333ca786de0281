"""Caption scores: golden values of pycocoevalcap, CIDEr-D by hand, and against its scorer on anything."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError, MissingPackageError
from lichen.metrics.captions import caption_scores, cider_d
from lichen.metrics.ptb import words

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "captions.json").read_text("utf-8"))
PREDICTIONS = [picture["prediction"] for picture in GOLDEN["pictures"]]
REFERENCES = [picture["references"] for picture in GOLDEN["pictures"]]
needs_package = pytest.mark.skipif(
    importlib.util.find_spec("pycocoevalcap") is None, reason="BLEU and ROUGE-L need lichen[metrics]"
)


def cut(sentences: Sequence[str]) -> list[tuple[str, ...]]:
    return [words(sentence) for sentence in sentences]


def test_golden_cider_of_every_picture() -> None:
    found = cider_d(cut(PREDICTIONS), [cut(given) for given in REFERENCES])
    assert found == pytest.approx([picture["cider"] for picture in GOLDEN["pictures"]], abs=1e-12)


def test_golden_cider_needs_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = caption_scores(PREDICTIONS, REFERENCES)
    assert found == {"cider": pytest.approx(GOLDEN["scores"]["cider"], abs=1e-12), "pictures": 6.0}


@needs_package
def test_golden_bleu_and_rouge() -> None:
    found = caption_scores(PREDICTIONS, REFERENCES, ("bleu", "rouge_l"))
    for name in ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l"):
        assert found[name] == pytest.approx(GOLDEN["scores"][name], abs=1e-12)
    assert "cider" not in found


@pytest.mark.slow
@needs_package
@pytest.mark.skipif(shutil.which("java") is None, reason="METEOR is a Java program")
def test_golden_meteor_and_the_java_tokenizer() -> None:
    found = caption_scores(PREDICTIONS, REFERENCES, ("cider", "bleu", "rouge_l", "meteor"), tokenizer="java")
    assert found == {**{name: pytest.approx(value) for name, value in GOLDEN["scores"].items()}, "pictures": 6.0}


def test_the_price_of_skipping_the_tokenizer() -> None:
    """decoders.md, 3.2: the same sentence scores 10 when it was cut, and 3.77 with its capital and full stop."""
    others = [["the", "dog", "runs"]]
    wanted = [["a", "cat", "on", "a", "mat"]]
    cut_well = cider_d([wanted[0], others[0]], [wanted, others])
    assert cut_well[0] == pytest.approx(10.0)
    not_cut = cider_d([["A", "cat", "on", "a", "mat."], others[0]], [wanted, others])
    # 4 of √5 √7, 2 of √4 √4, 1 of √3 √3 and none.
    assert not_cut[0] == pytest.approx(10 / 4 * (4 / 35**0.5 + 1 / 2 + 1 / 3))
    assert round(float(not_cut[0]), 2) == 3.77


def test_another_length_costs() -> None:
    others = [["the", "dog", "runs"]]
    found = cider_d([["a", "b", "c"], others[0]], [[["a", "b", "c", "d"]], others])
    penalty = np.exp(-1 / 72)
    cosine = 3 / (3 * 4) ** 0.5 + 2 / (2 * 3) ** 0.5 + 1 / 2**0.5
    assert found[0] == pytest.approx(10 / 4 * penalty * cosine)


def test_a_set_of_one_picture_has_nought() -> None:
    assert caption_scores(["A cat on a mat."], [["a cat on a mat"]])["cider"] == 0.0


SENTENCE = st.lists(st.sampled_from("abcde"), max_size=7)
PICTURES = st.lists(st.tuples(SENTENCE, st.lists(SENTENCE, min_size=1, max_size=3)), min_size=1, max_size=6)


@needs_package
@settings(max_examples=100, deadline=None)
@given(PICTURES)
def test_cider_is_that_of_pycocoevalcap(pictures: list[tuple[list[str], list[list[str]]]]) -> None:
    from pycocoevalcap.cider.cider import Cider

    predictions, references = [said for said, _ in pictures], [given for _, given in pictures]
    found = cider_d(predictions, references)
    assert found.shape == (len(pictures),)
    if not any(any(given) for given in references):
        assert not found.any()  # their scorer fails where no reference has a word
        return
    _, wanted = Cider().compute_score(
        {row: [" ".join(each) for each in given] for row, given in enumerate(references)},
        {row: [" ".join(said)] for row, said in enumerate(predictions)},
    )
    assert found == pytest.approx(wanted, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(PICTURES, st.randoms(use_true_random=False))
def test_the_order_of_pictures_changes_nothing(
    pictures: list[tuple[list[str], list[list[str]]]], random: Random
) -> None:
    found = cider_d([said for said, _ in pictures], [given for _, given in pictures])
    order = list(range(len(pictures)))
    random.shuffle(order)
    again = cider_d([pictures[row][0] for row in order], [pictures[row][1] for row in order])
    assert again == pytest.approx(found[order], abs=1e-9)
    assert ((found >= 0) & (found <= 10 + 1e-9)).all()


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        ([], [], "at least one; got 0 for 0"),
        (["a"], [["a"], ["b"]], "got 1 for 2"),
        (["a"], [[]], "Row 0 has no reference"),
        (["a", "b"], ["cat", ["a"]], "Row 0 holds one text, 'cat'"),
        ("cat", ["c", "a", "t"], "got one text"),
    ],
)
def test_what_cannot_be_measured(predictions: Sequence[str], references: Sequence, message: str) -> None:
    with pytest.raises(InputError, match=message):
        caption_scores(predictions, references)


def test_whole_sentences_are_no_words() -> None:
    with pytest.raises(InputError, match=r"lists of words. Cut them with lichen.metrics.ptb.words"):
        cider_d(["a cat"], [[["a", "cat"]]])


def test_scores_that_are_not_offered() -> None:
    with pytest.raises(InputError, match=r"Unknown caption score 'cidar'. Did you mean 'cider'"):
        caption_scores(["a"], [["a"]], ("cidar",))
    with pytest.raises(InputError, match=r"SPICE is not offered.*CoreNLP"):
        caption_scores(["a"], [["a"]], ("cider", "SPICE"))
    with pytest.raises(InputError, match=r"Unknown tokenizer 'jawa'. Did you mean 'java'"):
        caption_scores(["a"], [["a"]], tokenizer="jawa")


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    if importlib.util.find_spec("pycocoevalcap") is not None:
        with pytest.raises(MissingPackageError, match="METEOR is a Java program"):
            caption_scores(["a"], [["a"]], ("meteor",))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name in ("bleu", "rouge_l", "meteor"):
        with pytest.raises(MissingPackageError, match=r"pip install 'lichen\[metrics\]'"):
            caption_scores(["a"], [["a"]], (name,))


@needs_package
def test_a_java_that_fails_gives_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = shutil.which("false")
    if broken is None:
        pytest.skip("there is no program `false`")
    monkeypatch.setattr(shutil, "which", lambda name: broken)
    with pytest.raises(InputError, match="METEOR stopped without a score"):
        caption_scores(["a"], [["a"]], ("meteor",))
    with pytest.raises(InputError, match="Java's tokenizer failed"):
        caption_scores(["a"], [["a"]], tokenizer="java")
