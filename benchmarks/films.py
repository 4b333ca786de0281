"""What boxes, first picture and two stages are worth: every way of training on one base, over several seeds.

    python benchmarks/films.py --base FOLDER --out FOLDER [--seeds 2] [--only NAME …] [--set KEY=VALUE …]

Ways: text (the base alone), boxes (stage motion), image (the image module alone), joint (both at once, as many updates
as two stages), two stages; and the variants of the image module, after the same first stage. Prints the metrics of
each, mean and spread over the seeds, and beside them the tracker's ceiling on the real clips. `sheet-<way>.png` in the
folder shows clips. Runs that are in the folder already are read, not made again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lichen.errors import pick
from lichen.metrics.tracking import make_tracker
from lichen.side.storage import SETTINGS
from lichen.training.filming.clips import test_clips
from lichen.training.filming.measuring import Given, ceiling, contact_sheet, measure, sample_clips
from lichen.training.filming.pipeline import open_film, train_film
from lichen.training.filming.recipe import load_film
from lichen.video.pipeline import LichenVideoPipeline
from lichen.video.sampling import SampleConfig
from lichen.video.storage import saved_adapter

MOTION, IMAGE = "playground-video-motion", "playground-video-image"
WAYS: dict[str, tuple[str, tuple[str, ...]]] = {
    "boxes": (MOTION, ()),
    "image": ("playground-video-image-alone", ()),
    "joint": ("playground-video-joint", ()),
    "two stages": (IMAGE, ()),
    "boxes, published start": (
        MOTION,
        ("motion.gates=closed", "motion.raster=false", "loss.from_step=0.0", "loss.inside=1.0", "train.lr=1e-3"),
    ),
    "boxes, no raster": (MOTION, ("motion.raster=false",)),
    "image: input alone": (IMAGE, ("image.integration=input",)),
    "image: attention alone": (IMAGE, ("image.integration=attention",)),
    "image: control": (IMAGE, ("image.integration=control",)),
    "image: before": (IMAGE, ("image.arrangement=before",)),
    "image: parallel": (IMAGE, ("image.arrangement=parallel",)),
}


def main() -> int:
    """Train what is missing, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True, help="what `pretraining video` left")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--seeds", type=int, default=2, help="0, 1, …")
    parser.add_argument("--only", nargs="+", default=["text", "boxes", "image", "joint", "two stages"], metavar="NAME")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args()
    names = [pick("way", name, ["text", *WAYS]) for name in args.only]
    rows: dict[str, list[dict[str, float]]] = {}
    for name in names:
        for seed in range(args.seeds):
            for given, metrics in _measured(name, seed, args).items():
                rows.setdefault(given, []).append(metrics)
    print(_table(rows))
    return 0


def _measured(name: str, seed: int, args: Any) -> dict[str, dict[str, float]]:
    """Metrics of one way and seed, by what was given."""
    if name == "text":
        return _text_alone(seed, args)
    facts = saved_adapter(_trained(name, seed, args)).facts
    if seed == 0:
        _sheet(name, args.out / _folder(name, seed), args)
    found = {f"{name}: {given}": metrics for given, metrics in facts["metrics"].items() if given != "real clips"}
    return {**found, "real clips": facts["metrics"]["real clips"]}


def _trained(name: str, seed: int, args: Any) -> Path:
    recipe, changes = WAYS[name]
    folder = args.out / _folder(name, seed)
    if not (folder / SETTINGS).is_file():
        own = [f"base.name={args.base.resolve()}", f"seed={seed}", *changes, *args.changes]
        if recipe == IMAGE:
            own.append(f"base.run={_trained('boxes', seed, args).resolve()}")
        print(f"training {name}, seed {seed}", file=sys.stderr, flush=True)
        train_film(load_film(recipe, own), folder, resume=(folder / "recipe.toml").is_file() and _begun(folder))
    return folder


def _begun(folder: Path) -> bool:
    return any(folder.glob("checkpoint-*"))


def _folder(name: str, seed: int) -> str:
    return f"{''.join(letter if letter.isalnum() else '-' for letter in name)}-{seed}"


def _text_alone(seed: int, args: Any) -> dict[str, dict[str, float]]:
    """The base without anything added, on the clips of the first recipe."""
    kept = args.out / f"text-{seed}.json"
    recipe = load_film(MOTION, [f"base.name={args.base.resolve()}", *args.changes])
    pipe = LichenVideoPipeline.from_pretrained(recipe.base.name)
    pipe.config = recipe.sample or SampleConfig(text_scale=pipe.base.guidance)
    clips, tracker = test_clips(recipe.data, pipe.base.size), make_tracker(recipe.tracker, 3)
    if not kept.is_file():
        pixels = sample_clips(pipe, clips, Given(False, False), seed=1000 * seed)
        args.out.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(measure(pixels, clips, tracker)))
        if seed == 0:
            contact_sheet(clips, {"text": pixels}, range(min(8, len(clips)))).save(args.out / "sheet-text.png")
    return {"text": json.loads(kept.read_text()), "real clips": ceiling(clips, tracker)}


def _sheet(name: str, folder: Path, args: Any) -> None:
    target = args.out / f"sheet-{_folder(name, 0)}.png"
    if not target.is_file():
        pipe, recipe = open_film(folder)
        clips = test_clips(recipe.data, pipe.base.size)
        pixels = sample_clips(pipe, clips, Given.all_of(pipe))
        contact_sheet(clips, {name: pixels}, range(min(8, len(clips)))).save(target)


def _table(rows: dict[str, list[dict[str, float]]]) -> str:
    names = list(dict.fromkeys(name for some in rows.values() for each in some for name in each))
    lines = ["| given | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for given, some in rows.items():
        lines.append(
            f"| {given} | " + " | ".join(_cell([each[name] for each in some if name in each]) for name in names) + " |"
        )
    return "\n".join(lines)


def _cell(values: Sequence[float]) -> str:
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}"


if __name__ == "__main__":
    raise SystemExit(main())
