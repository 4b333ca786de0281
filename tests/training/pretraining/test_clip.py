"""`playground-clip`: captions, training, what is measured, and that what is published is what was trained."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoProcessor, VisionTextDualEncoderModel

from lichen.backbones.backbone import Backbone
from lichen.data.playground.dataset import Playground
from lichen.training.pretraining import measuring as module
from lichen.training.pretraining.__main__ import main
from lichen.training.pretraining.clip import Captions, make_clip, train_clip
from lichen.training.pretraining.measuring import embed_texts, measure_clip
from lichen.training.pretraining.pictures import drawn
from lichen.training.pretraining.words import learn_tokenizer

from .tiny import CLIP

WORLD = Playground(0, "val", 6, 32, 32)


def test_a_batch_holds_one_caption_of_each_picture() -> None:
    data = drawn(WORLD)
    texts = [caption for scene in data.scenes for caption in scene.captions]
    tokenizer = learn_tokenizer(texts, 2000, 40)
    captions = Captions(data, tokenizer, 40)
    seen: list[set[str]] = [set() for _ in data.scenes]
    for seed in range(40):
        batch = captions.draw(np.array([4, 0, 2]), np.random.default_rng(seed))
        assert batch["input_ids"].shape == batch["attention_mask"].shape
        assert batch["attention_mask"].sum(1).max() == batch["input_ids"].shape[1], "no needless padding"
        for row, ids in zip([4, 0, 2], batch["input_ids"], strict=True):
            seen[row].add(tokenizer.decode(ids, skip_special_tokens=True).strip())
    for row in (4, 0, 2):
        assert seen[row] == {caption.lower() for caption in data.scenes[row].captions}


def test_the_words_of_a_picture_are_those_of_all_its_captions() -> None:
    data = drawn(WORLD)
    texts = [caption for scene in data.scenes for caption in scene.captions]
    tokenizer = learn_tokenizer(texts, 2000, 40)
    shares = Captions(data, tokenizer, 40).words(np.array([5, 1]))
    torch.testing.assert_close(shares.sum(1), torch.ones(2))
    frequency = {word: sum(word in tokenizer(text).input_ids for text in texts) for word in range(len(tokenizer))}
    for row, share in zip((5, 1), shares, strict=True):
        held = {id for caption in data.scenes[row].captions for id in tokenizer(caption).input_ids}
        expected = torch.zeros(len(tokenizer))
        for id in held - set(tokenizer.all_special_ids):
            expected[id] = np.log(len(texts) / frequency[id])
        torch.testing.assert_close(share, expected / expected.sum())


def test_training_repeats_itself_and_follows_its_seed() -> None:
    told: list[int] = []
    model, tokenizer, facts = train_clip(CLIP, watch=lambda step, loss: told.append(step))
    assert told == [1, 2, 3] and np.isfinite(facts["loss"]) and not model.training
    fresh = make_clip(CLIP, tokenizer).state_dict()
    assert not torch.equal(fresh["visual_projection.weight"], model.visual_projection.weight)
    again, _, _ = train_clip(CLIP)
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    other, _, _ = train_clip(replace(CLIP, seed=1))
    assert not torch.equal(other.visual_projection.weight, model.visual_projection.weight)


def test_it_learns_a_small_world_by_heart() -> None:
    model, tokenizer, _ = train_clip(replace(CLIP, pictures=8, steps=60, lr=5e-3))
    data = drawn(Playground(0, "train", 8, 32, 32))
    pictures = module.embed_pictures(model, data.batch(np.arange(8)))
    texts = embed_texts(model, tokenizer, [scene.captions[0] for scene in data.scenes])
    assert float(((texts @ pictures.T).argmax(1) == torch.arange(8)).float().mean()) >= 0.5


def test_measuring_embeddings_that_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer, _ = train_clip(replace(CLIP, steps=1))
    classes = len(module.CLASSES)

    def pictures(model: object, pixels: torch.Tensor) -> torch.Tensor:
        return torch.eye(6) if len(pixels) == 6 else torch.eye(classes)[truths]

    def texts(model: object, tokenizer: object, texts: list[str]) -> torch.Tensor:
        # Of the six captions, the last two are exchanged.
        return torch.eye(6)[[0, 1, 2, 3, 5, 4]] if len(texts) == 6 else torch.eye(classes)

    names = list(module.CLASSES)
    truths = [names.index(str(e.label)) for scene in drawn(WORLD).scenes for e in scene.entities if e.box]
    monkeypatch.setattr(module, "embed_pictures", pictures)
    monkeypatch.setattr(module, "embed_texts", texts)
    found = measure_clip(model, tokenizer, "val", 6, 32)
    assert found["text_to_image_r1"] == found["image_to_text_r1"] == pytest.approx(400 / 6)
    assert found["text_to_image_r5"] == 100.0
    assert found["crop_accuracy"] == 100.0 and found["crops"] == len(truths)


def test_the_command_publishes_a_clip_that_transformers_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = [f"--set={name}={json.dumps(value)}" for name, value in vars(CLIP).items()]
    assert main(["clip", "--out", str(tmp_path / "out"), "--tested", "4", *changes]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["pictures"] == 4 and printed["weight_bytes"] < 12_000_000
    assert "# playground-clip" in (tmp_path / "out" / "README.md").read_text()
    model = AutoModel.from_pretrained(tmp_path / "out", dtype=torch.float32).eval()
    assert isinstance(model, VisionTextDualEncoderModel)
    processor = AutoProcessor.from_pretrained(tmp_path / "out", backend="pil")
    inputs = processor(text=["A dog."], images=[np.zeros((40, 60, 3), np.uint8)], return_tensors="pt")
    assert inputs["pixel_values"].shape == (1, 3, 32, 32)
    assert inputs["input_ids"].shape[1] < CLIP.tokens, "the padding of training is not published"
    # The end of a text is where its embedding is read, also behind padding.
    short = embed_texts(model, processor.tokenizer, ["A dog."])
    padded = embed_texts(model, processor.tokenizer, ["A dog.", "A dog and another dog in the desert."])
    torch.testing.assert_close(short[0], padded[0], atol=1e-5, rtol=1e-5)
    backbone = Backbone.from_pretrained(tmp_path / "out")
    features = backbone(**processor(text=["A dog."], return_tensors="pt"))
    torch.testing.assert_close(torch.nn.functional.normalize(features.pooled, dim=-1), short, atol=1e-5, rtol=1e-5)
