"""From a film recipe to a run: read clips, keep what is costly, train the added modules, sample, measure, save.

Read `train_film`; `lichen train`, `evaluate` and `predict` call this for recipes and runs of the task film.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import TrainingArguments

from ...errors import CheckpointError, InputError, LichenError
from ...figures import check_can_draw
from ...files import to_json, write_atomic
from ...metrics.tracking import make_tracker
from ...metrics.video import FrameEmbedder
from ...video.adapter import Adapter
from ...video.base import VideoBase
from ...video.config import AdapterConfig
from ...video.diffusion import Schedule, VideoDiffusion
from ...video.pipeline import LichenVideoPipeline
from ...video.sampling import SampleConfig
from ...video.storage import load_adapter, save_adapter, saved_adapter
from ..engine.curves import CURVES, DrawCurves
from ..engine.locks import RunLock
from ..engine.metrics_log import METRICS
from ..opening import ENVIRONMENT, environment, refuse_old
from ..run import RECIPE, resume_command
from .clips import Clips, test_clips, training_clips
from .measuring import EMBEDDER, Given, ceiling, contact_sheet, measure, sample_clips
from .recipe import FilmRecipe, load_film
from .table import ClipTable
from .trainer import FilmTrainer

SAMPLES = "samples.png"
"""Contact sheet of a run: real clips, and what it made of their conditions."""
_SHOWN = 8
Report = Callable[[str, int, int], Any]


def open_models(recipe: FilmRecipe) -> tuple[VideoBase, Adapter, dict[str, str]]:
    """The frozen model, the adapter at the start of its stage, and what the adapter's folder will say of the base.

    Raises:
        InputError: no such base or run, or they do not go together.
    """
    base = VideoBase.from_pretrained(recipe.base.name)
    told = {"name": recipe.base.name, "digest": base.digest()}
    torch.manual_seed(recipe.seed)
    if not recipe.base.run:
        adapter = Adapter.of(base, recipe.adapter)
    else:
        saved = saved_adapter(recipe.base.run)
        if saved.config.image is not None:
            raise InputError(f'{recipe.base.run!r} has an image module already. Name a run of stage = "motion".')
        if recipe.adapter.motion is not None and saved.config.motion != recipe.adapter.motion:
            raise InputError(
                f"[motion] differs from that of {recipe.base.run!r}, whose module is taken over. Leave the table out, "
                f"or use the same settings: {saved.config.motion}."
            )
        config = AdapterConfig(saved.config.motion, recipe.adapter.image)
        adapter = load_adapter(recipe.base.run, base, config)
    adapter.stage(recipe.stage)
    return base, adapter, told


def train_film(
    recipe: FilmRecipe, folder: Path, *, resume: bool = False, quiet: bool = False, report: Report | None = None
) -> dict[str, Any]:
    """Train a recipe into a run folder.

    Args:
        recipe: what to train.
        folder: of the run; made if needed.
        resume: go on from its newest checkpoint.
        quiet: show no progress.
        report: told of what is made, such as clips and samples.

    Returns:
        Facts: metrics by the conditions that were given, steps, seconds.

    Raises:
        InputError: wrong settings or data, or a folder that holds another run.
        Interrupted: a signal came; a checkpoint was saved.
        LichenError: something that is frozen has changed.
    """
    check_can_draw()
    base, adapter, told = open_models(recipe)
    clips = training_clips(recipe.data, base.size, report)
    slots = 1 if adapter.added.motion is None else adapter.added.motion.slots
    table = ClipTable(
        clips.pixels, clips.scenes, base.codec, base.texts, slots, recipe.data.live, report, adapter.sight
    )
    with RunLock(_made(folder)):
        if not resume:
            refuse_old(folder)
        write_atomic(folder / RECIPE, recipe.to_toml().encode())
        write_atomic(folder / ENVIRONMENT, to_json(environment()))
    model = VideoDiffusion(
        base.unet,
        Schedule(base.scheduler),
        base.texts.prompts([""])[0],
        recipe.loss,
        adapter,
        recipe.train.average,
    )
    frozen = digest_of(_frozen(base, adapter))
    trainer = make_trainer(recipe, model, table, folder, quiet)
    started = time.perf_counter()
    trainer.train(resume_from_checkpoint=resume or None)
    seconds = time.perf_counter() - started
    if digest_of(_frozen(base, adapter)) != frozen:
        raise LichenError(f"Weights that stage = {recipe.stage!r} must leave alone have changed. Nothing was saved.")
    if model.average is not None:
        model.average.settle()
    adapter.eval()
    sample = recipe.sample or SampleConfig(text_scale=base.guidance)
    facts = {**_facts(recipe, trainer, adapter, sample), "clips": len(clips), "seconds": round(seconds, 3)}
    # Before it is measured, so that whatever happens then, nothing is lost.
    save_adapter(adapter, told, folder, facts, film_card(recipe, facts))
    pipe = LichenVideoPipeline(base, adapter.requires_grad_(False), sample)
    facts["metrics"] = measure_film(pipe, test_clips(recipe.data, base.size, report), recipe, report, folder / SAMPLES)
    save_adapter(adapter, told, folder, facts, film_card(recipe, facts))
    return facts


def _facts(recipe: FilmRecipe, trainer: FilmTrainer, adapter: Adapter, sample: SampleConfig) -> dict[str, Any]:
    """What a training left, beside its weights."""
    return {
        "recipe": recipe.name,
        "stage": recipe.stage,
        "seed": recipe.seed,
        "steps": trainer.state.global_step,
        "trained_parameters": sum(value.numel() for value in adapter.parameters() if value.requires_grad),
        "kept_bytes": trainer.kept_bytes,
        "gates": gates_of(adapter),
        "sample": {name: getattr(sample, name) for name in SampleConfig.__dataclass_fields__},
        "metrics": {},
    }


def make_trainer(recipe: FilmRecipe, model: VideoDiffusion, table: ClipTable, folder: Path, quiet: bool) -> FilmTrainer:
    """The trainer of a recipe."""
    settings = recipe.train
    args = TrainingArguments(
        output_dir=str(folder),
        max_steps=settings.steps,
        per_device_train_batch_size=settings.batch,
        learning_rate=settings.lr,
        weight_decay=settings.weight_decay,
        warmup_steps=settings.warmup,
        lr_scheduler_type="cosine",
        max_grad_norm=settings.clip,
        logging_steps=settings.log_every,
        logging_first_step=True,
        save_strategy="steps" if settings.save_every else "no",
        save_steps=settings.save_every or 500,
        save_total_limit=1,
        bf16=settings.precision == "bfloat16",
        dataloader_pin_memory=torch.accelerator.is_available(),
        report_to=[],
        seed=recipe.seed,
        disable_tqdm=True,
        use_cpu=not torch.accelerator.is_available(),
        ddp_find_unused_parameters=False,
    )
    return FilmTrainer(
        model,
        args,
        table,
        table.dataset(),
        callbacks=[DrawCurves(folder / METRICS, folder / CURVES)],
        resume_command=resume_command(folder),
        quiet=quiet,
        gate_factor=settings.gate_factor,
    )


def measure_film(
    pipe: LichenVideoPipeline,
    clips: Clips,
    recipe: FilmRecipe,
    report: Report | None = None,
    sheet: Path | None = None,
) -> dict[str, dict[str, float]]:
    """Metrics with all conditions, with the boxes withheld where there are boxes, and the tracker's ceiling.

    Args:
        pipe: trained.
        clips: that it has not seen.
        recipe: names the tracker.
        report: told of the sampling.
        sheet: where the contact sheet is drawn; None: nowhere.
    """
    tracker, embedder = make_tracker(recipe.tracker, 3), FrameEmbedder(EMBEDDER)
    whole = Given.all_of(pipe)
    wanted = [whole] + ([Given(boxes=False, image=whole.image)] if whole.boxes else [])
    found: dict[str, dict[str, float]] = {}
    sampled: dict[str, Tensor] = {}
    for given in wanted:
        sampled[given.name] = sample_clips(pipe, clips, given, seed=1000 * recipe.seed, progress=report)
        found[given.name] = measure(sampled[given.name], clips, tracker, embedder)
    found["real clips"] = ceiling(clips, tracker)
    if sheet is not None:
        data = BytesIO()
        contact_sheet(clips, sampled, range(min(_SHOWN, len(clips)))).save(data, format="png")
        write_atomic(sheet, data.getvalue())
    return found


def open_film(folder: Path) -> tuple[LichenVideoPipeline, FilmRecipe]:
    """A trained run: its model and its recipe.

    Raises:
        CheckpointError: none, damaged, or its training has not finished.
    """
    if not (folder / RECIPE).is_file():
        raise CheckpointError(f"{str(folder)!r} lacks its {RECIPE}. Copy the folder again.")
    recipe = load_film(str(folder / RECIPE), root=Path.cwd())
    return LichenVideoPipeline.from_pretrained(recipe.base.name, motion=folder), recipe


def gates_of(adapter: Adapter) -> dict[str, float]:
    """Mean |tanh| of the scalar gates by kind: those that never open tell that nothing is learnt (B11, point 1)."""
    found: dict[str, list[float]] = {}
    for name, value in adapter.named_parameters():
        if value.ndim == 0:
            kind = f"{name.partition('.')[0]}.{name.rpartition('.')[2]}"
            found.setdefault(kind, []).append(float(value.detach().tanh().abs()))
    return {name: sum(values) / len(values) for name, values in found.items()}


def _frozen(base: VideoBase, adapter: Adapter) -> Iterable[tuple[str, Tensor]]:
    for name, value in [*base.unet.named_parameters(), *adapter.named_parameters()]:
        if not value.requires_grad:
            yield name, value


def digest_of(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """SHA-256 of tensors and their names."""
    digest = hashlib.sha256()
    for name, value in tensors:
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot write to folder {str(folder)!r}: {error.strerror}. Choose one with --out.") from error
    return folder


def film_card(recipe: FilmRecipe, facts: dict[str, Any]) -> str:
    """The model card of a run."""
    lines = [
        "---",
        "library_name: lichen",
        "tags: [lichen, video, frozen-backbone, film]",
        "---",
        "",
        f"# {recipe.name}",
        "",
        f"{facts['trained_parameters']:,} trained parameters (stage {recipe.stage}) beside the frozen text-to-video "
        f"model `{Path(recipe.base.name).name}`, after SMCD (arXiv 2403.10179). The base is loaded separately.",
        "",
        "```bash",
        'lichen predict THIS_FOLDER --image first.png --tracks boxes.json --prompt "…" --out clip.gif',
        "```",
        "",
        table_of_films(facts["metrics"]) if facts["metrics"] else "Not measured.",
        "",
    ]
    return "\n".join(lines)


def table_of_films(metrics: dict[str, dict[str, float]]) -> str:
    """Metrics as a Markdown table, a row for each set of conditions."""
    names = list(dict.fromkeys(name for row in metrics.values() for name in row))
    head = ["| given | " + " | ".join(name.replace("_", " ") for name in names) + " |", "|---" * (len(names) + 1) + "|"]
    rows = [
        f"| {given} | " + " | ".join("" if name not in row else f"{row[name]:.3f}" for name in names) + " |"
        for given, row in metrics.items()
    ]
    return "\n".join([*head, *rows])
