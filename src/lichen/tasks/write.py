"""`write`: a text decoder looks at a picture and writes: a class, a caption, an answer, what is read, words and boxes.

One decoder may learn several tasks at once. Read `written/asked.py` for what they ask, `written/answering.py` for how
they are answered. Source: LiT-decoder, arXiv 2303.17376; LocCa, arXiv 2403.19596.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..backbones.features import Features
from ..data.config import DataConfig
from ..data.dataset import Dataset
from ..data.leaks import assert_disjoint
from ..errors import InputError
from ..heads.decoder.memory import Memory
from ..heads.given import Given
from ..language.found import Found
from ..language.tokenizer import Tokenizer
from ..scene import Entity, Expression, Question, Scene, TextLine
from .model import SideModel
from .retrieve import distinct
from .task import Examples, Fetch, HeadConfig, Inputs, Order, Preparation, Responding, Task, evaluating, picture_inputs
from .written.answering import Answerer
from .written.asked import Asked, Query, asked_of
from .written.config import WriteConfig
from .written.examples import examples_of, learn_tokenizer
from .written.head import WriteHead
from .written.order import MixedOrder
from .written.scoring import HEADLINES, perplexities, scores_of

PART = "image"
_MEASURED = ("dev", "test")
_LEAKS = ("path", "contents", "looks")
"""How pictures of both sides are found. Not by name: files are often numbered anew in each split of a data set."""


@dataclass(frozen=True)
class Write(Responding):
    """Texts about pictures."""

    name: ClassVar[str] = "write"
    whole_pictures: ClassVar[bool] = True

    tokenizer: Tokenizer
    head: HeadConfig
    parts_read: tuple[str, ...] = (PART,)
    """Backbones that look at the picture."""
    classes: tuple[str, ...] = ()
    """Names to choose from, for classify."""
    names: tuple[str, ...] = ()
    """Names of objects, for detect."""

    @property
    def config(self) -> WriteConfig:
        """Settings of the decoder."""
        return self.head.decoder

    @property
    def headline(self) -> str:  # type: ignore[override]
        """The task's own metric, or, of several tasks, the mean of theirs."""
        tasks = self.config.tasks
        return f"{tasks[0]}/{HEADLINES[tasks[0]]}" if len(tasks) == 1 else "mean"

    @property
    def option(self) -> str:  # type: ignore[override]
        """The first task with what it needs."""
        task = self.config.tasks[0]
        return {"vqa": '--question "WHAT TO ASK"', "aref": '--expression "WHAT TO FIND"'}.get(task, f"--task {task}")

    @staticmethod
    def parts(data: DataConfig, named: Sequence[str] = ()) -> tuple[str, ...]:
        """One backbone, or as many as the recipe names: all look at the same picture."""
        return tuple(named) or (PART,)

    @classmethod
    def of(cls, dataset: Dataset, data: DataConfig, head: HeadConfig, parts: Sequence[str] = (PART,)) -> Write:
        """Learns the words of the training side, and looks for pictures that are on both sides."""
        config = head.decoder
        _check(dataset, config)
        asked = asked_of(dataset, "train", config)
        labels = [each for each in asked if each.task == "classify"]
        objects = sorted({label for each in asked if each.task == "detect" for label in each.answers})
        classes = dataset.classes if labels and dataset.classes else sorted({each.answers[0] for each in labels})
        return cls(learn_tokenizer(asked, config), head, tuple(parts), tuple(classes), tuple(objects))

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], head: HeadConfig) -> Write:
        """The inverse of `settings`."""
        tokenizer = Tokenizer.from_dict(settings["tokenizer"])
        classes, names = tuple(settings["classes"]), tuple(settings["names"])
        return cls(tokenizer, head, tuple(settings["parts"]), classes, names)

    def settings(self) -> dict[str, Any]:
        """Backbones, names and words."""
        return {
            "tasks": list(self.config.tasks),
            "parts": list(self.parts_read),
            "classes": list(self.classes),
            "names": list(self.names),
            "tokenizer": self.tokenizer.to_dict(),
        }

    def check_data(self, posed: type[Task], dataset: Dataset, data: DataConfig, head: HeadConfig) -> None:
        """Other data may use other words; they must hold pictures, and classes that are known."""
        super().check_data(posed, dataset, data, head)
        if unknown := sorted(set(dataset.classes) - set(self.classes)) if self.classes else []:
            raise InputError(f"These data have classes that the run does not know: {', '.join(unknown[:8])}.")

    def inputs(self, dataset: Dataset, part: str, how: Preparation) -> Inputs:
        """Whole pictures, squeezed into a square, so that boxes keep their meaning."""
        return picture_inputs(dataset, how, whole=True)

    def examples(self, dataset: Dataset, split: str) -> Examples:
        """Every sequence to learn; of dev and test one for each question."""
        asked = asked_of(dataset, split, self.config)
        everything = split not in _MEASURED
        found, cut = examples_of(asked, self.parts_read, dataset.ids, self.tokenizer, self.config, everything)
        if cut and everything:
            print(
                f"lichen: {cut} of {len(found)} texts lose words or objects to the context of {self.config.context} "
                "tokens; head.decoder.context makes it longer.",
                file=sys.stderr,
            )
        return found

    def order(self, examples: Examples, seed: int) -> Order | None:
        """How tasks share an epoch; None where every example has its turn once."""
        return None if self.config.mixing == "concat_pairs" else MixedOrder(examples, self.config, seed)

    def make_head(self, given: Mapping[str, Given], dataset: Dataset | None = None) -> WriteHead:
        """A decoder."""
        return WriteHead(given, self.tokenizer, self.config)

    def measure(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, float]:
        """Log-perplexities, which need no text to be written. See `score` for the metrics."""
        return perplexities(outputs, targets)

    @cached_property
    def answerer(self) -> Answerer:
        """Asks the decoder."""
        return Answerer(self.tokenizer, self.config, self.classes, self.names)

    def score(self, model: nn.Module, fetch: Fetch, examples: Examples, batch: int = 64) -> dict[str, float]:
        """Official metrics of what is written, named <task>/<metric>, and log-perplexities. See `Task.score`."""
        found: dict[str, float] = {}
        for task in self.config.tasks:
            asked, answers, spelt = [], [], []
            with torch.inference_mode(), evaluating(model):
                for some, memory, picture in self._asking(model, fetch, examples, task, batch):
                    asked += some
                    answers += self.answerer.answer(_decoder(model), memory, some, picture)
                    if task == "classify":
                        spelt += self.answerer.spelt(_decoder(model), memory, some, picture)
            scores = scores_of(task, asked, answers)
            if spelt:
                same = [a == b.text for a, b in zip(spelt, answers, strict=True)]
                scores["spelt_alike"] = sum(same) / len(same)
            found |= {f"{task}/{name}": value for name, value in scores.items()}
        if len(self.config.tasks) > 1:
            own = [found[f"{task}/{HEADLINES[task]}"] for task in self.config.tasks]
            found["mean"] = sum(own) / len(own)
        return found | self._perplexities(model, fetch, examples, batch)

    def _asking(
        self, model: nn.Module, fetch: Fetch, examples: Examples, task: str, batch: int
    ) -> Iterator[tuple[list[Asked], Memory, Tensor]]:
        """Questions of a task, batch by batch, with the decoder's memory of their pictures, each made once."""
        numbers, first = distinct(examples.targets["asked"])
        wanted = torch.tensor([examples.known[number].task == task for number in numbers.tolist()])
        for places in first[wanted].split(batch):
            rows = examples.rows[self.parts_read[0]][places]
            _, once = distinct(rows)
            features = {part: fetch(part, examples.rows[part][places[once]]) for part in self.parts_read}
            asked = [examples.known[number] for number in examples.targets["asked"][places].tolist()]
            yield asked, _remembered(model, features), rows.unique(return_inverse=True)[1]

    def _perplexities(self, model: nn.Module, fetch: Fetch, examples: Examples, batch: int) -> dict[str, float]:
        """Of one right answer to each question."""
        found = []
        with torch.inference_mode(), evaluating(model):
            for some in examples.batches(batch):
                features = {part: fetch(part, rows) for part, rows in some.rows.items()}
                device = next(model.parameters()).device
                targets = {name: values.to(device) for name, values in some.targets.items()}
                found.append(model(features, targets)["log_likelihood"].cpu())
        return self.measure({"log_likelihood": torch.cat(found)}, examples.targets)

    def respond(
        self, model: SideModel, features: Mapping[str, Features], scenes: Sequence[Scene], asked: Sequence[Any] = ()
    ) -> list[Scene]:
        """Scenes with the answers to some questions, each put to every picture.

        Args:
            model: trained, in eval mode.
            features: of their pictures, by part.
            scenes: what is known of them already; with sizes.
            asked: queries, in the order in which answers are to stand.

        Raises:
            InputError: a task that the decoder was not trained for, an empty question, or a box outside a picture.
        """
        memory = _remembered(model, features)
        found = list(scenes)
        queries: Sequence[Query] = asked
        for query in queries:
            questions = [query.about(scene, row) for row, scene in enumerate(scenes)]
            answers = self.answerer.answer(_decoder(model), memory, questions, torch.arange(len(scenes)))
            found = [_told(*each) for each in zip(found, answers, questions, strict=True)]
        return found


