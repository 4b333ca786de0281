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

import functools
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import tomli_w

from ..backbones.backbone import PREFIX
from ..backbones.embedded import EMBEDDED
from ..data.config import DataConfig
from ..errors import InputError, nearest, pick
from ..features.config import StoreConfig
from ..side.config import CONFIGS, SideConfig
from ..tasks import TASKS
from ..tasks.task import HeadConfig
from ..tasks.written.config import WriteConfig
from .changes import parse_change, with_change
from .recipe_files import FILM, find, read
from .settings import build, convert, nested

LARGEST = 4096
"""Most pixels of a picture's side that a recipe may ask for; memory grows with the square, in attention faster."""
_EMBEDDED = ", ".join(f"{PREFIX}{name}" for name in EMBEDDED)
_SEEDS = 2**32
"""Seeds lie below this: NumPy takes no others."""


@dataclass(frozen=True)
class BackboneConfig:
    """A frozen model and how its inputs are prepared."""

    name: str
    """"embedded:<name>", a folder (relative to the recipe's or the current one), or a hub id."""
    part: str | None = None
    """Which trunk of a model with several: vision, text, encoder or decoder."""
    revision: str | None = None
    """Commit or tag of the hub repository."""
    size: int | None = None
    """Side of the square pictures in pixels; None takes the processor's."""
    max_tokens: int | None = None
    """Longest text; the rest is cut off. None: 128, or fewer where the backbone reads no more."""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise InputError(f"BackboneConfig.name is empty. Give a folder, a hub id, or {_EMBEDDED}.")
        if self.revision is not None and (self.name.startswith(PREFIX) or Path(self.name).is_dir()):
            raise InputError(
                f"BackboneConfig.revision = {self.revision!r} is of a hub repository, and {self.name!r} is none. "
                "Leave it out."
            )
        if self.size is not None and not 1 <= self.size <= LARGEST:
            raise InputError(f"BackboneConfig.size must lie in 1 to {LARGEST} pixels; got {self.size}.")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise InputError(f"BackboneConfig.max_tokens must be at least 1; got {self.max_tokens}.")


@dataclass(frozen=True)
class StoreChoice(StoreConfig):
    """What is kept of the frozen pass, and where."""

    folder: str = ""
    """Where stores lie, relative to the current folder; empty: lichen-features there."""
    live: bool = False
    """Keep nothing: run the backbone in every step instead."""
    batch: int = 64
    """Samples in one frozen pass."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch < 1:
            raise InputError(f"StoreChoice.batch must be at least 1; got {self.batch}.")

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
    """Of AdamW, on matrices only: not on biases, norms, gates or a temperature."""
    warmup: float = 0.1
    """Share of the steps in which the learning rate rises."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the learning rate falls afterwards."""
    cycles: int = 1
    """cosine: how often it falls, each time from the peak; a training in stages gives each its own."""
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
        for name in ("batch", "accumulate", "log_every", "keep", "cycles"):
            if getattr(self, name) < 1:
                raise InputError(f"TrainConfig.{name} must be at least 1; got {getattr(self, name)}.")
        for name in ("eval_every", "save_every", "workers", "clip", "weight_decay"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"TrainConfig.{name} must be 0 or more; got {getattr(self, name)}.")
        for name in ("steps", "epochs", "lr"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"TrainConfig.{name} must be above 0; got {value}.")
        if self.steps is not None and self.epochs is not None:
            raise InputError("[train] takes steps or epochs, not both.")
        if self.cycles > 1 and self.schedule != "cosine":
            raise InputError(f'TrainConfig.cycles is of schedule = "cosine"; got {self.cycles} and {self.schedule!r}.')
        if not 0 <= self.warmup < 1:
            raise InputError(f"TrainConfig.warmup is a share of the steps, from 0 to below 1; got {self.warmup}.")

    @property
    def scheduler(self) -> tuple[str, dict[str, Any]]:
        """The schedule as transformers names it, and what else it is told."""
        if self.cycles > 1:
            return "cosine_with_restarts", {"num_cycles": self.cycles}
        return self.schedule, {}


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
        if not all(0 < value < math.inf for value in (*self.factors, *self.rates.values())):
            raise InputError("[compare] factors and rates are learning rates, or multiply them: all must be above 0.")
        if self.tune_steps is not None and self.tune_steps < 1:
            raise InputError(f"CompareConfig.tune_steps must be at least 1; got {self.tune_steps}.")


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
        plain = _plain(values)
        short = tomli_w.dumps(plain)
        # Line breaks of a text over several lines come back as the reader's own.
        return short if "\\r" in short else tomli_w.dumps(plain, multiline_strings=True)


