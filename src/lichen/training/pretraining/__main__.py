"""Makes one of the published models:

    python -m lichen.training.pretraining clip --out FOLDER
    python -m lichen.training.pretraining detector --out FOLDER --set steps=200 --set pictures=2000

or an encoder that learns from captions and boxes, and its twin without boxes:

    python -m lichen.training.pretraining locca --out FOLDER
    python -m lichen.training.pretraining locca --out FOLDER --set boxes=false

or a small text-to-video model, whose training goes on where it was stopped:

    python -m lichen.training.pretraining video --out FOLDER

The settings are the defaults of `ClipSettings`, `DetectorSettings`, `LoccaSettings` and `VideoSettings`; `--set`
changes them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...errors import LichenError
from ..changes import parse_change
from ..settings import build
from .publish import card, publish

TESTED = 500
"""Pictures of the test split that a model is measured on."""
ABOUT = {
    "clip": (
        "A dual encoder after CLIP, a ResNet and a text transformer, that has seen the pictures and captions of "
        "Lichen's playground, and no box, relation or list of classes. It is for tests, demonstrations and experiments "
        "in that world; it knows nothing of photographs."
    ),
    "detector": (
        "An RT-DETR that has seen the boxes of Lichen's playground. It gives proposals to tasks that need them, for "
        "tests, demonstrations and experiments in that world; it knows nothing of photographs."
    ),
    "locca": (
        "An encoder after LocCa, a ResNet that has learnt to caption the pictures of Lichen's playground and to tell "
        "words and boxes of them from each other; `decoder` holds what it learnt beside. Its twin, made with "
        "boxes=false, has seen captions alone. It is for experiments in that world; it knows nothing of photographs."
    ),
    "video": (
        "A text-to-video diffusion model, a UNet of diffusers in pixel space, that has seen short clips of Lichen's "
        "playground, one thing that moves before a plain background, and their captions. It is the base on which box "
        "and picture control is tried in that world; it knows nothing of photographs."
    ),
}


def main(words: Sequence[str] | None = None) -> int:
    """Train, measure, publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=ABOUT)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--tested", type=int, default=TESTED, help="pictures of the test split to measure on")
    args = parser.parse_args(words)
    try:
        make = {"clip": _clip, "detector": _detector, "locca": _locca, "video": _video}[args.model]
        size, results = make(args.changes, args.out, args.tested)
    except LichenError as error:
        print(f"lichen: {error}", file=sys.stderr)
        return 2
    print(json.dumps({"folder": str(args.out), "weight_bytes": size, **results}, indent=2))
    return 0


def _clip(changes: Sequence[str], folder: Path, tested: int) -> tuple[int, dict[str, float]]:
    from .clip import ClipSettings, make_processor, train_clip
    from .measuring import measure_clip

    settings = _changed(ClipSettings(), changes)
    model, tokenizer, facts = train_clip(settings, _drawing, _watch(settings.steps))
    facts["parameters"] = sum(value.numel() for value in model.parameters())
    results = measure_clip(model, tokenizer, "test", tested, settings.size)
    text = card("playground-clip", ABOUT["clip"], settings, facts, results)
    return publish(model, make_processor(settings.size, tokenizer), folder, text), results


def _detector(changes: Sequence[str], folder: Path, tested: int) -> tuple[int, dict[str, float]]:
    from .detector import DetectorSettings, make_processor, measure_detector, train_detector

    settings = _changed(DetectorSettings(), changes)
    model, facts = train_detector(settings, _drawing, _watch(settings.dense_steps + settings.steps))
    facts["parameters"] = sum(value.numel() for value in model.parameters())
    results = measure_detector(model, "test", tested, settings.size)
    text = card("playground-detector", ABOUT["detector"], settings, facts, results)
    return publish(model, make_processor(settings.size), folder, text), results


def _locca(changes: Sequence[str], folder: Path, tested: int) -> tuple[int, dict[str, float]]:
    from ...heads.decoder.export import export_decoder
    from .locca import LoccaSettings, make_processor, train_locca
    from .locca_measuring import measure_locca

    settings = _changed(LoccaSettings(), changes)
    model, tokenizer, facts = train_locca(settings, _drawing, _watch(settings.steps))
    facts["parameters"] = sum(value.numel() for value in model.encoder.parameters())
    results = measure_locca(model, tokenizer, "test", tested, settings.size, settings.boxes)
    text = card("playground-locca", ABOUT["locca"], settings, facts, results)
    size = publish(model.encoder, make_processor(settings.size), folder, text)
    export_decoder(model.head.decoder, folder / "decoder")
    tokenizer.save(folder / "decoder-tokenizer")
    return size, results


def _video(changes: Sequence[str], folder: Path, tested: int) -> tuple[int, dict[str, float]]:
    from ...video.base import WEIGHTS
    from .video import VideoSettings, measure_video, train_video

    settings = _changed(VideoSettings(), changes)
    base, facts = train_video(settings, folder / "training", _drawing)
    facts["parameters"] = sum(value.numel() for value in base.unet.parameters())
    results = measure_video(base, settings, "test", tested)
    base.save(folder, card("playground-video", ABOUT["video"], settings, facts, results), half=True)
    return (folder / WEIGHTS).stat().st_size, results


def _changed(settings: Any, changes: Sequence[str]) -> Any:
    """The same settings with some values as the command line has them."""
    values = asdict(settings)
    for change in changes:
        values |= parse_change(change)
    return build(type(settings), values, "--set")


def _drawing(done: int, total: int) -> None:
    if done % 1000 == 0 or done == total:
        print(f"{done:,} of {total:,} pictures drawn", file=sys.stderr)


def _watch(steps: int) -> Callable[[int, float], None]:
    started = time.perf_counter()

    def show(step: int, loss: float) -> None:
        if step % 20 == 0 or step == steps:
            passed = time.perf_counter() - started
            print(f"step {step:,} of {steps:,}  loss {loss:.3f}  {passed / 60:.1f} min", file=sys.stderr, flush=True)

    return show


if __name__ == "__main__":
    raise SystemExit(main())
