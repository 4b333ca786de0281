"""What stands in for pictures, texts, backbones and stores while a training is planned: shapes without contents.

They are handed to the code that trains (`pipeline.Batches`, `Source`, `FeatureStore`), so that a plan counts what will
run. No weights are read and no picture is opened; texts are tokenised, as few as the plan needs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from transformers import AutoTokenizer

from ...backbones.backbone import PREFIX, Backbone
from ...backbones.embedded import EMBEDDED
from ...backbones.embedded.dinov2 import PREPROCESSOR as DINOV2
from ...backbones.embedded.efficientnet_convert import PREPROCESSOR as EFFICIENTNET
from ...backbones.embedded.registry import locate_weights
from ...backbones.features import Features
from ...backbones.fingerprint import Fingerprint
from ...backbones.layers import choose_layers
from ...data.inputs import ImageInputs, TextInputs
from ...errors import BadSample, pick
from ...features.config import StoreConfig
from ...features.index import Names
from ...features.preflight import digest_of_names, reader_of
from ...features.reader import Reader, runs_of
from ...features.reading import Sample, read
from ...features.record import Record
from ...features.store import FeatureStore
from ...features.tokens import choose_tokens, lengths_of
from ..recipe import BackboneConfig
from ..sources import load_processor
from .estimate import fake_weights

LOOKED_AT = 2_000
"""Texts of a part that are tokenised, spread evenly; all of them where there are no more."""
_PREPROCESSORS = {"dinov2-small": DINOV2, "efficientnet-lite0": EFFICIENTNET}
_DIGEST = "0" * 64


class SquareProcessor(SimpleNamespace):
    """Settings of an image processor, of which only the framing is asked for."""

    def preprocess(self, *args: Any, **kwargs: Any) -> Any:
        """What makes this an image processor to `ImageInputs`; a plan prepares no picture."""
        raise NotImplementedError


def planned_processor(config: BackboneConfig) -> Any:
    """Tokenizer or image processor of a part. Of embedded picture models only the settings: no package is needed.

    Raises:
        InputError: there is none.
        MissingPackageError: the package that holds a tokenizer is not installed.
    """
    if config.name.startswith(PREFIX):
        name = pick("embedded model", config.name.removeprefix(PREFIX), EMBEDDED)
        if name in _PREPROCESSORS:
            return SquareProcessor(**_PREPROCESSORS[name])
        if EMBEDDED[name].kind == "text":
            return AutoTokenizer.from_pretrained(locate_weights(EMBEDDED[name]).parent, local_files_only=True)
    return load_processor(config)


class BlackPictures(ImageInputs):
    """As many pictures as there will be, of the right size; none is opened."""

    @classmethod
    def of(cls, inputs: ImageInputs) -> BlackPictures:
        """Stand-ins for these pictures."""
        return cls(inputs.dataset, inputs.rows, inputs.processor, inputs.framing.size, inputs.views)

    def _sample(self, place: int) -> dict[str, Tensor]:
        return {"pixel_values": torch.zeros(3, self.framing.size, self.framing.size)}


class FewTexts(TextInputs):
    """Texts of which only those that are asked for are tokenised."""

    def __init__(self, texts: Sequence[str], ids: Sequence[str], tokenizer: Any, max_tokens: int | None) -> None:
        """As `TextInputs`. `LOOKED_AT` texts are tokenised at once."""
        super().__init__(texts, ids, tokenizer, max_tokens)
        self._found: dict[int, Any] = {}
        self.sampled = evenly(len(self), LOOKED_AT)
        """Places of those."""
        self.look_at(self.sampled)

    @classmethod
    def of(cls, inputs: TextInputs) -> FewTexts:
        """The same texts."""
        return cls(inputs.texts, inputs.ids, inputs.tokenizer, inputs.max_tokens)

    def look_at(self, places: Iterable[int]) -> None:
        """Tokenise some of the texts, those that have not been yet."""
        new = [place for place in dict.fromkeys(places) if place not in self._found]
        some = TextInputs(
            [self.texts[place] for place in new], [self.ids[place] for place in new], self.tokenizer, self.max_tokens
        )
        self._found |= {place: some._entry(number) for number, place in enumerate(new)}

    def _entry(self, place: int) -> Any:
        self.look_at([place])
        return self._found[place]

    def known(self, places: Iterable[int]) -> Int[np.ndarray, " places"]:
        """Tokens of some texts; 0 for those that cannot be used."""
        entries = [self._entry(place) for place in places]
        return np.array([0 if isinstance(entry, BadSample) else len(entry[0]) for entry in entries], dtype=np.int64)

    def lengths(self) -> Int[Tensor, " samples"]:
        """Tokens of each text; of those not looked at the mean of the others."""
        sample = self.known(self.sampled)
        found = np.full(len(self), round(float(sample[sample > 0].mean())) if sample.any() else 0)
        places = list(self._found)
        found[places] = self.known(places)
        return torch.from_numpy(found)

    @property
    def bad(self) -> dict[str, str]:
        """Texts found to be of no use: id and reason."""
        return {entry.id: entry.reason for entry in self._found.values() if isinstance(entry, BadSample)}


def evenly(count: int, most: int) -> list[int]:
    """At most `most` of the numbers below `count`, evenly spread."""
    if count <= most:
        return list(range(count))
    return np.unique(np.linspace(0, count - 1, most).round().astype(int)).tolist()


class _ShapeReader(Reader):
    """Gives batches laid out as the real reader lays them out, without memory."""

    def __init__(self, record: Record, lengths: Int[np.ndarray, " rows"], like: Tensor) -> None:
        # All codecs hand out float32; this one has the least to build.
        plain = replace(record, config=replace(record.config, codec="float32"))
        super().__init__(Path(), plain, None, lengths, np.zeros_like(lengths))
        self._like = like

    def states(self, rows: Int[np.ndarray, " rows"], wanted: tuple[int, ...]) -> dict[int, Tensor]:
        longest = int(self.lengths[rows].max())
        found: dict[int, Tensor] = {}
        for field, states in runs_of(self.packing, wanted):
            shape = (states.stop - states.start, len(rows), field.rows or longest, field.cells)
            values = self.packing.join(field, self._like.new_empty(shape, dtype=torch.float32))
            found |= zip(range(states.start, states.stop), values, strict=True)
        return found

    def extra(self, name: str, rows: Int[np.ndarray, " rows"]) -> Tensor:
        if name == "anchor":
            return torch.from_numpy(self.lengths[rows] - 1)
        return self._like.new_empty((len(rows), self.record.pooled or 0), dtype=torch.float32)


class FirstPass:
    """What a backbone without weights leaves of the first samples of a part: all states, without contents."""

    def __init__(self, backbone: Backbone, inputs: ImageInputs | TextInputs) -> None:
        """
        Args:
            backbone: from `fake_backbone`; its `part` is the one to read.
            inputs: of the part.

        Raises:
            InputError: the backbone cannot read them, or none of them can be used.
        """
        samples = first_samples(inputs)
        backbone = reader_of(backbone, backbone.part, samples[0])
        self.inputs = inputs
        self.part = str(backbone.part)
        self.outline = backbone.outline(self.part)
        self.architecture = type(backbone.model).__name__
        self.tensors = tuple(backbone.trunks[self.part].module.state_dict())
        """Names of the trunk's weights."""
        with fake_weights(backbone.model):
            alone: dict[str, Any] = {name: value[None] for name, value in samples[0].items()}
            self.ends_with_final = _ends_with_final(backbone(**alone))
            """Whether the final output is the last state itself, which a store then keeps once."""
            self.features = read(backbone, samples)