def _plain(value: Any) -> Any:
    """Without None, which TOML cannot say and which is every such setting's default; tuples as lists."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items() if item is not None}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


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
    values = read(path)
    small = values.pop("smoke", {})
    if not isinstance(small, Mapping):
        raise InputError(f'[smoke] must be a table of settings, such as "train.steps" = 4; got {small!r}.')
    changed = [nested(key, value) for key, value in small.items()] if smoke else []
    for change in [*changed, *map(parse_change, changes)]:
        values = with_change(values, change)
    return from_dict(values, path.stem, root or path.resolve().parent)


_TABLES = (
    "name", "about", "task", "seed",
    "data", "backbone", "backbones", "side", "sides", "head", "store", "train", "compare",
)  # fmt: skip


def from_dict(values: Mapping[str, Any], name: str, root: Path) -> Recipe:
    """A recipe from the tables of its file.

    Raises:
        InputError: as `load_recipe`.
    """
    if values.get("task") == FILM:
        raise InputError(
            f"The recipe {name!r} trains what is added to a video model. lichen train, evaluate and predict know such "
            "recipes; cache, plan and compare do not."
        )
    for key in values:
        if key not in _TABLES:
            home = _homes().get(key)
            advice = nearest(key, _TABLES) if home is None else f"It belongs in {home}."
            raise InputError(f"A recipe has no table or setting {key!r}. {advice}")
    for key, example in _NEEDED.items():
        if key not in values:
            raise InputError(f"The recipe {name!r} lacks {key}, such as: {example} A whole one: lichen train --help")
    task = pick("task", convert(values["task"], str, "task"), TASKS)
    data = _build(DataConfig, values["data"], "[data]")
    named = values.get("backbones", {})
    parts = TASKS[task].parts(data, tuple(named) if isinstance(named, Mapping) else ())
    train = _build(TrainConfig, values.get("train", {}), "[train]")
    if train.batch < TASKS[task].least_batch:
        raise InputError(f"[train] batch must be at least 2 to {task}: the others of a batch are the wrong answers.")
    seed = convert(values.get("seed", 0), int, "seed")
    if not 0 <= seed < _SEEDS:
        raise InputError(f"seed must lie in 0 to {_SEEDS - 1}; got {seed}.")
    return Recipe(
        name=_name(convert(values.get("name", name), str, "name")),
        task=task,
        data=data.resolve(root),
        backbones=_by_part(values, "backbone", parts, functools.partial(_backbone, root)),
        sides=_by_part(values, "side", parts, _side),
        head=_build(HeadConfig, values.get("head", {}), "[head]"),
        store=_build(StoreChoice, values.get("store", {}), "[store]"),
        train=train,
        compare=_build(CompareConfig, values.get("compare", {}), "[compare]"),
        about=convert(values.get("about", ""), str, "about"),
        seed=seed,
    )


_NEEDED = {"task": 'task = "classify".', "data": 'a table [data] with kind = "folder" and path = "pictures".'}
T = TypeVar("T")


def _build(kind: type[T], values: Any, where: str) -> T:
    """A table's settings; one that belongs elsewhere is told where."""
    own = f"[{where.strip('[]').partition('.')[0].removesuffix('s')}]"
    return build(kind, values, where, {name: home for name, home in _homes().items() if own not in home})


@functools.cache
def _homes() -> dict[str, str]:
    """Where each setting of a recipe belongs."""
    kinds = {"[data]": (DataConfig,), "[backbone]": (BackboneConfig,), "[side]": tuple(CONFIGS.values())}
    kinds |= {
        "[head]": (HeadConfig,),
        "[head.decoder]": (WriteConfig,),
        "[store]": (StoreChoice,),
        "[train]": (TrainConfig,),
    }
    found = {name: ["the lines before the first [table]"] for name in ("name", "about", "task", "seed")}
    for table, classes in kinds.items():
        for name in dict.fromkeys(each.name for kind in classes for each in fields(kind)):
            found.setdefault(name, []).append(table)
    homes = {name: " or ".join(places) for name, places in found.items()}
    return homes | {name: f"a table of its own, [{name}]" for name in _TABLES if name not in found or name == "train"}


def _name(name: str) -> str:
    """The name of a recipe, which names the folder of its run."""
    if name in ("", ".", "..") or not name.isprintable() or set(name) & {"/", "\\"}:
        raise InputError(f"The name of a recipe names the folder of its run, so it must be a plain one; got {name!r}.")
    return name


def _backbone(root: Path, table: Mapping[str, Any], where: str) -> BackboneConfig:
    """Settings of a backbone; a folder that is there by its whole path, so that the run may be used from anywhere."""
    config = _build(BackboneConfig, table, where)
    folder = root / Path(config.name).expanduser()
    if not folder.is_dir():
        folder = Path(config.name).expanduser()
    return replace(config, name=os.path.abspath(folder)) if folder.is_dir() else config


def _by_part(values: Mapping[str, Any], key: str, parts: Sequence[str], make: Any) -> dict[str, Any]:
    """[backbone] for all parts, or [backbones.<part>] for each."""
    shared, single = values.get(key), values.get(f"{key}s", {})
    if not isinstance(single, Mapping):
        raise InputError(f"[{key}s.<part>] must be a table for a part; got {key}s = {single!r}.")
    for part in single:
        if len(parts) == 1 and part not in parts:
            raise InputError(f"[{key}s.{part}] is for tasks that read several inputs. This one reads one: [{key}].")
        pick(f"part in [{key}s]", part, parts)
    result = {}
    for part in parts:
        table = single.get(part, shared)
        where = f"[{key}s.{part}]" if part in single else f"[{key}]"
        if table is None:
            wanted = f"[{key}]" if len(parts) == 1 else f"[{key}s.{part}], or one [{key}] for all parts"
            raise InputError(f"The recipe lacks {wanted}. A whole recipe: lichen train --help")
        if not isinstance(table, Mapping):
            raise InputError(f"{where} must be a table of settings; got {table!r}.")
        result[part] = make(table, where)
    return result


def _side(table: Mapping[str, Any], where: str) -> SideConfig:
    if "method" not in table:
        raise InputError(f"{where} lacks method: unipt, sherl, lst, pooled or probe.")
    values = dict(table)
    kind = CONFIGS[pick(f"{where} method", convert(values.pop("method"), str, f"{where} method"), CONFIGS)]
    return _build(kind, values, where)
