"""`make_plan`: what a recipe will need in memory, time and disk, before anything is run and without any weights.

Backbones are built from their settings alone, texts are tokenised, pictures are not opened. Bytes kept for backward are
counted on the first training batch, as `lichen train` counts them; bytes on disk are added up file by file. Times are
rough: the counted work by the speed of this machine.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from ...backbones.fingerprint import Fingerprint
from ...data.inputs import ImageInputs
from ...data.readers import load
from ...data.views import Views
from ...errors import InputError
from ...features.config import Codec
from ...features.writer import FITTED_ON
from ...side.config import CONFIGS, SideConfig
from ...tasks import TASKS
from ...tasks.task import Examples, Preparation
from ..comparing.methods import Method
from ..pipeline import Prepared
from ..places import FEATURES
from ..recipe import Recipe
from ..sources import Source
from .batches import PlannedBatches, planned_batches
from .estimate import fake_backbone
from .sources import BlackPictures, FewTexts, planned_processor
from .speed import Speed, Work, machine_speed, seconds
from .steps import Counted, PeerCounted, SideCounted, Stores, layers_of
from .store import store_bytes, with_codec

PEERS_SHOWN = ("lora", "lora-checkpointed", "full")
"""Methods besides side networks, where none are named."""
UNCOUNTED = (
    "a step of {} depends on boxes, relations or captions, not on shapes alone, so it is not counted here. "
    "`lichen train` with --set train.steps=2 reports what a step keeps and takes."
)
"""Why a method has no numbers."""
TRAINER_SECONDS = 0.003
"""What transformers' Trainer adds to every update."""


@dataclass(frozen=True)
class PartPlan:
    """The samples of one part of the task."""

    part: str
    backbone: str
    kind: Literal["text", "image"]
    samples: int
    """Of all splits; views counted."""
    tokens_mean: float | None
    """Tokens of a text, special ones included; None for pictures."""
    tokens_longest: int | None
    tokenised: int | None
    """Texts that these two were counted on."""
    picture_size: int | None
    """Edge in pixels; None for texts."""


@dataclass(frozen=True)
class MethodPlan:
    """What one method needs. All numbers are None where `problem` says why it cannot train this."""

    method: str
    """As `lichen compare` writes it: "unipt" reads a store, "unipt@live" runs the backbone in every step."""
    features: Literal["store", "live", "tuned"]
    """tuned: gradients run inside the backbone."""
    problem: str | None = None
    trained_parameters: int | None = None
    kept_bytes: int | None = None
    """Kept by autograd on the first training batch: what `lichen train` reports."""
    gradient_bytes: int | None = None
    optimiser_bytes: int | None = None
    """State of AdamW."""
    peak_bytes: int | None = None
    """Weights, optimiser, gradients and activations in that step. Python and its libraries come on top."""
    step_seconds: float | None = None
    """An update on batches of typical length; rough."""
    feature_seconds: float | None = None
    """The one frozen pass before it; 0 where there is none."""
    run_seconds: float | None = None
    """All updates and the frozen pass."""


@dataclass(frozen=True)
class LongestPlan:
    """What the first of the methods needs on the longest batch of texts."""

    tokens: int
    """Of that batch, padding included."""
    kept_bytes: int
    peak_bytes: int


@dataclass(frozen=True)
class StorePlan:
    """The features of one part in one number format."""

    part: str
    codec: str
    layers: tuple[int, ...]
    """Hidden states that this recipe stores."""
    bytes: int
    """Of all files."""
    bytes_per_sample: int
    seconds: float
    """Of the one frozen pass; rough."""
    chosen: bool
    """Whether the recipe asks for this format."""


@dataclass(frozen=True)
class DiskPlan:
    """Whether the stores of a recipe fit."""

    folder: str
    """Where they will lie."""
    free_bytes: int
    needed_bytes: int
    """In the recipe's number format, all parts; 0 where it trains live."""
    fits: bool


@dataclass(frozen=True)
class Plan:
    """All of it."""

    recipe: str
    task: str
    splits: dict[str, int]
    """Samples by split."""
    skipped: int
    """Samples known to be of no use."""
    examples: int
    """What an epoch learns from: samples, or pairs."""
    batch: int
    accumulate: int
    updates: int
    """Of the whole training."""
    parts: tuple[PartPlan, ...]
    methods: tuple[MethodPlan, ...]
    longest: LongestPlan | None
    """None where all batches have one shape."""
    stores: tuple[StorePlan, ...]
    disk: DiskPlan
    speed: Speed
    """Of this machine, as measured now."""

    def to_dict(self) -> dict[str, Any]:
        """Field names and values, nested, as JSON can hold them."""
        return asdict(self)


