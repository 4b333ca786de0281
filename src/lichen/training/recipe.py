"""`Recipe`: a TOML file that describes one training run completely.

    about = "what it trains, expected result, time, memory, command"
    task = "classify"
    [data]      what to learn from           (lichen.data.config.DataConfig)
    [backbone]  the frozen model             ([backbones.image] and [backbones.text] for tasks that read two)
    [side]      the side network beside it   ([sides.image] … to tell two apart)
    [head]      the task's head
    [store]     what is kept of the one frozen pass
    [train]     steps, batch, learning rate …
    [compare]   methods and learning rates of `lichen compare`
    [smoke]     settings that shrink the run to seconds, used with --smoke

Unknown keys are errors with a suggestion. Relative paths in [data] start from the folder of the recipe, or from the
folder that the caller names.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import tomli_w

from ..data.config import DataConfig
from ..errors import InputError, nearest, pick
from ..features.config import StoreConfig
from ..side.config import SideConfig, config_from_dict
from ..tasks import TASKS
from ..tasks.task import HeadConfig
from .settings import build, convert, merge, nested

SHIPPED = Path(__file__).resolve().parents[1] / "recipes"
"""Folder of the recipes that come with the library."""


@dataclass(frozen=True)
class BackboneConfig:
    """A frozen model and how its inputs are prepared."""

    name: str
    """"embedded:<name>", a local folder, or a hub id."""
    part: str | None = None
    """Which trunk of a model with several: vision, text, encoder or decoder."""
    revision: str | None = None
    """Commit or tag of the hub repository."""
    size: int | None = None
    """Side of the square pictures in pixels; None takes the processor's."""
    max_tokens: int = 128
    """Longest text; the rest is cut off."""


@dataclass(frozen=True)
class StoreChoice(StoreConfig):
    """What is kept of the frozen pass, and where."""

    folder: str = ""
    """Where the store lies, relative to the current folder; empty: features/ beside the run."""
    live: bool = False
    """Keep nothing: run the backbone in every step instead."""
    batch: int = 64
    """Samples in one frozen pass."""

    def config(self) -> StoreConfig:
        """The store's own settings."""
        own = StoreConfig.__dataclass_fields__
        return StoreConfig(**{name: getattr(self, name) for name in own})


