"""`Source`: where the features of a part come from: a store on disk or a live backbone, with the same numbers."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jaxtyping import Int
from torch import Tensor

from ..backbones.backbone import PREFIX, Backbone
from ..backbones.embedded import EMBEDDED
from ..backbones.features import Features
from ..backbones.fingerprint import Fingerprint
from ..backbones.late import LateLayers
from ..backbones.outline import Outline
from ..backbones.partial import load_late
from ..errors import BadSample, CheckpointError, InputError, pick
from ..features.config import StoreConfig
from ..features.reading import read
from ..features.record import UnfinishedStore
from ..features.skipped import Tally
from ..features.store import FeatureStore
from ..side.base import Side
from ..side.config import LSTConfig, SideConfig
from ..side.fit import fit_side, reading_of
from ..tasks.task import Inputs
from .engine.out_of_memory import OutOfMemoryError, is_out_of_memory
from .places import Wanted
from .recipe import BackboneConfig, StoreChoice

_POLL = 0.5
"""Seconds between two looks for what other processes make."""
Progress = Callable[[int, int], None]
"""Told how many of how many samples are done."""


@dataclass
class Source:
    """Features of one part of a task."""

    part: str
    config: BackboneConfig
    inputs: Inputs
    outline: Outline
    fingerprint: Fingerprint
    store: FeatureStore | None
    """None where the backbone runs in every step."""
    backbone: Backbone | None
    """None where a store stands for it."""
    skipped: dict[str, str]
    """Inputs that cannot be used, with the reason."""
    fresh: bool = False
    """Whether the store was made in this call, from nothing."""

    def features(self, rows: Sequence[int] | Int[Tensor, " rows"], layers: tuple[int, ...]) -> Features:
        """Features of some inputs, padded to the longest, holding the given hidden states."""
        numbers = rows.tolist() if isinstance(rows, Tensor) else list(rows)
        if self.store is not None:
            return self.store.select(layers)[numbers]
        return self.read([self.inputs[row] for row in numbers], layers)

    def read(self, samples: Sequence[dict[str, Tensor]], layers: tuple[int, ...]) -> Features:
        """Run the backbone over prepared inputs."""
        assert self.backbone is not None
        return read(self.backbone, samples, layers)

    @cached_property
    def bad_rows(self) -> tuple[int, ...]:
        """Rows of the inputs that cannot be used."""
        return tuple(row for row, name in enumerate(self.inputs.ids) if name in self.skipped)

    def fit(self, side: SideConfig) -> tuple[Side, tuple[int, ...]]:
        """A fresh side network for this part, and the hidden states that it reads. SHERL loads its late layers."""
        if isinstance(side, LSTConfig) and side.init != "random":
            raise InputError(
                f"init = {side.init!r} prunes the weights of a task model, which stored features do not hold. Use "
                'init = "random" here, or lichen.attach() on a model.'
            )
        reading = reading_of(side, self.outline)
        late = None
        if reading.late:
            late = LateLayers(self._late_trunk(reading.late), reading.late)
        return fit_side(side, self.outline, late)[0], reading.stored

    def _late_trunk(self, count: int) -> Any:
        if self.backbone is not None:
            trunks = self.backbone.trunks
            return trunks[pick("part", self.config.part or next(iter(trunks)), trunks)]
        config, digests = self.config, None if self.store is None else self.store.digests
        return load_late(config.name, count, part=config.part, revision=config.revision, digests=digests)


def load_backbone(config: BackboneConfig) -> Backbone:
    """The frozen model of a part. Its processor is there too.

    Raises:
        InputError: nothing is found, or the model comes without a processor.
    """
    backbone = Backbone.from_pretrained(config.name, part=config.part, revision=config.revision)
    if backbone.processor is None:
        raise InputError(
            f"{config.name!r} comes without a tokenizer or an image processor. Save its tokenizer.json or "
            "preprocessor_config.json beside its weights."
        )
    return backbone


def load_processor(config: BackboneConfig) -> Any:
    """Tokenizer or image processor of a part, without its weights.

    Raises:
        InputError: there is none.
    """
    from transformers import AutoImageProcessor, AutoProcessor, AutoTokenizer

    from ..backbones.embedded import load_processor as embedded_processor

    if config.name.startswith(PREFIX):
        return embedded_processor(pick("embedded model", config.name.removeprefix(PREFIX), EMBEDDED))
    for loader in (AutoProcessor, AutoTokenizer, AutoImageProcessor):
        try:
            return loader.from_pretrained(config.name, revision=config.revision)
        except (OSError, ValueError, KeyError, ImportError):
            continue
    if not Path(config.name).exists():
        raise InputError(
            f"There is no folder {config.name!r} here, and no model of this id could be had from the hub. Give a "
            f"folder, a hub id, or one of {', '.join(PREFIX + name for name in EMBEDDED)}."
        )
    raise InputError(
        f"No tokenizer or image processor is found for {config.name!r}. Give a hub id, or a folder that holds "
        "tokenizer.json or preprocessor_config.json."
    )


def open_source(
    wanted: Wanted, choice: StoreChoice, progress: Progress | None = None, share: tuple[int, int] | None = None
) -> Source:
    """The source of a part: its store, which is made or completed where needed, or its live backbone.

    Args:
        wanted: what it is to be.
        choice: of the recipe.
        progress: told of the frozen pass.
        share: of the shards; None: as processes launched together share them.

    Raises:
        InputError: the backbone cannot be had, too many samples are bad, or the store's folder is in other use.
    """
    part, config, inputs, folder = wanted.part, wanted.config, wanted.inputs, wanted.folder
    if choice.live:
        backbone = load_backbone(config)
        skipped = _look_through(inputs, progress)
        _try(backbone, inputs, skipped)
        outline = backbone.outline(config.part)
        return Source(part, config, inputs, outline, backbone.fingerprint, None, backbone, skipped)
    alone = int(os.environ.get("WORLD_SIZE", "1")) == 1 and share in (None, (0, 1))
    store, fresh = _find(folder, alone), not folder.exists()
    if store is None:
        store = _build(config, inputs, folder, wanted.store, choice.batch, progress, share)
    elif progress is not None:
        progress(len(inputs), len(inputs))
    return Source(part, config, inputs, store.outline, store.fingerprint, store, None, dict(store.skipped), fresh)


def _find(folder: Path, repair: bool) -> FeatureStore | None:
    """The finished store in a folder; None where there is none, or a damaged one that may be repaired.

    Raises:
        CheckpointError: it is damaged, and others may be at work in its folder.
    """
    try:
        return FeatureStore.find(folder)
    except CheckpointError as error:
        if not repair:
            raise
        print(f"lichen: {error}\nlichen: making it again …", file=sys.stderr)
        return None


def _build(
    config: BackboneConfig,
    inputs: Inputs,
    folder: Path,
    wanted: StoreConfig,
    batch: int,
    progress: Progress | None,
    share: tuple[int, int] | None,
) -> FeatureStore:
    """Make a store, or this process's share of it and wait for the rest."""
    own = share or (int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))
    backbone = load_backbone(config)
    try:
        return FeatureStore.build(
            backbone, inputs, folder, wanted, part=config.part, share=own, batch=batch, progress=progress
        )
    except UnfinishedStore:
        if share is not None:
            raise
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            f"Memory ran out in the frozen pass. What was finished is kept. Lower store.batch (now {batch}), "
            "backbone.size or backbone.max_tokens; a lower store.batch goes on where this pass stopped."
        ) from error
    # The launcher ends all processes when one of the others fails, so this wait has an end.
    while (store := FeatureStore.find(folder)) is None:
        time.sleep(_POLL)
    return store


def is_first_process() -> bool:
    """Whether this process speaks for all that a launcher (torchrun, accelerate) started together."""
    return int(os.environ.get("RANK", "0")) == 0


def _look_through(inputs: Inputs, progress: Progress | None) -> dict[str, str]:
    """Try every sample once, as the writer of a store does, so that a bad one does not end a training midway."""
    tally = Tally(len(inputs))
    for row in range(len(inputs)):
        try:
            inputs[row]
        except BadSample as bad:
            tally.add(bad)
        if progress is not None:
            progress(row + 1, len(inputs))
    return tally.skipped


def _try(backbone: Backbone, inputs: Inputs, skipped: Mapping[str, str]) -> None:
    """Read one sample, so that a model that cannot read such inputs says so before the first step."""
    for row, name in enumerate(inputs.ids):
        if name not in skipped:
            read(backbone, [inputs[row]], 1)
            return
