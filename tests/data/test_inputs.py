"""Samples as a backbone reads them: one size of picture, unpadded texts, bad ones named."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lichen.data.dataset import Dataset
from lichen.data.inputs import ImageInputs, TextInputs
from lichen.data.views import Views
from lichen.errors import BadSample, InputError
from lichen.scene import Scene

from .tiny import make_processor, make_tokenizer


def pictures(count: int = 3, size: int = 8) -> Dataset:
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    scenes = tuple(Scene(f"p{row}") for row in range(count))
    return Dataset(scenes, {"train": tuple(range(count))}, pixels=pixels)


class Counting:
    """A tokenizer that counts the texts it is given."""

    def __init__(self) -> None:
        self.inner = make_tokenizer()
        self.seen: list[str] = []

    def __call__(self, texts: list[str], **options: Any) -> Any:
        self.seen += texts
        return self.inner(texts, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def test_pictures_in_the_order_of_the_rows() -> None:
    dataset = pictures()
    samples = ImageInputs(dataset, [2, 0], make_processor(8))
    assert samples.ids == ("p2", "p0") and len(samples) == 2
    expected = torch.from_numpy(dataset.pixels[2]).permute(2, 0, 1).float() / 127.5 - 1  # type: ignore[index]
    assert torch.allclose(samples[0]["pixel_values"], expected, atol=1e-6)
    assert torch.equal(samples[-1]["pixel_values"], samples[1]["pixel_values"])
    assert list(samples[0]) == ["pixel_values"]
    for wrong in (2, -3):
        with pytest.raises(IndexError):
            samples[wrong]


def test_processors_that_hold_an_image_processor() -> None:
    combined = SimpleNamespace(image_processor=make_processor(8), tokenizer=make_tokenizer())
    assert ImageInputs(pictures(), [0], combined)[0]["pixel_values"].shape == (3, 8, 8)
    assert TextInputs(["a"], ["0"], combined, 8)[0]["input_ids"].tolist() == [1, 7, 2]


def test_views_are_enumerated() -> None:
    dataset = pictures(2, size=32)
    views = Views(3, seed=4)
    plain, samples = (
        ImageInputs(dataset, [0, 1], make_processor(16)),
        ImageInputs(dataset, [0, 1], make_processor(16), views=views),
    )
    assert samples.ids == ("p0@0", "p0@1", "p0@2", "p1@0", "p1@1", "p1@2")
    assert torch.equal(samples[3]["pixel_values"], plain[1]["pixel_values"])
    part = views.cut(dataset.picture(1), "p1", 2).resize((16, 16), Image.Resampling.BILINEAR)
    expected = torch.from_numpy(np.array(part)).permute(2, 0, 1).float() / 127.5 - 1
    assert torch.allclose(samples[5]["pixel_values"], expected, atol=1e-6)
    again = ImageInputs(dataset, [1], make_processor(16), views=Views(3, seed=4))
    assert torch.equal(again[2]["pixel_values"], samples[5]["pixel_values"])
    assert samples.settings["views"]["seed"] == 4 and plain.settings["views"] is None


def test_a_bad_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"nothing")
    dataset = Dataset((Scene("x/bad.jpg", image=str(tmp_path / "bad.jpg")),), {"train": (0,)})
    with pytest.raises(BadSample) as caught:
        ImageInputs(dataset, [0], make_processor())[0]
    assert caught.value.id == "x/bad.jpg" and "not a picture" in caught.value.reason


def test_pictures_need_an_image_processor() -> None:
    with pytest.raises(InputError, match="Pictures need an image processor; got NoneType"):
        ImageInputs(pictures(), [0], None)
    with pytest.raises(InputError, match="Pictures need an image processor"):
        ImageInputs(pictures(), [0], make_tokenizer())


def test_processors_that_cut_tiles_are_refused() -> None:
    class Tiles:
        size = 8

        def preprocess(self) -> None: ...

        def __call__(self, **options: Any) -> dict[str, torch.Tensor]:
            return {"pixel_values": torch.zeros(1, 5, 3, 8, 8)}

    with pytest.raises(InputError, match=r"Tiles makes .1, 5, 3, 8, 8. of a square of 8 pixels"):
        ImageInputs(pictures(), [0], Tiles())[0]


def test_texts_come_unpadded() -> None:
    samples = TextInputs(["a good film", "bad", "a a a a a a"], ["x", "y", "z"], make_tokenizer(), 6)
    assert [samples[place]["input_ids"].tolist() for place in range(3)] == [
        [1, 7, 4, 6, 2],
        [1, 5, 2],
        [1, 7, 7, 7, 7, 2],
    ]
    assert all(set(samples[place]) == {"input_ids", "attention_mask"} for place in range(3))
    assert samples[0]["input_ids"].dtype == samples[0]["attention_mask"].dtype == torch.int64
    assert samples[1]["attention_mask"].tolist() == [1, 1, 1]
    assert samples.lengths().tolist() == [5, 3, 6]
    assert samples.settings == {"max_tokens": 6}


def test_token_types_only_where_they_say_something() -> None:
    samples = TextInputs(["a"], ["0"], make_tokenizer(types=(2, 1)), 8)
    assert samples[0]["token_type_ids"].tolist() == [2, 1, 1]


def test_tokenised_once_in_blocks() -> None:
    tokenizer = Counting()
    texts = [f"good {'a ' * (number % 7)}" for number in range(1100)]
    samples = TextInputs(texts, [str(number) for number in range(1100)], tokenizer, 16)
    assert not tokenizer.seen
    samples[3]
    assert 0 < len(tokenizer.seen) < 1100
    samples.lengths(), samples.lengths(), samples[1099]
    assert tokenizer.seen == texts
    assert [len(samples[place]["input_ids"]) for place in range(1100)] == samples.lengths().tolist()


def test_texts_that_cannot_be_read_are_named() -> None:
    texts = ["", " \n\t", "\u200b\x07", "half \ud800", "good"]
    samples = TextInputs(texts, list("abcde"), make_tokenizer(), 8)
    reasons = {}
    for place in range(4):
        for _ in range(2):
            with pytest.raises(BadSample) as caught:
                samples[place]
        reasons[caught.value.id] = caught.value.reason
    assert [reasons[id].split()[-1] for id in "abc"] == ["empty", "blank", "knows"] and "surrogate" in reasons["d"]
    assert samples.lengths().tolist() == [0, 0, 0, 0, 3]
    assert samples[4]["input_ids"].tolist() == [1, 4, 2]
    only = TextInputs([""], ["a"], make_tokenizer(), 8)
    assert only.lengths().tolist() == [0]


def test_without_special_tokens() -> None:
    samples = TextInputs(["a", "\u200b"], ["0", "1"], make_tokenizer(special=False), 1)
    assert samples[0]["input_ids"].tolist() == [7]
    assert samples.lengths().tolist() == [1, 0]


def test_megabytes_of_text() -> None:
    tokenizer = Counting()
    texts = ["good film " * 1_000_000, "x" * 10_000_000, " " * 10_000_000 + "bad"]
    samples = TextInputs(texts, list("abc"), tokenizer, 8)
    assert [samples[place]["input_ids"].tolist() for place in range(3)] == [
        [1, 4, 6, 4, 6, 4, 6, 2],
        [1, 3, 2],
        [1, 5, 2],
    ]
    assert max(map(len, tokenizer.seen)) <= 64 * 8
    # Nothing is cut within a word.
    assert tokenizer.seen[0].split()[-1] in ("good", "film")


def test_wrong_arguments() -> None:
    with pytest.raises(InputError, match="2 texts and 1 ids"):
        TextInputs(["a", "b"], ["0"], make_tokenizer(), 8)
    with pytest.raises(InputError, match="Texts need a tokenizer; got ViTImageProcessorPil"):
        TextInputs(["a"], ["0"], make_processor(), 8)
    for wrong in (2, 65):
        with pytest.raises(InputError, match=f"must lie in 3 to 64.*got {wrong}"):
            TextInputs(["a"], ["0"], make_tokenizer(), wrong)
    with pytest.raises(TypeError, match="one by one"):
        TextInputs(["a"], ["0"], make_tokenizer(), 8)[0:1]


@pytest.mark.parametrize(("most", "expected"), [(64, 64), (1000, 128)])
def test_how_long_texts_are_where_nothing_is_asked_for(most: int, expected: int) -> None:
    tokenizer = make_tokenizer()
    tokenizer.model_max_length = most
    inputs = TextInputs(["good film " * 99], ["a"], tokenizer)
    assert inputs.max_tokens == len(inputs[0]["input_ids"]) == expected


def test_both_reach_other_processes() -> None:
    texts = TextInputs(["a film"], ["0"], make_tokenizer(), 8)
    images = ImageInputs(pictures(), [1], make_processor(8), views=Views(2))
    for samples in (texts, images):
        copy = pickle.loads(pickle.dumps(samples))
        assert copy.ids == samples.ids
        assert all(torch.equal(copy[0][name], samples[0][name]) for name in samples[0])
