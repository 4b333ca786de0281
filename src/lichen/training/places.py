"""Where the features of a part lie: in a folder whose name follows from all that decides what is in it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..backbones.backbone import PREFIX
from ..data.dataset import Dataset
from ..data.inputs import ImageInputs
from ..features.config import StoreConfig
from ..tasks.task import Inputs
from .recipe import BackboneConfig, StoreChoice

FEATURES = Path("lichen-features")
"""Folder of all stores where the recipe names none."""
_MODEL_FILES = (".safetensors", ".json", ".txt", ".model")
"""Endings of the files that decide what a model in a local folder answers."""


@dataclass(frozen=True)
class Wanted:
    """What the source of a part is to be."""

    part: str
    """Of the task."""
    config: BackboneConfig
    inputs: Inputs
    """What the backbone reads."""
    store: StoreConfig
    """With the hidden states to keep."""
    folder: Path
    """Where the store lies, or would."""

    @classmethod
    def of(
        cls,
        part: str,
        config: BackboneConfig,
        inputs: Inputs,
        dataset: Dataset,
        choice: StoreChoice,
        layers: tuple[int, ...] | None,
    ) -> Wanted:
        """Settle a store's settings and place.

        Args:
            part: of the task.
            config: of the backbone.
            inputs: what it reads.
            dataset: where they come from.
            choice: of the recipe.
            layers: hidden states to keep, where the recipe names none itself.
        """
        store = choice.config()
        if choice.layers is None and layers is not None:
            store = replace(store, layers=layers)
        if not isinstance(inputs, ImageInputs):
            store = replace(store, views=1)
        base = Path(choice.folder) if choice.folder else FEATURES
        return cls(part, config, inputs, store, store_folder(config, inputs, dataset, part, store, base))


def store_folder(
    config: BackboneConfig, inputs: Inputs, dataset: Dataset, part: str, store: StoreConfig, base: Path
) -> Path:
    """Where the store of a part lies: its name follows from all that decides its contents, so that none is mistaken."""
    told = {
        "backbone": asdict(config),
        "files": _files_of(config),
        "inputs": inputs.settings,
        "samples": _digest_of_samples(inputs, dataset),
        "store": asdict(store),
    }
    key = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:12]
    model = config.name.removeprefix(PREFIX).rstrip("/").rpartition("/")[2]
    return base / f"{part}-{model}-{store.codec}-{key}"


def _files_of(config: BackboneConfig) -> list[Any]:
    """What tells that weights, settings or tokenizer of a local folder were exchanged, without reading them."""
    folder = Path(config.name)
    if not folder.is_dir():
        return []
    files = sorted(path for path in folder.iterdir() if path.suffix in _MODEL_FILES)
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]


def _digest_of_samples(inputs: Inputs, dataset: Dataset) -> str:
    """SHA-256 over the ids and contents of all samples; of files their size stands for the contents."""
    digest = hashlib.sha256()
    for name in inputs.ids:
        digest.update(f"{name}\n".encode())
    texts = getattr(inputs, "texts", None)
    if texts is not None:
        for text in texts:
            digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    else:
        digest.update(dataset.picture_digest(range(len(dataset))))
    return digest.hexdigest()
