"""What one training step of each method needs: the code that trains runs on shapes, and is counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...backbones.backbone import Backbone
from ...backbones.features import Features
from ...errors import InputError
from ...features.codecs import CODECS
from ...features.reading import padded_length
from ...features.store import FeatureStore
from ...heads.given import Given
from ...memory import PeakBytes, tensors_in
from ...side.config import SideConfig
from ...side.fit import reading_of
from ...tasks.model import SideModel
from ...tasks.task import Examples
from ..comparing.arena import padded, shapes_of
from ..comparing.methods import Method
from ..comparing.peers import PeerModel
from ..pipeline import Batches, Prepared
from ..sources import Source
from .batches import Places
from .estimate import StepEstimate, estimate_pass, estimate_step, fake_weights
from .sources import FewTexts, FirstPass, StoreShape, first_samples
from .speed import Meter, Speed, Work, seconds

_POINTS = 3
"""Lengths of texts at which a frozen pass is counted; between them its time is interpolated."""
_NOTHING = Work(0, 0, 0)


@dataclass(frozen=True)
class Step:
    """One batch of one method, forward and backward."""

    estimate: StepEstimate
    peak_bytes: int
    """Batch, activations, gradients and the frozen pass; without weights and optimiser."""
    work: Work
    """Forward, backward and what comes before them; without the update of the weights."""


class Counted:
    """A method, ready to be counted. Subclasses say what its model reads."""

    model: nn.Module
    """On the meta device; called with `arguments`."""
    frozen_bytes: int
    """Weights in memory that are not trained."""

    def __init__(self, prepared: Prepared, examples: Examples) -> None:
        self.prepared = prepared
        self.batches = Batches(examples, prepared.sources, {}, prepared.task.told)

    def arguments(self, places: Places) -> tuple[dict[str, Any], Work, int]:
        """Arguments of the model for some examples; the work of making them, and bytes alive meanwhile."""
        raise NotImplementedError

    def step(self, places: Places) -> Step:
        """One batch of examples, by place."""
        arguments, before, peak = self.arguments(places)
        model = self.model
        if self.prepared.recipe.train.precision == "bfloat16":
            model = _Autocast(model)
        found = estimate_step(model, arguments)
        return Step(found, max(peak, found.peak_bytes), before + found.forward + found.backward)


class SideCounted(Counted):
    """Side networks and head, beside stores or backbones that run in every step."""

    def __init__(
        self,
        prepared: Prepared,
        examples: Examples,
        configs: Mapping[str, SideConfig],
        layers: Mapping[str, tuple[int, ...]],
        passes: dict[Any, tuple[Mapping[str, Features], Work, int]],
    ) -> None:
        """
        Args:
            prepared: without weights; its sources have stores, or else run live.
            examples: of the training side.
            configs: of the side networks, by part.
            layers: hidden states that they read, by part.
            passes: live passes that were counted before; filled here.

        Raises:
            InputError: they cannot serve these backbones.
        """
        super().__init__(prepared, examples)
        sources, self.passes = prepared.sources, passes
        self.live = any(source.store is None for source in sources.values())
        with torch.device("meta"):
            sides = {part: source.fit(configs[part])[0] for part, source in sources.items()}
        with fake_weights(*sides.values()):
            given = {part: Given.of(source.outline, sides[part]) for part, source in sources.items()}
        # The head may look at the data's labels, so it is made where tensors have values.
        head = prepared.task.make_head(given, prepared.dataset).to("meta")
        self.model = SideModel(sides, head)
        self.batches = Batches(examples, sources, layers, prepared.task.told)
        late = (getattr(side, "late", None) for side in sides.values())
        again = [block for each in late if each is not None for block in each.trunk.blocks[-each.count :]]
        self.frozen_bytes = (
            _weights(backbone_of(each).model for each in sources.values()) if self.live else _weights(again)
        )

    def arguments(self, places: Places) -> tuple[dict[str, Any], Work, int]:
        batch = self.batches(places)
        if not self.live:
            features = batch["features"]
            work, peak = self._reading(features), 0
        else:
            features, work, peak = self._read(places, batch["samples"])
        return {"features": features, "targets": batch["targets"]}, work, peak

    def _read(self, places: Places, samples: Mapping[str, Any]) -> tuple[Mapping[str, Features], Work, int]:
        """Features of the live backbones, the work of the pass, and its peak."""
        key = (places, tuple(self.batches.layers.items()))
        if key not in self.passes:
            models = [backbone_of(source).model for source in self.prepared.sources.values()]
            with fake_weights(*models), Meter() as meter, PeakBytes(samples) as living:
                features = self.batches.read(samples)
            self.passes[key] = features, meter.work, living.peak
        return self.passes[key]

    def _reading(self, features: Mapping[str, Features]) -> Work:
        """Copying a batch out of the stores and decoding it."""
        dtype = CODECS[self.prepared.recipe.store.codec].dtype
        size = _bytes_of(features)
        # Cells are read and written once; other formats are then read again and become float32 in two sweeps.
        moved = size * dtype.itemsize // 2 + (0 if dtype == torch.float32 else 3 * size)
        return Work(0, moved, 8 * len(features))


class PeerCounted(Counted):
    """Backbones with gradients inside them."""

    def __init__(self, prepared: Prepared, examples: Examples, method: Method) -> None:
        """As `SideCounted`.

        Raises:
            InputError, MissingPackageError: the method cannot serve these backbones.
        """
        super().__init__(prepared, examples)
        given = {part: Given.of(source.outline) for part, source in prepared.sources.items()}
        head = prepared.task.make_head(given, prepared.dataset).to("meta")
        with torch.device("meta"):
            # It changes backbones, so it gets its own.
            self.model = PeerModel(shapes_of(prepared.recipe), method.base, head, method.rank)
        trained = sum(_size(parameter) for parameter in self.model.parameters() if parameter.requires_grad)
        self.frozen_bytes = _weights([self.model]) - trained

    def arguments(self, places: Places) -> tuple[dict[str, Any], Work, int]:
        batch = self.batches(places)
        sources = self.prepared.sources
        inputs = {part: padded(backbone_of(sources[part]), some) for part, some in batch["samples"].items()}
        return {"inputs": inputs, "targets": batch["targets"]}, _NOTHING, 0


class _Autocast(nn.Module):
    """Runs a model in bfloat16 as accelerate does."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, **arguments: Any) -> Any:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.model(**arguments)


