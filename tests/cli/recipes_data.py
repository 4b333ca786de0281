"""Made-up data in the layout that the shipped recipes expect, and tiny backbones to train beside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import transformers as hf
from PIL import Image, ImageDraw

from ..data.tiny import WORDS, make_processor, make_tokenizer
from .published_data import convert_all

CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TREC = ("abbreviation", "description", "entity", "human", "location", "numeric")
TEXTS = {"sst2": ("negative", "positive"), "cola": ("unacceptable", "acceptable"), "trec": TREC}
COCO = ("person", "bicycle", "dog", "kite", "pizza", "chair")
COLOURS = ("red", "green", "blue", "yellow", "white", "purple")
"""Of the discs on the made-up photographs: one a category, so that there is something to learn."""
WHOLE = WORDS[4:]
"""Words that the tiny tokenizer knows."""


def write_texts(path: Path, classes: Sequence[str], count: int, seed: int = 0, longest: int = 30) -> None:
    """Sentences of 2 to `longest` words as JSON lines; half of the words tell the class."""
    random = np.random.default_rng(seed)
    lines = []
    for row in range(count):
        label = row % len(classes)
        half = int(random.integers(1, longest // 2 + 1))
        words = [*random.choice(WHOLE, half).tolist(), *[WHOLE[label % len(WHOLE)]] * half]
        lines.append(json.dumps({"text": " ".join(words), "label": classes[label]}))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", "utf-8")


def write_archive(path: Path, classes: Sequence[str], count: int, seed: int = 0, side: int = 32) -> None:
    """Noise, brighter in another corner and channel for each class, as cifar_mini holds its pictures."""
    random = np.random.default_rng(seed)
    labels = (np.arange(count) % len(classes)).astype(np.uint8)
    images = random.integers(0, 160, (count, side, side, 3), dtype=np.uint8)
    for image, label in zip(images, labels.tolist(), strict=True):
        place = slice(label * 2, label * 2 + side // 3)
        image[place, place, label % 3] += 90
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, images=images, labels=labels, names=np.array(classes))


def write_coco(folder: Path, count: int = 40, seed: int = 0) -> None:
    """Photographs of one to three coloured discs, with captions, boxes and splits."""
    random = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    images, captions, boxes = [], [], []
    for number in range(count):
        picture = Image.new("RGB", (320, 256) if number % 3 else (256, 300), (110, 120, 130))
        kinds = sorted(set(random.integers(0, len(COCO), 3).tolist()))
        for place, kind in enumerate(kinds):
            box = (10 + 80 * place, 60 + 30 * place, 70, 70)
            ImageDraw.Draw(picture).ellipse((box[0], box[1], box[0] + box[2], box[1] + box[3]), fill=COLOURS[kind])
            boxes.append({"id": len(boxes) + 1, "image_id": number, "category_id": kind + 1, "bbox": box, "iscrowd": 0})
        name = f"{number:012d}.jpg"
        picture.save(folder / "images" / name, quality=88)
        images.append({"id": number, "file_name": name, "width": picture.width, "height": picture.height})
        seen = " and ".join(f"a {COLOURS[kind]} {COCO[kind]}" for kind in kinds)
        # What a person does, for those that learn it from captions.
        done = seen.replace(" and ", " holding ", 1) if kinds[0] == 0 else seen
        for words in (f"{seen} on a grey wall", f"a photo of {done}."):
            captions.append({"id": len(captions) + 1, "image_id": number, "caption": words})
    categories = [{"id": number + 1, "name": name} for number, name in enumerate(COCO)]
    held = count // 4
    splits = {"note": "made up", "train": list(range(held, count)), "val": list(range(held))}
    files = {
        "captions": {"images": images, "annotations": captions},
        "instances": {"images": images, "annotations": boxes, "categories": categories},
        "splits": splits,
    }
    for name, values in files.items():
        (folder / f"{name}.json").write_text(json.dumps(values), "utf-8")


def write_all(folder: Path) -> Path:
    """All data sets that the shipped recipes read, in small."""
    for name, classes in TEXTS.items():
        write_texts(folder / "text" / name / "train.jsonl", classes, 48)
        write_texts(folder / "text" / name / "dev.jsonl", classes, 24, seed=1)
    write_archive(folder / "cifar_mini" / "train.npz", CIFAR, 40)
    write_archive(folder / "cifar_mini" / "test.npz", CIFAR, 20, seed=1)
    write_coco(folder / "coco_mini")
    convert_all(folder, folder / "annotations")
    return folder


def save_bert(folder: Path) -> Path:
    """A random BERT of two layers with its tokenizer. Its dropout must not act: it is frozen."""
    torch.manual_seed(0)
    config = hf.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        hidden_dropout_prob=0.5,
    )
    hf.BertModel(config).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


def save_vit(folder: Path) -> Path:
    """A random ViT of two layers with its image processor."""
    torch.manual_seed(0)
    config = hf.ViTConfig(
        image_size=16,
        patch_size=8,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    hf.ViTModel(config).save_pretrained(folder)
    make_processor(16).save_pretrained(folder)
    return folder
