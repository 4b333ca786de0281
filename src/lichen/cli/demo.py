"""`lichen demo`: one frozen model, six ways to teach it, side by side, offline."""

from __future__ import annotations

import argparse
import functools
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    from ..backbones.features import Features
    from ..data.digits import Digits
    from ..training.compare import Contender, Score

HELP = (
    "Read a frozen DINOv2-small once over 1,797 handwritten digits, train UniPT, SHERL, LST, the pooled side network "
    "and a linear probe on what was read, and LoRA (PEFT) beside them; print a table and leave two pictures."
)

BACKBONE = "dinov2-small"
SIZE = 56
"""Side of the enlarged digits, in pixels: 4 x 4 patches of 14."""
BATCH = 32
LORA = "LoRA"
RATES = {"UniPT": 4e-3, "SHERL": 1e-3, "LST": 1.6e-2, "Pooled": 2e-3, "Probe": 8e-2, LORA: 1e-3}
"""Peak learning rates: the best of four for each method on held-out training digits, by benchmarks/digits.py."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("lichen-demo"),
        help="folder for the pictures and the table (default lichen-demo)",
    )
    parser.add_argument("--steps", type=int, default=150, help="training steps of every method (default 150)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, split and batches (default 0)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """Run the demo and print its table on stdout, progress on stderr."""
    if args.steps < 1:
        raise InputError(f"--steps must be at least 1; got {args.steps}.")
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=args.out):
            pass
    except OSError as error:
        raise InputError(
            f"Cannot write to folder {str(args.out)!r}: {error.strerror}. Choose one with --out."
        ) from error
    from ..figures import check_can_draw
    from .pictures import draw_predictions, draw_table

    check_can_draw()
    started = time.perf_counter()
    scores, contenders, digits = compete(args.steps, args.seed)
    seconds = time.perf_counter() - started

    names = {"table": args.out / "methods.png", "predictions": args.out / "predictions.png"}
    draw_table(scores, LORA, names["table"])
    shown, rows = contenders[0], digits.test[:40]
    draw_predictions(digits.images[rows], digits.labels[rows], shown.predict(rows), shown.name, names["predictions"])
    values = {
        "backbone": f"embedded:{BACKBONE}",
        "steps": args.steps,
        "batch": BATCH,
        "seed": args.seed,
        "train": len(digits.train),
        "test": len(digits.test),
        "seconds": round(seconds, 1),
        "methods": [score.to_dict() for score in scores],
    }
    text = json.dumps(values, indent=2)
    (args.out / "results.json").write_text(text + "\n", encoding="utf-8")
    print(text if args.json else report(scores, values, names))
    return 0


def compete(steps: int, seed: int) -> tuple[list[Score], list[Contender], Digits]:
    """Train all methods side by side and score them. Progress goes to stderr."""
    import torch
    import transformers
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from ..data.digits import load_digits
    from ..training.compare import draw_batches, score, train_together

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    console = Console(stderr=True)
    digits = load_digits(seed=seed)
    torch.manual_seed(seed)
    columns = (TextColumn("{task.description:<34}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        stage = progress.add_task("loading the frozen model", total=1)
        pictures, _, contenders = prepare(digits, progress)
        progress.update(stage, completed=1)
        batches = draw_batches(digits.train, BATCH, steps, seed)
        stage = progress.add_task("training six methods, step by step", total=steps)
        train_together(contenders, batches, lambda done: progress.update(stage, completed=done))
        stage = progress.add_task("scoring on the test digits", total=len(contenders))
        scores = []
        for contender in contenders:
            live = {"pixel_values": pictures[batches[0]], "labels": digits.labels[batches[0]]}
            scores.append(score(contender, digits.test, digits.labels, live))
            progress.advance(stage)
    return scores, contenders, digits


def prepare(
    digits: Digits, progress: Any, factor: float = 1.0, features: Features | None = None
) -> tuple[Any, Features, list[Contender]]:
    """Load the backbone, read it once over all digits, and set up the contenders.

    Args:
        digits: pictures and labels.
        progress: a rich Progress, or anything with its methods.
        factor: of all learning rates.
        features: what an earlier call read; None reads them now.

    Returns:
        The prepared pictures (samples, 3, SIZE, SIZE), their features, and the contenders.
    """
    import torch
    import transformers

    from .. import attach
    from ..backbones.embedded import load_embedded_folder, load_processor
    from ..data.digits import CLASSES, to_pixels
    from ..side.config import LSTConfig, PooledConfig, ProbeConfig, SHERLConfig, SideConfig, UniPTConfig
    from ..training.compare import Contender
    from ..training.peers import lora

    folder = load_embedded_folder(BACKBONE)
    settings: Any = load_processor(BACKBONE)
    pictures = to_pixels(digits.images, SIZE, settings.image_mean, settings.image_std)
    configs: dict[str, SideConfig] = {
        "UniPT": UniPTConfig(),
        "SHERL": SHERLConfig(),
        "LST": LSTConfig(),
        "Pooled": PooledConfig(),
        "Probe": ProbeConfig(),
    }
    auto = transformers.AutoModelForImageClassification
    model = auto.from_pretrained(folder, num_labels=CLASSES)
    for name, config in configs.items():
        attach(model, config, name)
    if features is None:
        features = read_once(model, pictures, progress)
    known = features

    def stored(rows: torch.Tensor) -> dict[str, Any]:
        return {"features": known[rows], "labels": digits.labels[rows]}

    def live(rows: torch.Tensor) -> dict[str, Any]:
        return {"pixel_values": pictures[rows], "labels": digits.labels[rows]}

    contenders = [
        Contender(name, model, stored, factor * RATES[name], enter=functools.partial(model.set_side, name))
        for name in configs
    ]
    peer = lora(auto.from_pretrained(folder, num_labels=CLASSES))
    return pictures, known, [*contenders, Contender(LORA, peer, live, factor * RATES[LORA])]


def read_once(model: Any, pictures: Any, progress: Any) -> Features:
    """All hidden states of all pictures, by one frozen pass."""

    from ..backbones.backbone import Backbone
    from ..backbones.features import Features

    model.set_side(None)
    backbone = Backbone(model.base_model)
    stage = progress.add_task("reading it once over all digits", total=len(pictures))
    parts = []
    for part in pictures.split(64):
        parts.append(backbone(pixel_values=part))
        progress.advance(stage, len(part))
    return Features.cat(parts)


def report(scores: list[Score], values: dict[str, Any], names: dict[str, Path]) -> str:
    """The table and what to type next."""
    from ..memory import MIB

    base = next(score for score in scores if score.name == LORA)
    lines = [
        f"{'method':<8} {'trained parameters':>18} {'kept for backward':>18} {'step / LoRA step':>17} {'accuracy':>9}",
        "-" * 74,
    ]
    for score in scores:
        lines.append(
            f"{score.name:<8} {score.trained_parameters:>18,} {score.kept_bytes / MIB:>14.2f} MiB "
            f"{score.step_seconds / base.step_seconds:>17.3f} {100 * score.accuracy:>7.1f} %"
        )
    error = 100 * (base.accuracy * (1 - base.accuracy) / values["test"]) ** 0.5
    lines += [
        "",
        f"{values['backbone']} on scikit-learn's digits: {values['train']} to train, {values['test']} to test, "
        f"{values['steps']} steps of {values['batch']}, seed {values['seed']}, {values['seconds']:.0f} s.",
        f"One standard error of an accuracy is about {error:.1f} points: methods closer than that are not told apart.",
        "Kept: bytes that autograd holds between forward and backward while the backbone runs too.",
        "Step: side networks train from hidden states read once (SHERL re-runs one frozen layer); LoRA has to run",
        "the whole backbone forward and back.",
        "",
        f"pictures: {names['table']}  {names['predictions']}",
        "next:",
        f"  {_command('lichen')} env                          what is installed here",
        f"  {_command('lichen')} demo --steps 600 --seed 1    longer, and another split",
        f"  {_command('python')} benchmarks/memory.py         kept bytes for ViT-B, BERT-base and MiniLM",
        "  and in Python, on your own model:   model = lichen.attach(hf_model, lichen.UniPTConfig(reduction=2))",
    ]
    return "\n".join(lines)


def _command(name: str) -> str:
    """How to call a program of this environment from where the user is: by name if that finds it, else by its path."""
    own = Path(sys.executable).parent / name
    found = shutil.which(name)
    if found is not None and Path(found).resolve() == own.resolve():
        return name
    return os.path.relpath(own)
