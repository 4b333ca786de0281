"""`FilmRecipe`: a TOML file that describes the training of what is added to a video model.

    task = "film"
    stage = "motion"                 motion, then image with motion frozen; or joint
    [base]    the frozen text-to-video model
    [data]    clips with captions and boxes
    [motion]  the motion module         (lichen.video.config.MotionConfig)
    [image]   the image module          (lichen.video.config.ImageConfig)
    [loss]    how it learns             (lichen.video.config.LossConfig)
    [train]   steps, batch, learning rate …
    [sample]  how clips are sampled     (lichen.video.sampling.SampleConfig)
    [smoke]   settings that shrink the run to seconds, used with --smoke

Unknown keys are errors with a suggestion. Paths start from the folder of the recipe, or the one that the caller names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import tomli_w

from ...data.playground.clips.config import ClipConfig
from ...errors import InputError, nearest
from ...video.adapter import STAGES
from ...video.config import AdapterConfig, ImageConfig, LossConfig, MotionConfig
from ...video.sampling import SampleConfig
from ..changes import parse_change
from ..recipe_files import FILM, find, read
from ..settings import build, convert, merge, nested


@dataclass(frozen=True)
class BaseConfig:
    """The frozen model."""

    name: str
    """Folder that `python -m lichen.training.pretraining video` left, or folder or hub id of a text-to-video pipeline
    of diffusers."""
    run: str = ""
    """Run folder of an earlier stage, whose motion module is taken over."""


@dataclass(frozen=True)
class ClipsConfig:
    """What is learnt from and measured on."""

    kind: Literal["playground", "clips"] = "playground"
    """playground: plain clips, made once and kept in the cache folder; clips: a folder of frame folders with boxes."""
    path: str | None = None
    """clips: the folder."""
    train: int = 2_000
    """Training clips; clips: at most so many."""
    test: int = 48
    """Clips that are sampled and measured; clips: the last of the folder, which are not trained on."""
    frames: int = 8
    """Of a clip."""
    every: int = 1
    """clips: take every so many-th frame."""
    live: bool = False
    """Encode frames and texts at every step, in place of keeping them."""
    speed: float = 0.8
    """playground: as `ClipConfig.speed`."""

    def __post_init__(self) -> None:
        for name in ("train", "test", "frames", "every"):
            if getattr(self, name) < 1:
                raise InputError(f"ClipsConfig.{name} must be at least 1; got {getattr(self, name)}.")
        if self.kind == "clips" and not self.path:
            raise InputError('ClipsConfig.path is needed for kind = "clips": the folder of the clips.')

    def world(self, size: int) -> ClipConfig:
        """The playground's clips."""
        from ..pretraining.video import VideoSettings, clip_config

        return replace(clip_config(VideoSettings(size=size, frames=self.frames)), speed=self.speed)


@dataclass(frozen=True)
class FilmTrain:
    """How it is trained."""

    steps: int = 600
    """Updates."""
    batch: int = 8
    """Clips in one update."""
    lr: float = 1e-3
    """Peak learning rate of AdamW, cosine after the warm-up."""
    gate_factor: float = 10.0
    """Learning rate of scalar gates, times `lr`."""
    weight_decay: float = 0.01
    """On matrices and kernels."""
    warmup: float = 0.05
    """Share of the steps in which the learning rate rises."""
    clip: float = 1.0
    """Largest norm of the gradient; 0 for no limit."""
    average: float = 0.99
    """Share of the old in the running average of the weights, which is what is saved; 0: none."""
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    """Of activations; weights stay float32."""
    log_every: int = 20
    """Steps between two lines of metrics.jsonl."""
    save_every: int = 100
    """Steps between checkpoints; 0: on a stop only."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "log_every"):
            if getattr(self, name) < 1:
                raise InputError(f"FilmTrain.{name} must be at least 1; got {getattr(self, name)}.")
        for name in ("lr", "gate_factor"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"FilmTrain.{name} must be above 0; got {getattr(self, name)}.")
        for name in ("warmup", "average"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"FilmTrain.{name} must lie in [0, 1); got {getattr(self, name)}.")


@dataclass(frozen=True)
class FilmRecipe:
    """One training run."""

    name: str
    stage: Literal["motion", "image", "joint"]
    base: BaseConfig
    data: ClipsConfig
    adapter: AdapterConfig
    loss: LossConfig
    train: FilmTrain
    sample: SampleConfig | None
    """None: as the base has it."""
    about: str = ""
    seed: int = 0
    tracker: Literal["plain", "mil"] = "plain"
    """What tells where things are in sampled clips: an oracle for plain backgrounds, or OpenCV's for real clips."""

    def to_toml(self) -> str:
        """The recipe as a TOML file that gives it again."""
        values: dict[str, Any] = {
            "name": self.name,
            "about": self.about,
            "task": FILM,
            "seed": self.seed,
            "stage": self.stage,
            "tracker": self.tracker,
            "base": asdict(self.base),
            "data": {name: value for name, value in asdict(self.data).items() if value is not None},
            "loss": asdict(self.loss),
            "train": asdict(self.train),
        }
        for name, table in (("motion", self.adapter.motion), ("image", self.adapter.image), ("sample", self.sample)):
            if table is not None:
                values[name] = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(table).items()}
        return tomli_w.dumps(values, multiline_strings="\r" not in self.about)


