"""Words as vectors, from files and backbones, and what classes say about phrases."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lichen.backbones.backbone import Backbone
from lichen.errors import InputError
from lichen.heads.grounding.prior import WordVectors, label_prior, prior_table, split_words

FILE = "3 2\nman 1 0\nDog 0 2\nman 5 5\nsmall 1 1\n"


def test_a_file_of_vectors(tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text(FILE, encoding="utf-8")
    vectors = WordVectors.read(path)
    assert vectors.rows == {"man": 0, "dog": 1, "small": 3}
    half = 0.5**0.5
    wanted = torch.tensor([[1.0, 0.0], [half / 2, (1 + half) / 2], [0.0, 0.0]])
    torch.testing.assert_close(vectors.means(["Man", "a small dog", "a lamp"]), wanted)
    assert WordVectors.read(path, ["dog", "lamp"]).rows == {"dog": 0}


@pytest.mark.parametrize(
    ("text", "message"),
    [("man 1 0\ndog 1\n", "line 2, is no word with its vector: 1 numbers instead of 2"),
     ("man 1 0\ndog 1 x\n", "line 2"),
     ("", "no vector of any word"),
     ("man 1 nan\n", "vector of 'man' is not finite")],
)  # fmt: skip
def test_files_that_hold_something_else(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        WordVectors.read(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Word vectors are read from a text file"):
        WordVectors.read(tmp_path / "nothing.txt")
    with pytest.raises(InputError, match="2 words but 1 vectors"):
        WordVectors(["a", "b"], torch.ones(1, 3))


def test_the_prior() -> None:
    phrases = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
    classes = torch.tensor([[3.0, 0.0], [3.0, 4.0], [0.0, 0.0]])
    wanted = torch.tensor([[1.0, 0.6, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(label_prior(phrases, classes), wanted)
    torch.testing.assert_close(label_prior(phrases, classes, 0.25)[0], torch.tensor([0.75, 0.35, 0.0]))


def test_words_of_a_phrase() -> None:
    assert split_words("A T-shirt, 'red' & new") == ["a", "t-shirt", "'red'", "new"]


def test_vectors_of_a_backbone() -> None:
    """The embedded CLIP knows which words the playground's captions use alike."""
    clip = Backbone.from_pretrained("embedded:playground-clip")
    vectors = WordVectors.of(clip, ["dog", "horse", "a small dog", "ice cream"])
    assert set(vectors.rows) == {"dog", "horse", "a", "small", "ice", "cream"}
    found = prior_table(["a small dog", "the horse"], ["dog", "horse"], vectors)
    assert found.shape == (2, 2) and float(found.min()) >= 0
    assert found.argmax(1).tolist() == [0, 1]
    with pytest.raises(InputError, match="at least one text"):
        WordVectors.of(clip, [])
