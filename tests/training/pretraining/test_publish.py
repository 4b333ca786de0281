"""Published folders: half precision, no weight twice, a card, and a limit of size."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, ViTImageProcessorPil

from lichen.errors import InputError
from lichen.files import verify_folder
from lichen.training.pretraining import publish as module
from lichen.training.pretraining.publish import card, half, publish


@dataclass(frozen=True)
class Settings:
    seed: int = 3
    lr: float = 0.5


def tied() -> BertForMaskedLM:
    torch.manual_seed(0)
    config = BertConfig(vocab_size=50, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    return BertForMaskedLM(config).eval()


def test_a_published_model_answers_like_the_trained_one(tmp_path: Path) -> None:
    model = tied()
    size = publish(model, ViTImageProcessorPil(), tmp_path / "out", "# card\n")
    verify_folder(tmp_path / "out")
    assert (tmp_path / "out" / "README.md").read_text() == "# card\n"
    assert size == (tmp_path / "out" / "model.safetensors").stat().st_size
    assert json.loads((tmp_path / "out" / "config.json").read_text())["architectures"] == ["BertForMaskedLM"]
    back = BertForMaskedLM.from_pretrained(tmp_path / "out", dtype=torch.float32).eval()
    ids = torch.tensor([[1, 2, 3]])
    torch.testing.assert_close(back(ids).logits, model(ids).logits, atol=2e-3, rtol=2e-3)
    assert not torch.equal(back(ids).logits, model(ids).logits), "float16 rounds"
    assert model.cls.predictions.bias.dtype == torch.float32, "the trained model is left as it is"


def test_tied_weights_are_written_once() -> None:
    weights = half(tied())
    assert "bert.embeddings.word_embeddings.weight" in weights
    assert "cls.predictions.decoder.weight" not in weights
    assert {value.dtype for value in weights.values() if value.is_floating_point()} == {torch.float16}


def test_too_large_a_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 100)
    with pytest.raises(InputError, match="at most 100 bytes"):
        publish(tied(), ViTImageProcessorPil(), tmp_path / "out", "")
    assert not (tmp_path / "out").exists()


def test_a_card_tells_results_and_settings() -> None:
    facts = {"parameters": 1234.0, "seconds": 90.0, "loss": 1.5}
    text = card("playground-x", "What it is.", Settings(), facts, {"pictures": 1500.0, "ap50": 12.34, "ar_100": 56.78})
    assert "| ap50 | 12.3 |" in text and "| ar 100 | 56.8 |" in text and "pictures |" not in text
    assert "test split: 1,500 pictures." in text
    assert "1,234 parameters" in text and "One seed, 3." in text and '"lr": 0.5' in text
    assert max(map(len, text.splitlines())) <= 120
