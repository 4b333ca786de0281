"""`lichen demo`: one frozen model, six ways to teach it, side by side, offline: `lichen compare digits` in small."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .compare import open_folder, showing
from .recipes import silence_libraries

if TYPE_CHECKING:
    from ..training.comparing.contenders import Contender
    from ..training.comparing.results import Comparison

HELP = (
    "Read a frozen DINOv2-small once over 1,797 handwritten digits, train UniPT, SHERL, LST, the pooled side network "
    "and a linear probe on what was read, and LoRA (PEFT) beside them; print a table and leave two pictures."
)

RECIPE = "digits"
METHODS = ("unipt", "sherl", "lst", "pooled", "probe", "lora")
SHOWN = 40
"""Digits in the picture of predictions."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("lichen-demo"),
        help="folder for the pictures and the table (default lichen-demo)",
    )
    parser.add_argument("--steps", type=int, default=150, help="training steps of every method (default 150)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and batches (default 0)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """Run the demo and print its table on stdout, progress on stderr."""
    if args.steps < 1:
        raise InputError(f"--steps must be at least 1; got {args.steps}.")
    open_folder(args.out)
    from ..figures import check_can_draw
    from ..files import to_json, write_atomic
    from .pictures import draw_table

    check_can_draw()
    started = time.perf_counter()
    names = {"table": args.out / "methods.png", "predictions": args.out / "predictions.png"}
    found = compete(args.steps, args.seed, names["predictions"])
    seconds = time.perf_counter() - started

    draw_table(found, names["table"])
    values = {**found.to_dict(), "seconds": round(seconds, 1)}
    write_atomic(args.out / "results.json", to_json(values))
    print(json.dumps(values, indent=2) if args.json else report(found, args.seed, seconds, names))
    return 0


def compete(steps: int, seed: int, picture: Path) -> Comparison:
    """Train all methods side by side and draw what the first of them predicts. Progress goes to stderr."""
    silence_libraries()
    from ..training.comparing.compare import compare
    from ..training.comparing.methods import parse_methods
    from ..training.recipe import load_recipe

    def draw(comparison: Comparison, contenders: Sequence[Contender]) -> None:
        draw_answers(contenders[0], picture)

    with tempfile.TemporaryDirectory() as features:
        # Nothing is chosen here, so that no training digit need be held out.
        changes = [f"train.steps={steps}", f"seed={seed}", "data.holdout=0.0", f"store.folder={json.dumps(features)}"]
        changes += ['store.codec="float16"', "compare.seeds=1", "compare.factors=[1.0]"]
        recipe = load_recipe(RECIPE, changes)
        with showing(quiet=False) as (told, watch):
            return compare(recipe, parse_methods(METHODS), report=told, watch=watch, after_seed=draw)


def draw_answers(contender: Contender, picture: Path) -> None:
    """The first test digits with what a trained method says of them."""
    import torch

    from .pictures import draw_predictions

    arena = contender.arena
    some = arena.examples["test"].take(torch.arange(min(SHOWN, len(arena.examples["test"]))))
    predicted = contender.outputs(some)["logits"].argmax(-1).cpu()
    pixels = arena.prepared.dataset.pixels
    if pixels is None:
        raise InputError("The digits have no pixels.")
    (rows,) = some.rows.values()
    images = torch.from_numpy(pixels[rows.numpy(), :, :, 0]).float() / 255
    draw_predictions(images, some.targets["labels"], predicted, contender.method.name, picture)


def report(found: Comparison, seed: int, seconds: float, names: dict[str, Path]) -> str:
    """The table and what to type next."""
    from ..memory import MIB
    from ..training.comparing.results import rows_of, standard_error

    lines = [
        f"{'method':<8} {'trained parameters':>18} {'kept for backward':>18} {'step / LoRA step':>17} {'accuracy':>9}",
        "-" * 74,
    ]
    for row in rows_of(found):
        ratio = "–" if row.step_ratio is None else f"{row.step_ratio:.3f}"
        reached = "–" if row.mean is None else f"{100 * row.mean:.1f} %"
        lines.append(
            f"{row.method:<8} {row.trained_parameters:>18,} {row.kept_bytes / MIB:>14.2f} MiB {ratio:>17} {reached:>9}"
        )
    error = standard_error(found) or 0.0
    lines += [
        "",
        f"A frozen DINOv2-small on scikit-learn's digits: {found.examples['train']:,} to train, "
        f"{found.examples['test']:,} to test, {found.steps:,} steps of {found.batch}, seed {seed}, {seconds:.0f} s.",
        f"One standard error of an accuracy is about {100 * error:.1f} points: methods closer than that are not told "
        "apart.",
        "Kept: bytes that autograd holds between forward and backward.",
        "Step: side networks train from hidden states that were read once, in "
        f"{found.feature_seconds:.0f} s (SHERL re-runs one frozen",
        "layer); LoRA has to run the whole backbone forward and back.",
        "",
        f"pictures: {names['table']}  {names['predictions']}",
        "next:",
        f"  {_command('lichen')} compare digits               the same with learning rates chosen and several seeds",
        f"  {_command('lichen')} train digits                 one side network into a run folder",
        f"  {_command('lichen')} env                          what is installed here",
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
