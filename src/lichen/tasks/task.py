"""`Task`: one question asked of samples. How they become inputs and targets, which head answers, how answers score.

Concrete tasks are the other files of this folder. Training, evaluation and prediction use a task through this class
alone, so a new task is one file and one row in `tasks.TASKS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor, nn

from ..backbones.features import Features
from ..data.config import DataConfig
from ..data.dataset import Dataset
from ..data.inputs import ImageInputs, TextInputs
from ..data.views import Views
from ..errors import InputError
from ..heads.given import Given
from ..heads.summary import Pooling
from ..scene import Scene
from .boxes import BoxesConfig
from .grounded.config import GroundConfig
from .interacting.config import InteractConfig
from .model import SideModel
from .related.config import RelateConfig
from .solid.config import BuildConfig
from .written.config import WriteConfig

Inputs = ImageInputs | TextInputs
"""What a backbone reads, sample by sample."""
Fetch = Callable[[str, Tensor], Features]
"""Features of some rows of a part, from a store or from a live backbone."""


Gathered = Callable[[str, int, int], Any]
"""Told of long work: what is done, how many samples of it are done, how many there are."""


@dataclass(frozen=True)
class HeadConfig:
    """Settings of a task's head. Each task reads those that concern it."""

    pooling: Pooling = "auto"
    """How one vector is made of a sample: mean, cls, cls+mean, last, pooled, gpo; auto fits the backbone."""
    dropout: float = 0.1
    """classify: before the last layer."""
    label_smoothing: float = 0.0
    """classify: share of a target that is spread over all classes."""
    balanced: bool = False
    """classify: weight classes by the inverse of their frequency in training."""
    width: int = 256
    """retrieve: width of the common space."""
    loss: Literal["contrastive", "triplet"] = "contrastive"
    """retrieve: symmetric contrastive, or the triplets of VSE-infinity."""
    temperature: float = 0.07
    """retrieve: where the contrastive loss starts."""
    margin: float = 0.2
    """retrieve: of the triplets."""
    warm_up: float = 1.0
    """retrieve: epochs in which all negatives of a triplet count, before the hardest alone."""
    decoder: WriteConfig = field(default_factory=WriteConfig)
    """write: the decoder, a table of its own, [head.decoder]."""
    graph: RelateConfig = field(default_factory=RelateConfig)
    """relate: the scene graph head, [head.graph]."""
    grounding: GroundConfig = field(default_factory=GroundConfig)
    """ground: the grounding network, [head.grounding]."""
    interactions: InteractConfig = field(default_factory=InteractConfig)
    """interact: the head for interactions, [head.interactions]."""
    solids: BuildConfig = field(default_factory=BuildConfig)
    """solids: the networks that name an object's cuboids, [head.solids]."""
    boxes: BoxesConfig = field(default_factory=BoxesConfig)
    """relate, ground, interact: where boxes come from, [head.boxes]."""

    def __post_init__(self) -> None:
        for name in ("dropout", "label_smoothing"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise InputError(f"HeadConfig.{name} must lie in [0, 1); got {getattr(self, name)}.")
        if self.width < 1:
            raise InputError(f"HeadConfig.width must be at least 1; got {self.width}.")
        if not self.temperature > 0:
            raise InputError(f"HeadConfig.temperature must be above 0; got {self.temperature}.")
        for name in ("margin", "warm_up"):
            if not getattr(self, name) >= 0:
                raise InputError(f"HeadConfig.{name} must be 0 or more; got {getattr(self, name)}.")


@dataclass(frozen=True)
class Preparation:
    """How the inputs of one part are made."""

    processor: Any
    """Tokenizer or image processor of the backbone."""
    size: int | None = None
    """Side of the square pictures in pixels; None takes the processor's."""
    max_tokens: int | None = None
    """Longest text; None as `TextInputs` has it."""
    views: Views | None = None
    """Several fixed views a picture."""


@dataclass(frozen=True)
class Examples:
    """What is learnt from or measured: one row an example."""

    rows: Mapping[str, Int[Tensor, " examples"]]
    """By part: which of its inputs the example reads."""
    targets: Mapping[str, Tensor]
    """What the head is told, (examples, ...) each."""
    names: tuple[str, ...]
    """What messages call each example."""
    known: tuple[Any, ...] = ()
    """What a metric needs that no tensor holds, such as true texts; the task says which of them an example is of."""

    def __len__(self) -> int:
        return len(self.names)

    def without(self, part: str, bad: Sequence[int]) -> Examples:
        """The examples that do not read any of some inputs of a part."""
        if not len(bad):
            return self
        keep = ~torch.isin(self.rows[part], torch.as_tensor(list(bad)))
        return self.take(keep.nonzero().flatten())

    def take(self, places: Int[Tensor, " places"]) -> Examples:
        """Some of the examples, by place."""
        return replace(
            self,
            rows={part: rows[places] for part, rows in self.rows.items()},
            targets={name: values[places] for name, values in self.targets.items()},
            names=tuple(self.names[place] for place in places.tolist()),
        )

    def batches(self, size: int) -> Iterator[Examples]:
        """All examples in order, `size` at a time."""
        for places in torch.arange(len(self)).split(size):
            yield self.take(places)


@runtime_checkable
class Order(Protocol):
    """Which examples each epoch holds, and in which order, where they do not simply all have their turn."""

    def __len__(self) -> int: ...

    def epoch(self, number: int) -> Int[Tensor, " examples"]:
        """Places among the examples, as many in every epoch."""

    def describe(self) -> str:
        """All that the order depends on beside the examples and the seed."""


class Task(ABC):
    """One question. Built from a data set for training, or from saved settings for prediction."""

    name: ClassVar[str]
    """Of the recipe's `task`."""
    headline: str
    """The metric that is watched, plotted and compared; larger is better."""
    headline_unit: ClassVar[Literal["share", "points"]] = "share"
    """Shares are shown in percent."""
    whole_pictures: ClassVar[bool] = False
    """Pictures are squeezed into a square, never cropped: for tasks whose answers are boxes."""
    option: str = ""
    """What `lichen predict` must be told beside the inputs, as an example."""
    least_batch: ClassVar[int] = 1
    """Samples that a batch needs."""
    shapes_suffice: ClassVar[bool] = True
    """Whether a step can be counted by shapes alone; not where what it computes depends on boxes and captions."""

    @staticmethod
    @abstractmethod
    def parts(data: DataConfig, named: Sequence[str] = ()) -> tuple[str, ...]:
        """What the task reads, a backbone each, by the kind of its data.

        Args:
            data: of the recipe.
            named: parts that the recipe gives backbones, for tasks that read any number of them.

        Raises:
            InputError: the task cannot be learnt from this kind of data.
        """

    @classmethod
    @abstractmethod
    def of(cls, dataset: Dataset, data: DataConfig, head: HeadConfig, parts: Sequence[str] = ()) -> Task:
        """The task that a data set poses, with the parts that the recipe gives backbones."""

    @classmethod
    @abstractmethod
    def from_settings(cls, settings: Mapping[str, Any], head: HeadConfig) -> Task:
        """The inverse of `settings`."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What a trained head's answers mean, as JSON can hold it."""

    def check_same(self, other: Task) -> None:
        """Make sure that data pose the question that this task was trained to answer.

        Args:
            other: what the data pose.

        Raises:
            InputError: it is another question.
        """
        own, found = self.settings(), other.settings()
        if self.name != other.name or own.keys() != found.keys():
            raise InputError(f"These data are for {other.name}, but the run was trained to {self.name}.")
        for key, value in own.items():
            if found[key] != value:
                raise InputError(
                    f"These data pose another question than the run was trained for. {key}: expected {_listed(value)}, "
                    f"got {_listed(found[key])}. Give data of the same {key}."
                )

    def check_data(self, posed: type[Task], dataset: Dataset, data: DataConfig, head: HeadConfig) -> None:
        """Make sure that a trained run can be measured on data.

        Args:
            posed: what the recipe asks.
            dataset, data, head: of the recipe.

        Raises:
            InputError: see `check_same`.
        """
        self.check_same(posed.of(dataset, data, head))

    @abstractmethod
    def inputs(self, dataset: Dataset, part: str, how: Preparation) -> Inputs:
        """All inputs of a part, of every split."""

    @abstractmethod
    def examples(self, dataset: Dataset, split: str) -> Examples:
        """What a split teaches or measures.

        Raises:
            InputError: the data set has no such split.
        """

    def gather(self, dataset: Dataset, report: Gathered | None = None) -> None:
        """Find what examples need beside the data, such as boxes, and keep it for later; nothing by default.

        Args:
            dataset: whose every split is wanted.
            report: told what is found, and how much of how much is done.
        """
        return None

    def told(self, examples: Examples) -> dict[str, Any]:
        """What the head is told of a batch of examples: tensors, or records with a method `to(device)`."""
        return dict(examples.targets)

    def order(self, examples: Examples, seed: int) -> Order | None:
        """The order of training examples; None where all have their turn once in every epoch."""
        return None

    @abstractmethod
    def make_head(self, given: Mapping[str, Given], dataset: Dataset | None = None) -> nn.Module:
        """A fresh head: `forward(features by part, targets or None) -> {"loss": …, outputs}`.

        Args:
            given: what reaches it, by part.
            dataset: whose training side may weigh the classes; None where a trained head is loaded.
        """

    @abstractmethod
    def measure(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, float]:
        """Metrics by the task's official protocol.

        Args:
            outputs: of the model for all examples of a split, one row an example.
            targets: of the same examples.
        """

    def score(self, model: nn.Module, fetch: Fetch, examples: Examples, batch: int = 64) -> dict[str, float]:
        """Metrics of a model on examples, by `measure`.

        Args:
            model: `forward(features by part, targets or None)`.
            fetch: gives features.
            examples: of one split.
            batch: examples at a time.
        """
        parts = []
        with torch.inference_mode(), evaluating(model):
            for some in examples.batches(batch):
                parts.append(model({part: fetch(part, rows) for part, rows in some.rows.items()}))
        outputs = {name: torch.cat([part[name] for part in parts]).cpu() for name in parts[0]}
        return self.measure(outputs, examples.targets)

    @abstractmethod
    def answer(self, outputs: Mapping[str, Tensor], scenes: Sequence[Scene]) -> list[Scene]:
        """Scenes with what the model says of them.

        Args:
            outputs: of the model for these samples.
            scenes: what is known of them already.
        """


class Responding(Task):
    """A task whose answers take more than the outputs of a model: boxes of the pictures, or questions about them."""

    reads_boxes: ClassVar[bool] = False
    """Whether scenes must bring boxes."""

    def check_data(self, posed: type[Task], dataset: Dataset, data: DataConfig, head: HeadConfig) -> None:
        """Other data may show other things, and show them less often, if only the same is asked of them; what has no
        name here is left out or refused when it is read."""
        if posed is not type(self):
            raise InputError(f"These data are for {posed.name}, but the run was trained to {self.name}.")

    def known(self, scene: Scene) -> Scene:
        """A scene without what the task has no name for; boxes that a detector found may be of any class."""
        return scene

    def lacking(self, scene: Scene) -> str | None:
        """Why a scene cannot be answered, before its picture is looked at; None where it can."""
        return None

    @abstractmethod
    def respond(
        self, model: SideModel, features: Mapping[str, Features], scenes: Sequence[Scene], asked: Sequence[Any] = ()
    ) -> list[Scene]:
        """Scenes with answers.

        Args:
            model: trained, in eval mode.
            features: of the pictures, by part.
            scenes: what is known of them already; with sizes.
            asked: what is wanted of each, where the task takes questions.

        Raises:
            InputError: something that the task does not know, or that lies outside a picture.
        """

    def answer(self, outputs: Mapping[str, Tensor], scenes: Sequence[Scene]) -> list[Scene]:
        """Outputs alone are no answer.

        Raises:
            InputError: always.
        """
        raise InputError(f"A run that was trained to {self.name} is asked by Run.respond, with scenes of its pictures.")


def _listed(value: Any, most: int = 12) -> str:
    """A setting in a message; a long list is cut short."""
    if not isinstance(value, list):
        return str(value)
    return ", ".join(map(str, value[:most])) + (f" … ({len(value)} in all)" if len(value) > most else "")


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in eval mode inside the block, and in its own mode after it."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def picture_inputs(dataset: Dataset, how: Preparation, whole: bool = False) -> ImageInputs:
    """All pictures of a data set; `whole` ones are squeezed, others cropped as their processor does it."""
    return ImageInputs(dataset, range(len(dataset)), how.processor, how.size, how.views, whole)


def text_inputs(texts: Sequence[str], names: Sequence[str], how: Preparation) -> TextInputs:
    """Texts with their ids.

    Raises:
        InputError: the processor is none for texts.
    """
    tokenizer = getattr(how.processor, "tokenizer", how.processor)
    if not hasattr(tokenizer, "encode"):
        raise InputError(
            f"These samples are texts, but {type(how.processor).__name__} prepares pictures. Choose a text backbone, "
            "such as embedded:minilm."
        )
    return TextInputs(texts, names, tokenizer, how.max_tokens)
