"""transformers pipelines over attached models."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, ViTImageProcessorPil, pipeline

from ...families import shake
from .common import SIDES, attached, serves

WORDS = ["[PAD]", "[UNK]", "[EOS]", *["a", "good", "bad", "film", "was", "the", "very", "not", "dull", "bright"]]


def tokenizer() -> PreTrainedTokenizerFast:
    """One id a word."""
    inner = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="[PAD]",
        unk_token="[UNK]",
        eos_token="[EOS]",
        model_input_names=["input_ids", "attention_mask"],
    )


def scores(found: list[dict[str, Any]]) -> list[float]:
    """Scores in order of label."""
    return [entry["score"] for entry in sorted(found, key=lambda entry: entry["label"])]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("family", ["bert", "roberta", "llama"])
def test_text_classification(family: str, side: str, caplog: pytest.LogCaptureFixture) -> None:
    model, _ = attached("sequence", family, side)
    shake(model)
    words = tokenizer()
    texts = ["the film was good", "a very dull film was not good", "bright"]
    with caplog.at_level(logging.WARNING):
        found = pipeline("text-classification", model=model, tokenizer=words, top_k=None, device="cpu")(
            texts, batch_size=3
        )
    assert "not supported" not in caplog.text
    batch = words(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        wanted = model.eval()(**batch).logits.softmax(-1)
    torch.testing.assert_close(torch.tensor([scores(each) for each in found]), wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("family", "side"),
    [
        (family, side)
        for family in ("vit", "resnet", "efficientnet-lite")
        for side in SIDES
        if serves("image", family, side)
    ],
)
def test_image_classification(family: str, side: str, caplog: pytest.LogCaptureFixture) -> None:
    model, _ = attached("image", family, side)
    shake(model)
    processor = ViTImageProcessorPil(size={"height": 32, "width": 32})
    pictures = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
    with caplog.at_level(logging.WARNING):
        found = pipeline("image-classification", model=model, image_processor=processor, device="cpu")(pictures)
    assert "not supported" not in caplog.text
    with torch.no_grad():
        wanted = model.eval()(**processor(pictures, return_tensors="pt")).logits.softmax(-1)
    torch.testing.assert_close(torch.tensor([scores(each) for each in found]), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("task", "family"), [("token", "bert"), ("question", "bert")])
def test_token_classification_runs(task: str, family: str) -> None:
    model, _ = attached(task, family, "unipt")
    shake(model)
    if task == "token":
        found = pipeline("token-classification", model=model, tokenizer=tokenizer(), device="cpu")("the film was good")
        assert [entry["word"] for entry in found] == ["the", "film", "was", "good"]


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_text_generation(family: str) -> None:
    model, _ = attached("causal", family, "unipt")
    shake(model).eval()
    words = tokenizer()
    ids = words("the film was", return_tensors="pt")
    options = {"max_new_tokens": 4, "do_sample": False, "eos_token_id": 2}
    wanted = model.generate(**ids, **options, pad_token_id=0)[0]
    run = pipeline("text-generation", model=model, tokenizer=words, device="cpu")
    found = run("the film was", return_tensors=True, **options)[0]["generated_token_ids"]
    assert list(found) == wanted.tolist()