def make_plan(
    recipe: Recipe,
    methods: Sequence[Method] | None = None,
    speed: Speed | None = None,
    report: Callable[[str], None] = lambda stage: None,
) -> Plan:
    """Plan a training.

    Args:
        recipe: of the run.
        methods: what to plan besides the features. None takes the recipe's own side networks, then the others, from
            stores and live, and `PEERS_SHOWN`.
        speed: of the machine; None measures it for a moment.
        report: told what is planned next.

    Raises:
        InputError: data or a backbone that cannot be used, or a recipe that `lichen train` refuses.
    """
    prepared = prepare_without_weights(recipe)
    own = own_method(recipe)
    layers = layers_of(prepared, recipe.sides)
    speed = machine_speed() if speed is None else speed
    examples = prepared.examples("train")
    batches = planned_batches(examples, prepared.sources, recipe)
    stores = Stores(prepared, speed)
    report("stores")
    stored = tuple(plan for part in prepared.sources for plan in _stores(stores, part, layers[part]))
    planner = _Methods(prepared, examples, batches, stores, own)
    wanted = methods
    if wanted is None:
        wanted = default_methods(recipe) if prepared.task.shapes_suffice else [own]
    planned = []
    for method in wanted:
        report(method.name)
        planned.append(planner.plan(method))
    return Plan(
        recipe=recipe.name,
        task=recipe.task,
        splits={split: len(rows) for split, rows in prepared.dataset.splits.items()},
        skipped=len(prepared.skipped),
        examples=len(examples),
        batch=recipe.train.batch,
        accumulate=recipe.train.accumulate,
        updates=batches.updates,
        parts=tuple(_part(source) for source in prepared.sources.values()),
        methods=tuple(planned),
        longest=planner.longest,
        stores=stored,
        disk=_disk(recipe, stored),
        speed=speed,
    )


def own_method(recipe: Recipe) -> Method:
    """The recipe's own side networks; their names are joined where they differ by part."""
    return Method("+".join(dict.fromkeys(side.method for side in recipe.sides.values())), live=recipe.store.live)


def default_methods(recipe: Recipe) -> list[Method]:
    """What is planned where nothing is named: the recipe's own first."""
    own = own_method(recipe)
    sides = [Method(name, live=live) for name in CONFIGS for live in (False, True)]
    found = [own, replace(own, live=not own.live), *sides, *map(Method, PEERS_SHOWN)]
    return list({method.name: method for method in found}.values())


def prepare_without_weights(recipe: Recipe) -> Prepared:
    """As `pipeline.prepare`, with stand-ins for backbones and samples."""
    dataset = load(recipe.data)
    task = TASKS[recipe.task].of(dataset, recipe.data, recipe.head, tuple(recipe.backbones))
    sources = {}
    for part, config in recipe.backbones.items():
        views = Views(recipe.store.views, recipe.seed) if recipe.store.views > 1 else None
        how = Preparation(planned_processor(config), config.size, config.max_tokens, views)
        found = task.inputs(dataset, part, how)
        inputs = BlackPictures.of(found) if isinstance(found, ImageInputs) else FewTexts.of(found)
        backbone = fake_backbone(config.name, part=config.part, revision=config.revision)
        outline = backbone.outline(config.part)
        skipped = inputs.bad if isinstance(inputs, FewTexts) else {}
        sources[part] = Source(part, config, inputs, outline, Fingerprint("", "", ""), None, backbone, skipped)
    return Prepared(recipe, dataset, task, sources, 0.0)


def _part(source: Source) -> PartPlan:
    inputs, name = source.inputs, source.config.name
    if not isinstance(inputs, BlackPictures | FewTexts):
        raise InputError(f"{source.part!r} reads {type(inputs).__name__}, which no plan counts.")
    if isinstance(inputs, BlackPictures):
        return PartPlan(source.part, name, "image", len(inputs), None, None, None, inputs.framing.size)
    lengths = inputs.known(inputs.sampled)
    lengths = lengths[lengths > 0]
    mean = round(float(lengths.mean()), 2)
    return PartPlan(source.part, name, "text", len(inputs), mean, int(lengths.max()), len(inputs.sampled), None)


