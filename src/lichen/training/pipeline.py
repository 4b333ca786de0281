"""From a recipe to a trained run: read the data, see to the features, fit the networks, train, measure, save.

Read `prepare`, then `train`; the verbs of the command line call nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import TrainingArguments

from ..backbones.outline import Outline
from ..data.dataset import Dataset
from ..data.inputs import ImageInputs
from ..data.readers import load
from ..data.views import Views
from ..errors import CheckpointError, InputError
from ..figures import check_can_draw
from ..heads.given import Given
from ..side.config import SideConfig
from ..side.fit import fit_side
from ..tasks import TASKS
from ..tasks.model import SideModel
from ..tasks.task import Examples, Inputs, Preparation, Task
from .batches import Batches, Both, shifted
from .engine.curves import CURVES, DrawCurves
from .engine.locks import RunLock
from .engine.metrics_log import METRICS
from .engine.trainer import LichenTrainer
from .opening import open_folder, refuse_old, release, reserve
from .places import Wanted
from .recipe import BackboneConfig, Recipe
from .run import PartRecord, Run, resume_command
from .sources import Source, is_first_process, load_processor, open_source

MEASURED = ("dev", "test")
"""Splits that a finished run is measured on, where the data have them."""
Report = Callable[[str, int, int], None]
"""Told of a part's frozen pass: its name, samples done, samples in all."""


@dataclass
class Prepared:
    """All that a training needs before the first step."""

    recipe: Recipe
    dataset: Dataset
    task: Task
    sources: dict[str, Source]
    seconds: float
    """Time that making or opening the features took."""

    @property
    def skipped(self) -> dict[str, str]:
        """Samples left out: id and reason."""
        found = dict(self.dataset.skipped)
        for source in self.sources.values():
            found |= source.skipped
        return found

    def examples(self, split: str) -> Examples:
        """Examples of a split, without those that read a bad sample. Training gets every view, the others the first.

        Raises:
            InputError: the data set has no such split, or nothing of it is left.
        """
        found = self.task.examples(self.dataset, split)
        views = self.recipe.store.views
        if views > 1:
            found = _with_views(found, self.sources, views, every=split == "train")
        for part, source in self.sources.items():
            found = found.without(part, source.bad_rows)
        if not len(found):
            raise InputError(f"No usable sample is left in the {split!r} split.")
        return found


def prepare(
    recipe: Recipe,
    *,
    layers: Mapping[str, Sequence[int]] | None = None,
    asked: Task | None = None,
    report: Report | None = None,
    share: tuple[int, int] | None = None,
    splits: Sequence[str] | None = None,
) -> Prepared:
    """Read the data and make, complete or open the features of each part.

    Args:
        recipe: of the run.
        layers: hidden states that stores must hold by part; None takes those that the recipe's side networks read.
        asked: what a trained run answers; data that pose another question are refused before the frozen pass.
        report: told of the frozen passes.
        share: (k, n) to make a share of the shards only; None: this process's among those that were launched
            together, waiting for the others.
        splits: all that is wanted of the data; where no store of the whole is there, the rest of it is not read.

    Raises:
        UnfinishedStore: the share is done, those of others are not.
        InputError: the data, a backbone or a store cannot be used.
    """
    dataset = load(recipe.data)
    if asked is None:
        task = TASKS[recipe.task].of(dataset, recipe.data, recipe.head, tuple(recipe.backbones))
    else:
        asked.check_data(TASKS[recipe.task], dataset, recipe.data, recipe.head)
        task = asked
    started = time.perf_counter()
    # What a live backbone would read of the whole need not be settled only to be cut down.
    wanted = () if recipe.store.live and splits is not None else _wanted(recipe, task, dataset, layers)
    if splits is not None and not (wanted and all(each.folder.exists() for each in wanted)):
        dataset = dataset.only([split for split in splits if split in dataset.splits])
        wanted = _wanted(recipe, task, dataset, layers) if len(dataset) else ()
    task.gather(dataset, report)
    sources = {}
    for each in wanted:
        progress = None if report is None else _reporter(report, each.part)
        sources[each.part] = open_source(each, recipe.store, progress, share)
    return Prepared(recipe, dataset, task, sources, time.perf_counter() - started)


def _wanted(
    recipe: Recipe, task: Task, dataset: Dataset, layers: Mapping[str, Sequence[int]] | None
) -> tuple[Wanted, ...]:
    """The features of each part."""
    found = []
    for part, inputs in _inputs(recipe, task, dataset).items():
        config, outline = _with_tower(recipe.backbones[part], inputs)
        needed = None if layers is None else tuple(layers[part])
        if needed is None and recipe.store.layers is None:
            needed = _needed(recipe.sides[part], outline)
        found.append(Wanted.of(part, config, inputs, dataset, recipe.store, needed))
    return tuple(found)


