"""attach() on the real pretrained models that come inside packages: they learn, save, load, and stay frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import lichen
from lichen.backbones.embedded import load_embedded_folder, load_processor
from lichen.errors import MissingPackageError
from lichen.side.attach.checkpoint import fingerprint

TEXTS = ["a joy from start to end", "two hours that I want back", "warm, funny and wise", "dull and far too long"]
CONFIGS = [lichen.UniPTConfig(reduction=8), lichen.SHERLConfig(), lichen.LSTConfig(), lichen.PooledConfig()]


def folder_of(name: str) -> Path:
    """Where an embedded model lies; skips where its package is not installed."""
    try:
        return load_embedded_folder(name)
    except MissingPackageError as error:
        pytest.skip(str(error))


def learn(model: Any, batch: dict[str, Any], steps: int = 12, lr: float = 5e-3) -> tuple[float, float]:
    """Loss before and after a few steps on one batch."""
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr)
    model.train()
    first = model(**batch).loss.item()
    for _ in range(steps):
        model(**batch).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return first, model(**batch).loss.item()


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.method)
def test_minilm_learns_a_mood_and_keeps_its_weights(config: lichen.side.config.SideConfig, tmp_path: Path) -> None:
    folder = folder_of("minilm")
    auto = transformers.AutoModelForSequenceClassification
    torch.manual_seed(0)
    model = lichen.attach(auto.from_pretrained(folder, num_labels=2), config)
    before = fingerprint(model, model.lichen_anatomy)
    tokens = load_processor("minilm")(TEXTS, padding=True, return_tensors="pt")
    batch = {**tokens, "labels": torch.tensor([1, 0, 1, 0])}
    first, last = learn(model, batch)
    assert last < 0.5 * first
    assert fingerprint(model, model.lichen_anatomy) == before
    model.eval().save_pretrained(tmp_path)
    again = lichen.load(auto.from_pretrained(folder, num_labels=2), tmp_path).eval()
    assert torch.equal(again(**batch).logits, model(**batch).logits)
    assert (tmp_path / "model.safetensors").stat().st_size < 0.1 * (folder / "model.safetensors").stat().st_size


@pytest.mark.parametrize("name", ["dinov2-small", "efficientnet-lite0"])
@pytest.mark.parametrize(
    "config",
    [lichen.UniPTConfig(reduction=4), lichen.SHERLConfig(), lichen.PooledConfig()],
    ids=lambda config: config.method,
)
def test_pictures_are_learned_live_and_from_features(name: str, config: lichen.side.config.SideConfig) -> None:
    folder = folder_of(name)
    torch.manual_seed(0)
    model: Any = transformers.AutoModelForImageClassification.from_pretrained(
        folder, num_labels=3, ignore_mismatched_sizes=True
    )
    model = lichen.attach(model, config)
    size = 112 if name == "dinov2-small" else 128
    labels = torch.tensor([0, 1, 2])
    pixels = 0.3 * torch.randn(3, 3, size, size)
    pixels[labels, labels] += 2.0  # a red, a green and a blue picture
    first, last = learn(model, {"pixel_values": pixels, "labels": labels}, steps=20, lr=1e-3)
    assert last < 0.7 * first
    model.eval()
    features = model.read_features(pixel_values=pixels)
    stored, live = model(features=features).logits, model(pixel_values=pixels).logits
    assert torch.allclose(stored, live, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "config", [lichen.UniPTConfig(reduction=8), lichen.LSTConfig()], ids=lambda config: config.method
)
def test_smollm2_answers_as_before_until_it_is_trained(config: lichen.side.config.SideConfig) -> None:
    folder = folder_of("smollm2")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = load_processor("smollm2")("The capital of France is", return_tensors="pt")
    settings = {"max_new_tokens": 5, "do_sample": False}
    answer = model.generate(**tokens, **settings)
    model = lichen.attach(model, config).eval()
    assert torch.equal(model.generate(**tokens, **settings), answer)
    batch = {**tokens, "labels": tokens["input_ids"]}
    first, last = learn(model, batch, steps=4)
    assert last < first
    model.eval()
    trained = model.generate(**tokens, **settings)
    assert torch.equal(model.generate(**tokens, **settings, use_cache=False), trained)
    assert torch.equal(lichen.detach(model).eval().generate(**tokens, **settings), answer)