def _stores(stores: Stores, part: str, layers: tuple[int, ...]) -> list[StorePlan]:
    """The store of a part in every number format."""
    choice, inputs = stores.prepared.recipe.store, stores.prepared.sources[part].inputs
    shape = stores.shape(part, layers)
    lengths = shape.lengths(inputs)
    once = stores.seconds(part)
    found = []
    for codec in get_args(Codec):
        size = store_bytes(with_codec(shape.record, codec), lengths, inputs.ids)
        # pca runs the backbone over some samples once more, to fit its components.
        share = 1 + min(FITTED_ON / len(inputs), 1) if codec == "pca" else 1
        chosen = codec == choice.codec and not choice.live
        each = round(size / len(inputs))
        found.append(StorePlan(part, codec, shape.record.states, size, each, once * share, chosen))
    return found


def _disk(recipe: Recipe, stores: Sequence[StorePlan]) -> DiskPlan:
    folder = Path(recipe.store.folder) if recipe.store.folder else FEATURES
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    needed = sum(store.bytes for store in stores if store.chosen)
    return DiskPlan(str(folder), free, needed, needed <= free)


class _Methods:
    """Plans methods one by one."""

    def __init__(
        self, prepared: Prepared, examples: Examples, batches: PlannedBatches, stores: Stores, own: Method
    ) -> None:
        self.prepared, self.examples, self.batches, self.stores, self.own = prepared, examples, batches, stores, own
        self.passes: dict[Any, Any] = {}
        self.longest: LongestPlan | None = None
        """Of the first method that was planned."""

    def plan(self, method: Method) -> MethodPlan:
        """What a method needs, or why it cannot train this; of the recipe's own that is an error.

        Raises:
            InputError: the recipe's own side network does not fit.
        """
        features: Literal["store", "live", "tuned"] = "tuned" if method.is_peer else "live" if method.live else "store"
        if not self.prepared.task.shapes_suffice:
            return MethodPlan(method.name, features, UNCOUNTED.format(self.prepared.task.name))
        try:
            return self._plan(method, features)
        except InputError as error:
            if method == self.own:
                raise
            return MethodPlan(method.name, features, str(error))

    def _plan(self, method: Method, features: Literal["store", "live", "tuned"]) -> MethodPlan:
        settings, speed, batches = self.prepared.recipe.train, self.stores.speed, self.batches
        counted, before = self._counted(method)
        first = counted.step(batches.first)
        counts = first.estimate
        held = counted.frozen_bytes + counts.gradient_bytes + counts.optimiser_bytes
        if self.longest is None and batches.longest != batches.first:
            step = counted.step(batches.longest)
            tokens = round(batches.longest_tokens)
            self.longest = LongestPlan(tokens, step.estimate.kept_bytes, held + step.peak_bytes)
        # AdamW reads weight, gradient and two moments and writes three of them; clipping reads and writes gradients.
        update = Work(0, 10 * counts.gradient_bytes, 4 * sum(1 for _ in counted.model.parameters()))
        each = settings.accumulate * seconds(_scaled(first.work, batches.typical), speed)
        each += seconds(update, speed) + TRAINER_SECONDS
        return MethodPlan(
            method=method.name,
            features=features,
            trained_parameters=counts.trained_parameters,
            kept_bytes=counts.kept_bytes,
            gradient_bytes=counts.gradient_bytes,
            optimiser_bytes=counts.optimiser_bytes,
            peak_bytes=held + first.peak_bytes,
            step_seconds=each,
            feature_seconds=before,
            run_seconds=before + batches.updates * each,
        )

    def _counted(self, method: Method) -> tuple[Counted, float]:
        """The method without weights, and the time of the frozen passes before it."""
        prepared, stores = self.prepared, self.stores
        if method.is_peer:
            return PeerCounted(prepared, self.examples, method), 0.0
        recipe = prepared.recipe
        own = method.base == self.own.base and not method.settings
        sides: dict[str, SideConfig] = dict(recipe.sides) if own else method.sides(recipe)
        layers = layers_of(prepared, sides)
        before = 0.0
        if not method.live:
            prepared = replace(prepared, sources=stores.sources(layers))
            before = sum(stores.seconds(part) for part in layers)
        return SideCounted(prepared, self.examples, sides, layers, self.passes), before


def _scaled(work: Work, factor: float) -> Work:
    """The same operators on more or fewer tokens."""
    return Work(round(factor * work.flops), round(factor * work.moved_bytes), work.operators)