def _inputs(recipe: Recipe, task: Task, dataset: Dataset) -> dict[str, Inputs]:
    """What the backbone of each part reads."""
    views = Views(recipe.store.views, recipe.seed) if recipe.store.views > 1 else None
    if views is not None and task.whole_pictures:
        raise InputError(
            f"[store] views are cut out of pictures and mirrored, and what {task.name} learns (boxes, sides, writing) "
            "would no longer be true of them. Leave them out."
        )
    found = {}
    for part, config in recipe.backbones.items():
        how = Preparation(load_processor(config), config.size, config.max_tokens, views)
        found[part] = task.inputs(dataset, part, how)
    if views is not None and not any(isinstance(inputs, ImageInputs) for inputs in found.values()):
        raise InputError("[store] views are of pictures, and this recipe reads texts alone. Leave them out.")
    return found


def _with_tower(config: BackboneConfig, inputs: Inputs) -> tuple[BackboneConfig, Outline]:
    """The same with the tower that reads such inputs, where a model has two (CLIP) and none is named; its outline."""
    from .planning.estimate import fake_backbone

    fake = fake_backbone(config.name, part=config.part, revision=config.revision)
    if config.part is None and "vision" in fake.paths:
        config = replace(config, part="vision" if isinstance(inputs, ImageInputs) else "text")
    return config, fake.outline(config.part)


def _reporter(report: Report, part: str) -> Callable[[int, int], None]:
    return lambda done, total: report(part, done, total)


def _needed(side: SideConfig, outline: Outline) -> tuple[int, ...]:
    """Hidden states that a side network reads of a backbone."""
    with torch.device("meta"):
        # What does not fit the backbone is refused before the frozen pass, not after it.
        return fit_side(side, outline)[1].stored


def _with_views(examples: Examples, sources: Mapping[str, Source], views: int, every: bool) -> Examples:
    """Examples whose pictures have several views in the store: one example a view, or the plain view alone."""
    several = {part: getattr(source.inputs, "views", None) is not None for part, source in sources.items()}
    places = torch.arange(len(examples)).repeat_interleave(views if every else 1)
    number = torch.arange(len(places)) % views if every else torch.zeros(len(places), dtype=torch.long)
    found = examples.take(places)
    rows = {part: rows * views + number if several[part] else rows for part, rows in found.rows.items()}
    return replace(found, rows=rows)


def fit(prepared: Prepared, seed: int) -> tuple[SideModel, dict[str, PartRecord]]:
    """Fresh side networks and head, the same for a seed whether features are stored or live."""
    recipe = prepared.recipe
    torch.manual_seed(seed)
    sides = {part: source.fit(recipe.sides[part])[0] for part, source in prepared.sources.items()}
    records = {
        part: PartRecord(source.config, source.fingerprint, source.outline, recipe.sides[part])
        for part, source in prepared.sources.items()
    }
    given = {part: Given.of(prepared.sources[part].outline, side) for part, side in sides.items()}
    return SideModel(sides, prepared.task.make_head(given, prepared.dataset)), records


def train(
    recipe: Recipe, folder: Path, *, resume: bool = False, quiet: bool = False, report: Report | None = None
) -> Run:
    """Train a recipe into a run folder.

    Args:
        recipe: what to train.
        folder: of the run; made if needed.
        resume: go on from its newest checkpoint.
        quiet: show no progress.
        report: told of the frozen passes.

    Raises:
        InputError: wrong settings or data, or a folder that holds another run.
        Interrupted: a signal came; a checkpoint was saved.
        NonFiniteError: the loss or a gradient was not finite.
        OutOfMemoryError: memory ran out.
    """
    check_can_draw()
    prepared = prepare(recipe, report=report)
    model, records = fit(prepared, recipe.seed)
    layers = {part: record.layers for part, record in records.items()}
    examples = prepared.examples("train")
    told = prepared.task.told
    batches = Batches(examples, prepared.sources, layers, told)
    dev = None
    if "dev" in prepared.dataset.splits:
        dev = Batches(prepared.examples("dev"), prepared.sources, layers, told)
    if is_first_process():
        with RunLock(folder):
            if not resume:
                refuse_old(folder)
            open_folder(recipe, folder, prepared.skipped)
            reserve(folder, model)
    trainer = make_trainer(prepared, model, batches, dev, folder, quiet)
    started = time.perf_counter()
    trainer.train(resume_from_checkpoint=resume or None)
    seconds = time.perf_counter() - started
    facts: dict[str, Any] = {
        "recipe": recipe.name,
        "seed": recipe.seed,
        "examples": len(examples),
        "skipped": len(prepared.skipped),
        "steps": trainer.state.global_step,
        "seconds": round(seconds, 3),
        "feature_seconds": round(prepared.seconds, 3),
        "kept_bytes": trainer.kept_bytes,
        "metrics": {},
    }
    run = Run(prepared.task, recipe.head, records, model, facts, folder)
    if is_first_process():
        # Before it is measured, so that whatever happens then, nothing is lost.
        release(folder)
        run.save(folder)
    facts["metrics"] = {split: run.score(prepared.sources, prepared.examples(split)) for split in _measured(prepared)}
    if is_first_process():
        run.save(folder)
    trainer.accelerator.end_training()
    return run