@dataclass(frozen=True)
class TrainConfig:
    """How the side network is trained."""

    steps: int | None = None
    """Updates; or give epochs."""
    epochs: float | None = None
    """Passes over the training side; 3 where neither is given."""
    batch: int = 16
    """Samples in one pass; times `accumulate` and the number of processes in one update."""
    accumulate: int = 1
    """Passes in one update."""
    lr: float = 1e-3
    """Peak learning rate of AdamW."""
    weight_decay: float = 0.01
    """Of AdamW, on everything but biases and norms."""
    warmup: float = 0.1
    """Share of the steps in which the learning rate rises."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the learning rate falls afterwards."""
    clip: float = 1.0
    """Largest norm of the gradient; 0 for no limit."""
    buckets: bool = True
    """Texts of like length share a batch."""
    log_every: int = 10
    """Steps between two lines of metrics.jsonl."""
    eval_every: int = 0
    """Steps between two evaluations on the dev side; 0: at the end only."""
    save_every: int = 0
    """Steps between two checkpoints; 0: on a stop only."""
    keep: int = 2
    """Checkpoints to keep."""
    workers: int = 0
    """Processes that read the store ahead."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the side network's activations; weights stay float32."""
    trackers: tuple[str, ...] = ()
    """Where metrics go besides the run folder: tensorboard, wandb …"""

    def __post_init__(self) -> None:
        for name in ("batch", "accumulate", "log_every", "keep"):
            if getattr(self, name) < 1:
                raise InputError(f"[train] {name} must be at least 1; got {getattr(self, name)}.")
        for name in ("steps", "epochs"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise InputError(f"[train] {name} must be above 0; got {value}.")
        if self.steps is not None and self.epochs is not None:
            raise InputError("[train] takes steps or epochs, not both.")
        if not self.lr > 0:
            raise InputError(f"[train] lr must be above 0; got {self.lr}.")
        if not 0 <= self.warmup < 1:
            raise InputError(f"[train] warmup is a share of the steps, from 0 to below 1; got {self.warmup}.")


@dataclass(frozen=True)
class CompareConfig:
    """What `lichen compare` runs when the command line does not say."""

    methods: tuple[str, ...] = ("pooled", "unipt", "sherl", "lst", "probe", "lora", "lora-last", "lora-checkpointed")
    """Side networks and peers, by name."""
    seeds: int = 3
    """Seeds 0, 1, …"""
    tune_steps: int | None = None
    """Steps of each learning-rate trial; None: as many as [train] has."""
    factors: tuple[float, ...] = (0.3, 1.0, 3.0)
    """Each method tries its rate times these on the dev side; one factor: no trial."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Learning rate of each method before the factors."""

    def __post_init__(self) -> None:
        if self.seeds < 1 or not self.factors:
            raise InputError("[compare] needs at least one seed and one factor.")


@dataclass(frozen=True)
class Recipe:
    """One training run."""

    name: str
    """Of the file, without its ending."""
    task: str
    data: DataConfig
    """With absolute paths."""
    backbones: Mapping[str, BackboneConfig]
    """By part of the task."""
    sides: Mapping[str, SideConfig]
    """By part of the task."""
    head: HeadConfig
    store: StoreChoice
    train: TrainConfig
    compare: CompareConfig
    about: str = ""
    seed: int = 0

    def to_toml(self) -> str:
        """The recipe as a TOML file that gives it again."""
        values: dict[str, Any] = {
            "name": self.name,
            "about": self.about,
            "task": self.task,
            "seed": self.seed,
            "data": asdict(self.data),
            "backbones": {part: asdict(config) for part, config in self.backbones.items()},
            "sides": {part: config.to_dict() for part, config in self.sides.items()},
            "head": asdict(self.head),
            "store": asdict(self.store),
            "train": asdict(self.train),
            "compare": {**asdict(self.compare), "rates": dict(self.compare.rates)},
        }
        return tomli_w.dumps(_plain(values), multiline_strings=True)


def _plain(value: Any) -> Any:
    """Without None, which TOML cannot say and which is every such setting's default; tuples as lists."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items() if item is not None}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def find(name: str) -> Path:
    """The file of a recipe: a path, or the name of one that comes with the library.

    Raises:
        InputError: neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = {file.stem: file for file in SHIPPED.glob("*.toml")}
    if path.suffix != ".toml" and name in shipped:
        return shipped[name]
    if path.is_dir():
        raise InputError(f"{name!r} is a folder. Give a recipe: a TOML file, or one of {', '.join(sorted(shipped))}.")
    raise InputError(f"There is no recipe {name!r}: no such file. {nearest(name, shipped)}")


def load_recipe(name: str, changes: Sequence[str] = (), *, smoke: bool = False, root: Path | None = None) -> Recipe:
    """Read a recipe.

    Args:
        name: path, or the name of a shipped recipe.
        changes: settings to replace, "train.lr=0.01" each; values are written as in TOML, text may go unquoted.
        smoke: apply the [smoke] table first.
        root: where relative paths of [data] start; None: the folder of the recipe.

    Raises:
        InputError: no such file, no TOML, an unknown key, a wrong type, or settings that do not go together.
    """
    path = find(name)
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read as TOML: {error}.") from error
    small = values.pop("smoke", {})
    for key, value in small.items() if smoke else ():
        values = merge(values, nested(key, value))
    for change in changes:
        values = merge(values, _change(change))
    return from_dict(values, path.stem, root or path.resolve().parent)


def _change(text: str) -> dict[str, Any]:
    """One `key=value` of the command line as a nested table."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set takes key=value, such as train.lr=0.01; got {text!r}.")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    return nested(key.strip(), parsed)


_TABLES = (
    "name", "about", "task", "seed",
    "data", "backbone", "backbones", "side", "sides", "head", "store", "train", "compare",
)  # fmt: skip


def from_dict(values: Mapping[str, Any], name: str, root: Path) -> Recipe:
    """A recipe from the tables of its file.

    Raises:
        InputError: as `load_recipe`.
    """
    for key in values:
        if key not in _TABLES:
            raise InputError(f"A recipe has no table or setting {key!r}. {nearest(key, _TABLES)}")
    for key in ("task", "data"):
        if key not in values:
            raise InputError(f"The recipe {name!r} lacks {key!r}.")
    task = pick("task", convert(values["task"], str, "task"), TASKS)
    data = build(DataConfig, values["data"], "[data]")
    parts = TASKS[task].parts(data)
    return Recipe(
        name=convert(values.get("name", name), str, "name"),
        task=task,
        data=data.resolve(root),
        backbones=_by_part(values, "backbone", parts, lambda table, where: build(BackboneConfig, table, where)),
        sides=_by_part(values, "side", parts, _side),
        head=build(HeadConfig, values.get("head", {}), "[head]"),
        store=build(StoreChoice, values.get("store", {}), "[store]"),
        train=build(TrainConfig, values.get("train", {}), "[train]"),
        compare=build(CompareConfig, values.get("compare", {}), "[compare]"),
        about=convert(values.get("about", ""), str, "about"),
        seed=convert(values.get("seed", 0), int, "seed"),
    )


def _by_part(values: Mapping[str, Any], key: str, parts: Sequence[str], make: Any) -> dict[str, Any]:
    """[backbone] for all parts, or [backbones.<part>] for each."""
    shared, single = values.get(key), values.get(f"{key}s", {})
    for part in single:
        pick(f"part in [{key}s]", part, parts)
    result = {}
    for part in parts:
        table = single.get(part, shared)
        if table is None:
            wanted = f"[{key}]" if len(parts) == 1 else f"[{key}s.{part}]"
            raise InputError(f"The recipe lacks {wanted}.")
        result[part] = make(table, f"[{key}s.{part}]" if part in single else f"[{key}]")
    return result


def _side(table: Mapping[str, Any], where: str) -> SideConfig:
    if "method" not in table:
        raise InputError(f"{where} lacks method: unipt, sherl, lst, pooled or probe.")
    return config_from_dict(dict(table))