class Stores:
    """Stores that a recipe would make: what they hold, and how long the frozen pass takes. Each is looked at once."""

    def __init__(self, prepared: Prepared, speed: Speed) -> None:
        self.prepared, self.speed = prepared, speed
        self._passes: dict[str, FirstPass] = {}
        self._shapes: dict[tuple[str, tuple[int, ...] | None], StoreShape] = {}
        self._times: dict[str, float] = {}

    def shape(self, part: str, layers: tuple[int, ...]) -> StoreShape:
        """The store of a part for a network that reads these hidden states; the recipe may name others.

        Raises:
            InputError: no store can hold such features.
        """
        choice, source = self.prepared.recipe.store, self.prepared.sources[part]
        key = (part, layers if choice.layers is None else None)
        if key not in self._shapes:
            config = choice.config() if choice.layers is not None else replace(choice.config(), layers=layers)
            if part not in self._passes:
                self._passes[part] = FirstPass(backbone_of(source), source.inputs)
            self._shapes[key] = StoreShape(self._passes[part], config)
        return self._shapes[key]

    def sources(self, layers: Mapping[str, tuple[int, ...]]) -> dict[str, Source]:
        """Sources with such stores, by part.

        Raises:
            InputError: as `shape`, or the recipe's choice of layers lacks one of these.
        """
        found = {}
        for part, source in self.prepared.sources.items():
            shape = self.shape(part, layers[part])
            store: FeatureStore = shape.store(shape.lengths(source.inputs))
            store.select(layers[part])
            found[part] = replace(source, store=store)
        return found

    def seconds(self, part: str) -> float:
        """Time of the one frozen pass over all samples, whichever states are kept."""
        if part not in self._times:
            self._times[part] = self._seconds(self.prepared.sources[part])
        return self._times[part]

    def _seconds(self, source: Source) -> float:
        backbone, inputs = backbone_of(source), source.inputs
        sample = first_samples(inputs, 1)[0]
        rows = max(2, min(self.prepared.recipe.store.batch, len(inputs)))

        def each(length: int) -> float:
            batch = {name: _repeated(value, rows, length) for name, value in sample.items()}
            return seconds(estimate_pass(backbone, batch).work, self.speed) / rows

        if not isinstance(inputs, FewTexts):
            return len(inputs) * each(0)
        part = backbone.part or next((name for name in ("text", "encoder") if name in backbone.paths), None)
        part = part or next(iter(backbone.paths))
        lengths = [padded_length(backbone, part, int(count)) for count in inputs.known(inputs.sampled) if count]
        values = np.unique(lengths)
        points = np.unique(values[np.linspace(0, len(values) - 1, _POINTS).round().astype(int)])
        return len(inputs) * float(np.interp(lengths, points, [each(int(point)) for point in points]).mean())


def layers_of(prepared: Prepared, configs: Mapping[str, SideConfig]) -> dict[str, tuple[int, ...]]:
    """Hidden states that side networks read, by part.

    Raises:
        InputError: there are no such states, or no store holds one of them.
    """
    return {part: reading_of(configs[part], source.outline).stored for part, source in prepared.sources.items()}


def backbone_of(source: Source) -> Backbone:
    """The backbone of a source, which a planned one always has.

    Raises:
        InputError: there is none.
    """
    if source.backbone is None:
        raise InputError(f"Part {source.part!r} has no backbone to count.")
    return source.backbone


def _repeated(value: Tensor, rows: int, length: int) -> Tensor:
    """A batch of one picture, or of a text's first number, over and over."""
    return value[None].expand(rows, *value.shape) if length == 0 else value[:1].expand(rows, length).contiguous()


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _weights(modules: Iterable[nn.Module]) -> int:
    return sum(_size(tensor) for module in modules for tensor in [*module.parameters(), *module.buffers()])


def _bytes_of(features: Mapping[str, Features]) -> int:
    storages = {tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in tensors_in(features)}
    return sum(storages.values())