def _measured(prepared: Prepared) -> list[str]:
    return [split for split in MEASURED if split in prepared.dataset.splits]


def evaluate(
    run: Run, recipe: Recipe, splits: Sequence[str] | None = None, report: Report | None = None
) -> dict[str, dict[str, float]]:
    """Metrics of a trained run on the data of a recipe, by split.

    Args:
        run: trained.
        recipe: its own, or one with other data.
        splits: which; None takes dev and test as far as there are such.
        report: told of the frozen passes.

    Raises:
        InputError: no such split, or the data do not fit the run.
        CheckpointError: the features come from another backbone than the run's.
    """
    layers = {part: record.layers for part, record in run.parts.items()}
    needed = layers if recipe.store.layers is None else None
    prepared = prepare(recipe, layers=needed, asked=run.task, report=report, splits=splits or MEASURED)
    for part, source in prepared.sources.items():
        if wrong := run.parts[part].fingerprint.differences(source.fingerprint):
            raise CheckpointError(f"The features of {part!r} come from another backbone. {'; '.join(wrong)}.")
    wanted = splits or _measured(prepared)
    return {split: run.score(prepared.sources, prepared.examples(split)) for split in wanted}


def make_trainer(
    prepared: Prepared, model: nn.Module, train_side: Batches, dev: Batches | None, folder: Path, quiet: bool
) -> LichenTrainer:
    """The trainer of a recipe."""
    recipe, settings = prepared.recipe, prepared.recipe.train
    steps = -1 if settings.steps is None else settings.steps
    epochs = 3.0 if settings.epochs is None else settings.epochs
    args = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        num_train_epochs=epochs,
        per_device_train_batch_size=settings.batch,
        per_device_eval_batch_size=max(settings.batch, 32),
        gradient_accumulation_steps=settings.accumulate,
        learning_rate=settings.lr,
        weight_decay=settings.weight_decay,
        warmup_steps=settings.warmup,
        lr_scheduler_type=settings.scheduler[0],
        lr_scheduler_kwargs=settings.scheduler[1],
        max_grad_norm=settings.clip,
        logging_steps=settings.log_every,
        logging_first_step=True,
        dataloader_pin_memory=torch.accelerator.is_available(),
        eval_strategy="steps" if settings.eval_every and dev is not None else "no",
        eval_steps=settings.eval_every or None,
        save_strategy="steps" if settings.save_every else "no",
        save_steps=settings.save_every or 500,
        save_total_limit=settings.keep,
        dataloader_num_workers=settings.workers,
        bf16=settings.precision == "bfloat16",
        report_to=list(settings.trackers),
        seed=recipe.seed,
        disable_tqdm=True,
        use_cpu=not torch.accelerator.is_available(),
        ddp_find_unused_parameters=False,
    )
    both = Both(train_side, dev)
    measure = prepared.task.measure

    def compute(prediction: Any) -> dict[str, float]:
        outputs = {name: torch.as_tensor(value) for name, value in prediction.predictions.items()}
        targets = {name: torch.as_tensor(value) for name, value in prediction.label_ids.items()}
        return {name: value for name, value in measure(outputs, targets).items() if "/" not in name or "_to_" in name}

    live = any(source.store is None for source in prepared.sources.values())
    return LichenTrainer(
        model,
        args,
        both,
        train_side.dataset(prepared.task.order(train_side.examples, recipe.seed)),
        None if dev is None else shifted(dev.dataset(), len(train_side.examples)),
        read=train_side.read if live else None,
        compute_metrics=compute,
        callbacks=[DrawCurves(folder / METRICS, folder / CURVES)],
        resume_command=resume_command(folder),
        buckets=settings.buckets,
        quiet=quiet,
    )