_TABLES: dict[str, Any] = {
    "base": BaseConfig,
    "data": ClipsConfig,
    "motion": MotionConfig,
    "image": ImageConfig,
    "loss": LossConfig,
    "train": FilmTrain,
    "sample": SampleConfig,
}
_PLAIN = ("name", "about", "task", "seed", "stage", "tracker")


def load_film(name: str, changes: Sequence[str] = (), *, smoke: bool = False, root: Path | None = None) -> FilmRecipe:
    """Read a film recipe.

    Args:
        name: path, or the name of a shipped recipe.
        changes: settings to replace, "train.lr=0.01" each.
        smoke: apply the [smoke] table first.
        root: where relative paths start; None: the folder of the recipe, or the current one for a shipped recipe.

    Raises:
        InputError: no such file, an unknown key, a wrong type, or settings that do not go together.
    """
    path = find(name)
    values = read(path)
    small = values.pop("smoke", {})
    changed = [nested(key, value) for key, value in small.items()] if smoke else []
    for change in [*changed, *map(parse_change, changes)]:
        values = merge(values, change)
    shipped = path.suffix == ".toml" and not Path(name).is_file()
    return _from_dict(values, path.stem, root or (Path.cwd() if shipped else path.resolve().parent))


def _from_dict(values: Mapping[str, Any], name: str, root: Path) -> FilmRecipe:
    for key in values:
        if key not in (*_TABLES, *_PLAIN):
            raise InputError(f"A film recipe has no table or setting {key!r}. {nearest(key, [*_TABLES, *_PLAIN])}")
    if "base" not in values:
        raise InputError(f'The recipe {name!r} lacks [base], such as name = "runs/playground-video".')
    tables = {key: build(kind, values[key], f"[{key}]") for key, kind in _TABLES.items() if key in values}
    stage = convert(values.get("stage", "motion"), Literal[STAGES], "stage")
    tracker = convert(values.get("tracker", "plain"), Literal["plain", "mil"], "tracker")
    base, data = tables["base"], tables.get("data", ClipsConfig())
    base = replace(base, name=_path(root, base.name), run=_path(root, base.run) if base.run else "")
    data = replace(data, path=None if data.path is None else str(root / Path(data.path).expanduser()))
    _check(stage, tables, base, name)
    return FilmRecipe(
        name=convert(values.get("name", name), str, "name"),
        stage=stage,
        base=base,
        data=data,
        adapter=AdapterConfig(tables.get("motion"), tables.get("image")),
        loss=tables.get("loss", LossConfig()),
        train=tables.get("train", FilmTrain()),
        sample=tables.get("sample"),
        about=convert(values.get("about", ""), str, "about"),
        seed=convert(values.get("seed", 0), int, "seed"),
        tracker=tracker,
    )


def _check(stage: str, tables: Mapping[str, Any], base: BaseConfig, name: str) -> None:
    """What a stage needs and must not have."""
    needed = {"motion": ("motion",), "image": ("image",), "joint": ("motion", "image")}[stage]
    lacking = [table for table in needed if table not in tables]
    if lacking:
        raise InputError(f'The recipe {name!r} has stage = "{stage}" and lacks the table [{lacking[0]}].')
    if stage == "motion" and "image" in tables:
        raise InputError('stage = "motion" trains no image module. Leave [image] for the next stage, or say "joint".')
    if stage == "image" and "motion" in tables and not base.run:
        raise InputError(
            'stage = "image" keeps the motion module frozen, so it must be a trained one: base.run = "runs/…" names '
            'the run of stage = "motion". Without [motion] the image module is trained alone.'
        )
    if stage != "image" and base.run:
        raise InputError(f'base.run is for stage = "image"; this is "{stage}".')


def _path(root: Path, name: str) -> str:
    """A folder that is there by its whole path, so that the run may be used from anywhere; hub ids as they are."""
    folder = root / Path(name).expanduser()
    return str(folder.resolve()) if folder.is_dir() else name