class StoreShape:
    """What a store will hold, known without weights."""

    def __init__(self, seen: FirstPass, config: StoreConfig) -> None:
        """
        Args:
            seen: what the backbone leaves of the first samples.
            config: of the store.

        Raises:
            InputError: no store can hold such features.
        """
        outline, inputs = seen.outline, seen.inputs
        indices = choose_layers(config.layers, len(outline.widths))
        features = seen.features.select(indices)
        if seen.ends_with_final and indices[-1] == len(outline.widths) - 1:
            features = replace(features, final=features.states[-1])
        with fake_weights():
            features = choose_tokens(features, config, causal=outline.causal)
        self._like = features.final
        self._fixed = 1 if features.is_maps else features.final.shape[1] if outline.modality == "image" else None
        self.record = Record.of(
            features,
            fingerprint=Fingerprint(f"{seen.architecture} of width {outline.width}", "float32", *[_DIGEST] * 3),
            part=seen.part,
            outline=outline,
            config=config,
            samples=len(inputs),
            ids=digest_of_names(inputs.ids),
            items=hashlib.sha256().hexdigest(),
            inputs=inputs.settings,
            digests=dict.fromkeys(seen.tensors, _DIGEST),
        )

    def lengths(self, inputs: ImageInputs | TextInputs) -> Int[np.ndarray, " rows"]:
        """Stored tokens of each sample; 1 for maps, 0 for a sample that cannot be used."""
        if not isinstance(inputs, TextInputs):
            return np.full(len(inputs), self._fixed, dtype=np.int64)
        tokens = inputs.lengths().numpy()
        values, places = np.unique(tokens, return_inverse=True)
        return self._chosen(values)[places]

    def _chosen(self, tokens: Int[np.ndarray, " values"]) -> Int[np.ndarray, " values"]:
        """How many tokens of texts with so many of them are kept."""
        counts = torch.from_numpy(tokens).clamp(min=1)
        mask = torch.arange(int(counts.max())) < counts[:, None]
        anchor = counts - 1 if self.record.anchor else None
        texts = Features((), torch.zeros(*mask.shape, 1), mask=mask, anchor=anchor)
        kept = lengths_of(choose_tokens(texts, self.record.config, causal=self.record.outline.causal)).numpy()
        return np.where(tokens > 0, kept, 0)

    def store(self, lengths: Int[np.ndarray, " rows"]) -> FeatureStore:
        """A store whose batches have the shapes of the real one's, and no memory."""
        names = Names(b"", np.zeros(len(lengths), np.int64))
        return FeatureStore(_ShapeReader(self.record, lengths, self._like), names, {}, self.record.states)


def first_samples(inputs: ImageInputs | TextInputs, count: int = 2) -> list[Sample]:
    """The first samples that can be used.

    Raises:
        BadSample: none can.
    """
    samples: list[Sample] = []
    last: BadSample | None = None
    for place in range(len(inputs)):
        try:
            samples.append(inputs[place])
        except BadSample as bad:
            last = bad
        if len(samples) == count:
            break
    if not samples and last is not None:
        raise last
    return samples


def _ends_with_final(features: Features) -> bool:
    last, final = features.states[-1], features.final
    same_storage = last.untyped_storage()._cdata == final.untyped_storage()._cdata
    return same_storage and last.shape == final.shape and last.stride() == final.stride()
