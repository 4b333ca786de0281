"""Writes a trained model as the library publishes it: half precision, settings, a card, a digest for every file."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from textwrap import fill
from typing import Any

import torch
from safetensors.torch import save_file

from ...data.playground.world import VERSION
from ...errors import InputError
from ...files import staged_folder

LARGEST = 12_000_000
"""Bytes that a published weight file may have."""
COUNTS = ("pictures", "crops", "classes", "boxes", "clips")
"""Results that say how much was measured, not how well."""


def publish(model: Any, processor: Any, folder: Path, card: str) -> int:
    """Write a folder that `from_pretrained` of transformers reads.

    Args:
        model: trained, in float32; it is left as it is.
        processor: what prepares its inputs.
        folder: to write.
        card: README.md of the model.

    Returns:
        Bytes of the weight file.

    Raises:
        InputError: the folder cannot be written, or the weights are larger than `LARGEST`.
    """
    weights = half(model)
    size = sum(value.nbytes for value in weights.values())
    if size > LARGEST:
        raise InputError(f"A published model has at most {LARGEST:,} bytes of weights; this one has {size:,}.")
    with staged_folder(folder, unlisted=["README.md"]) as stage:
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(stage)
        processor.save_pretrained(stage)
        save_file(weights, stage / "model.safetensors", metadata={"format": "pt"})
        (stage / "README.md").write_text(card, encoding="utf-8")
    return (folder / "model.safetensors").stat().st_size


def half(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights in half precision; counters stay whole numbers, and what is tied is kept once."""
    found: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for name, value in model.state_dict().items():
        if value.data_ptr() in seen and value.numel() > 1:
            continue
        seen.add(value.data_ptr())
        found[name] = (value.half() if value.is_floating_point() else value).contiguous()
    return found


def card(title: str, about: str, settings: Any, facts: Mapping[str, float], results: Mapping[str, float]) -> str:
    """The model's card: what it is, how it was made, and what was measured.

    Args:
        title: name of the model.
        about: what it is and is not for.
        settings: of its training.
        facts: parameters, seconds, last loss.
        results: metrics on pictures that it has not seen, in per cent; whole numbers are counts.
    """
    counts = {name: int(value) for name, value in results.items() if name in COUNTS}
    metrics = {name: value for name, value in results.items() if name not in COUNTS}
    measured_on = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    lines = [
        "---",
        "library_name: transformers",
        "license: apache-2.0",
        "tags: [lichen, playground]",
        "---",
        "",
        f"# {title}",
        "",
        fill(about, 120),
        "",
        fill(
            f"Made by `python -m lichen.training.pretraining {title.removeprefix('playground-')} --out FOLDER` from "
            f"playground {VERSION}, which is drawn by a program: no photograph and no text by others is in it. "
            f"{int(facts['parameters']):,} parameters, stored in half precision. Trained in "
            f"{facts['seconds'] / 60:.0f} minutes on {torch.get_num_threads()} thread(s) of a CPU ({_processor()}; "
            f"torch {torch.__version__}); the last loss was {facts['loss']:.3f}. One seed, {settings.seed}.",
            120,
            break_on_hyphens=False,
        ),
        "",
        f"Measured on the playground's test split: {measured_on}.",
        "",
        "| | per cent |",
        "|---|---:|",
        *(f"| {name.replace('_', ' ')} | {value:.1f} |" for name, value in metrics.items()),
        "",
        "```json",
        json.dumps(asdict(settings)),
        "```",
        "",
    ]
    return "\n".join(lines)


def _processor() -> str:
    """The processor's name where the system tells it, otherwise its family."""
    try:
        told = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()