def _decoder(model: nn.Module) -> WriteHead:
    """The head of a model that writes.

    Raises:
        InputError: it is another model.
    """
    head = getattr(model, "head", None)
    if not isinstance(head, WriteHead):
        raise InputError(f"A {type(model).__name__} without a decoder can write nothing. Give the model of such a run.")
    return head


def _remembered(model: nn.Module, features: Mapping[str, Features]) -> Memory:
    """What the decoder looks at: features as the side networks adapt them."""
    adapted = model.adapt(features) if isinstance(model, SideModel) else features
    return _decoder(model).remember(adapted)


def _check(dataset: Dataset, config: WriteConfig) -> None:
    """Pictures there must be, and none on both sides.

    Raises:
        InputError: there are none, or leaks.
    """
    if not dataset.has_pictures:
        raise InputError("A decoder writes about pictures, and these data are texts.")
    measured = {split: dataset.only([split]) for split in _MEASURED if dataset.splits.get(split)}
    if config.check_leaks and measured and dataset.splits.get("train"):
        assert_disjoint({"train": dataset.only(["train"])}, measured, _LEAKS)


def _told(scene: Scene, found: Found, asked: Asked) -> Scene:
    """A scene with an answer in it."""
    if asked.task == "vqa":
        return replace(scene, questions=(*scene.questions, Question(asked.words or "", (found.text,))))
    if asked.task == "ocr":
        # Nobody told the decoder where the text stands, and it does not say.
        width, height = asked.size
        line = TextLine(found.text, (0.0, 0.0, float(width), float(height)))
        return replace(scene, lines=(*scene.lines, line) if found.text else scene.lines)
    if asked.task == "gcap" and asked.boxes and found.text:
        return _captioned(scene, found.text, asked)
    return found.add_to(scene)


def _captioned(scene: Scene, text: str, asked: Asked) -> Scene:
    """A scene with the words of a box that was given."""
    entities = (*scene.entities, Entity(None, asked.boxes[0]))
    return replace(scene, entities=entities, expressions=(*scene.expressions, Expression(text, len(entities) - 1)))
