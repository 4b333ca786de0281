"""`interact`: who does what to what, learnt from labels of whole pictures or from no labels at all.

Read `interacting/labels.py` for what is read of the data, `interacting/proposals.py` for boxes and pairs,
`interacting/head.py` for a step. Sources: arXiv 2303.01313 (weak) and 2309.05069 (zero-shot).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..backbones.features import Features
from ..data.config import DataConfig
from ..data.dataset import Dataset
from ..data.interactions import Interactions
from ..data.zero_shot import without_unseen
from ..errors import InputError
from ..heads.given import Given
from ..heads.hoi.fusion import best_interactions
from ..heads.hoi.inputs import HOIInputs, human_pairs
from ..heads.hoi.teacher import columns_of
from ..metrics.vcoco import VcocoTruth
from ..regions import Regions
from ..regions.regions import boxed
from ..scene import Relation, Scene
from .boxes import class_names, find_all_boxes, found_regions, only_entities
from .interacting.config import InteractConfig
from .interacting.head import InteractHead
from .interacting.labels import Annotated, doubtful
from .interacting.proposals import Proposals, Told
from .interacting.scoring import Meter
from .interacting.teaching import embed_interactions, taught
from .interacting.vocabularies import PUBLISHED, from_settings, joined, to_settings, unseen_of, vocabulary_of
from .model import SideModel
from .task import (
    Examples,
    Fetch,
    Gathered,
    HeadConfig,
    Inputs,
    Preparation,
    Responding,
    evaluating,
    picture_inputs,
)

PART = "image"
KINDS = ("playground", "scenes", "coco-captions")
_LEAST = 0.05
"""Score that an answer has at least, in parts of the best one's."""
_SHOWN = 20
"""Answers of a picture in a Scene."""
_ALIKE = 0.7
"""Overlap above which two answers of one interaction are one, to whoever reads them; GEN-VLKT's."""


@dataclass(frozen=True, eq=False)
class Interact(Responding):
    """Interactions of people with things."""

    name: ClassVar[str] = "interact"
    headline: ClassVar[str] = "mAP"  # type: ignore[misc]
    whole_pictures: ClassVar[bool] = True
    shapes_suffice: ClassVar[bool] = False
    reads_boxes: ClassVar[bool] = True

    vocabulary: Interactions
    classes: tuple[str, ...]
    """Of boxes."""
    unseen: tuple[int, ...]
    """Interactions that training has no label of."""
    head: HeadConfig
    texts: Float[Tensor, "interactions width"]
    """What the interactions are as texts; zeros where weights hold them."""
    teacher: Float[Tensor, "interactions teacher_width"] | None = None
    """The same in the teacher's space."""
    learnt: int | None = None
    """How many interactions there were in training; those behind them were added by name. None: all."""

    @property
    def config(self) -> InteractConfig:
        """Settings of the head."""
        return self.head.interactions

    @property
    def option(self) -> str:  # type: ignore[override]
        """Nothing, or the detector."""
        return "" if self.head.boxes.found else "--detector embedded:ssd-mobilenet"

    @property
    def objects(self) -> Bool[Tensor, "classes interactions"]:
        """Which interactions are with each class of boxes."""
        return torch.from_numpy(self.vocabulary.mask(self.classes))

    @property
    def teachable(self) -> Bool[Tensor, " interactions"]:
        """Which interactions relate two things."""
        return torch.from_numpy(~self.vocabulary.no_interaction)

    @property
    def human(self) -> Bool[Tensor, " classes"]:
        """Which classes are people."""
        return torch.tensor([name in self.vocabulary.people for name in self.classes])

    @staticmethod
    def parts(data: DataConfig, named: Sequence[str] = ()) -> tuple[str, ...]:
        """One backbone that reads pictures."""
        if data.kind not in KINDS:
            raise InputError(f"interact learns from data of the kinds {', '.join(KINDS)}; got {data.kind!r}.")
        return (PART,)

    @classmethod
    def of(cls, dataset: Dataset, data: DataConfig, head: HeadConfig, parts: Sequence[str] = ()) -> Interact:
        """Interactions are those of the vocabulary; classes those of the boxes."""
        config = head.interactions
        classes = class_names(dataset, head.boxes)
        scenes = [dataset.scenes[row] for row in dataset.rows("train")]
        vocabulary = vocabulary_of(config.vocabulary, scenes, classes, config.people)
        if not head.boxes.found and config.vocabulary in PUBLISHED:
            # A small part of a published data set may lack some of its objects.
            classes = tuple(sorted({*classes, *vocabulary.objects}))
        # Refused here, before anything is computed: an object that no box can be of.
        vocabulary.mask(classes)
        sentences = vocabulary.prompts(config.templates)
        texts = embed_interactions(config.text, sentences)
        teacher = None
        if config.method == "zero-shot":
            same = config.teacher in ("", config.text)
            teacher = texts if same else embed_interactions(config.teacher, sentences)
        return cls(vocabulary, classes, unseen_of(config.unseen, vocabulary), head, texts, teacher)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], head: HeadConfig) -> Interact:
        """The inverse of `settings`."""
        vocabulary = from_settings(settings["vocabulary"])
        # A bank does not begin with zeros; the weights that follow hold the texts.
        texts = torch.ones(len(vocabulary), int(settings["width"]))
        names = tuple(settings["classes"]), tuple(settings["unseen"])
        return cls(vocabulary, *names, head, texts, learnt=settings.get("learnt"))

    def settings(self) -> dict[str, Any]:
        """Names, and which were never shown."""
        return {
            "vocabulary": to_settings(self.vocabulary),
            "classes": list(self.classes),
            "unseen": list(self.unseen),
            "width": self.texts.shape[1],
            "learnt": self.learnt,
        }

    def inputs(self, dataset: Dataset, part: str, how: Preparation) -> Inputs:
        """Whole pictures, squeezed into a square, so that boxes keep their meaning."""
        return picture_inputs(dataset, how, whole=True)

    def gather(self, dataset: Dataset, report: Gathered | None = None) -> None:
        """Let the detector find its boxes, and ask the teacher."""
        find_all_boxes(dataset, self.head.boxes, report)
        if self.teacher is None:
            return
        for split in dataset.splits:
            told = None if report is None else partial(report, f"the teacher on {split}")
            self._taught(dataset, *self._proposals(dataset, split), told)

    def _read(self, dataset: Dataset, split: str) -> tuple[list[int], list[Scene]]:
        """Rows and scenes of a split; training may lack pictures, and scenes what is to stay unseen."""
        rows = list(dataset.rows(split))
        if split != "train" and self.config.labels == "captions":
            rows = [row for row in rows if not doubtful(dataset.scenes[row], self.vocabulary.people)]
        scenes = [dataset.scenes[row] for row in rows]
        if split != "train" or not self.unseen:
            return rows, scenes
        kept = [
            list(without_unseen([scene], self.vocabulary, self.unseen, self.config.unseen_rule)) for scene in scenes
        ]
        found = [(row, left[0]) for row, left in zip(rows, kept, strict=True) if left]
        return [row for row, _ in found], [scene for _, scene in found]

    def _proposals(self, dataset: Dataset, split: str) -> tuple[list[int], Proposals]:
        """Rows of the pictures that are read, and their boxes and pairs."""
        rows, scenes = self._read(dataset, split)
        if self.head.boxes.found:
            regions = found_regions(dataset, split, rows, self.head.boxes, self.classes)
        else:
            regions = Regions.from_scenes(scenes, self.classes)
        annotated = Annotated.of(scenes, self.vocabulary, self.classes, self.config.labels)
        if split == "train" and self.unseen:
            hidden = torch.zeros(len(self.vocabulary), dtype=torch.bool)
            hidden[list(self.unseen)] = True
            annotated = annotated.hiding(hidden)
        return rows, Proposals.of(regions, annotated, self.human, columns_of(self.objects), self.config)

    def _taught(self, dataset: Dataset, rows: Sequence[int], found: Proposals, report: Any = None) -> Proposals:
        assert self.teacher is not None
        name = self.config.teacher or self.config.text
        padded = self.config.padded
        told = taught(name, dataset, rows, found.table, self.teacher, found.columns, padded, report)
        return found.with_teacher(told)

    def examples(self, dataset: Dataset, split: str) -> Examples:
        """A picture is an example, also one without a pair: its labels still teach."""
        rows, found = self._proposals(dataset, split)
        if not rows:
            raise InputError(
                f"No picture of the {split} side can be read: with captions, only those of a single person are "
                "measured; with unseen interactions, training lacks those that show nothing else. Give more pictures."
            )
        if self.teacher is not None:
            found = self._taught(dataset, rows, found)
        if split == "train" and self.config.method != "zero-shot" and not found.annotated.labels.any():
            raise InputError(
                f"No training picture is labelled with any of {len(self.vocabulary)} interactions "
                f"(head.interactions.labels = {self.config.labels!r}), so there is nothing to learn. Compare the verbs "
                "and objects of the data with those of the vocabulary."
            )
        names = tuple(dataset.scenes[row].id for row in rows)
        scenes = tuple(dataset.scenes[row] for row in rows)
        return Examples({PART: torch.tensor(rows)}, {"picture": torch.arange(len(rows))}, names, (found, scenes))

    def told(self, examples: Examples) -> dict[str, Any]:
        """Boxes, pairs and labels of the pictures."""
        return {"told": self.told_of(examples)}

    def told_of(self, examples: Examples) -> Told:
        """What the head is told of a batch."""
        found: Proposals = examples.known[0]
        return found.take(examples.targets["picture"])

    def make_head(self, given: Mapping[str, Given], dataset: Dataset | None = None) -> InteractHead:
        """A network for interactions, which reads those that it learnt."""
        objects, teachable, count = self.objects, self.teachable, self.learnt or len(self.vocabulary)
        made = InteractHead(given[PART], self.texts[:count], objects[:, :count], teachable[:count], self.config)
        if count < len(self.vocabulary):
            made.extend(self.texts[count:], objects[:, count:], teachable[count:])
        return made

    def measure(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, float]:
        """The loss; `score` has the metrics."""
        return {"interaction_loss": float(outputs["picture_loss"].mean())}

    def score(self, model: nn.Module, fetch: Fetch, examples: Examples, batch: int = 16) -> dict[str, float]:
        """mAP by HICO-DET's rule, of groups of interactions, and relatedness AP. See `Task.score`."""
        meter = self.meter(examples)
        device = next(model.parameters()).device
        done = 0
        with torch.inference_mode(), evaluating(model):
            for some in examples.batches(min(batch, 16)):
                told = self.told_of(some).to(device)
                features = {part: fetch(part, rows) for part, rows in some.rows.items()}
                inputs = _inputs(model, features, told.regions, told.pairs)
                head: Any = model.head
                meter.add(torch.arange(done, done + len(some)), inputs, told, *head.scores(inputs))
                done += len(some)
        return meter.compute()

    def meter(self, examples: Examples) -> Meter:
        """What measures answers for these pictures, which come in this order."""
        found, every = examples.known
        pictures = examples.targets["picture"]
        annotated = found.annotated.take(pictures)
        scenes = [every[place] for place in pictures.tolist()]
        unseen = set(self.unseen)
        others = tuple(number for number in range(len(self.vocabulary)) if number not in unseen)
        split = {"unseen": self.unseen, "seen": others} if unseen else {}
        groups = {**self.vocabulary.groups(), **split}
        people = VcocoTruth.of(scenes) if self.config.protocol == "vcoco" else None
        return Meter(annotated, self.vocabulary, groups, self.config, people)

    def known(self, scene: Scene) -> Scene:
        """Things of classes that the run knows."""
        names = set(self.classes)
        return only_entities(scene, [n for n, thing in enumerate(scene.entities) if thing.label in names])

    def respond(
        self, model: SideModel, features: Mapping[str, Features], scenes: Sequence[Scene], asked: Sequence[Any] = ()
    ) -> list[Scene]:
        """Scenes with boxes and what people do to them, best first; whatever else was known is left out.

        Args:
            model: trained, in eval mode.
            features: of the pictures.
            scenes: with sizes, and boxes with classes. Of boxes that a detector found, with scores, only those that
                take part are kept.
            asked: nothing.

        Raises:
            InputError: a class that the run does not know.
        """
        device = next(model.parameters()).device
        regions = Regions.from_scenes(scenes, self.classes).to(device)
        # All boxes that are given may take part: the user, or the detector's threshold, chose them.
        pairs = human_pairs(regions, self.human.to(device))
        inputs = _inputs(model, features, regions, pairs)
        head: Any = model.head
        best = best_interactions(head.scores(inputs)[0], inputs, _SHOWN, min(self.config.suppress, _ALIKE))
        rows = inputs.pairs[best.pair] - regions.starts[inputs.picture[best.pair]][:, None]
        columns = (inputs.picture[best.pair], rows[:, 0], rows[:, 1], best.interaction, best.score)
        relations: list[list[Relation]] = [[] for _ in scenes]
        for picture, human, thing, number, score in zip(*(each.tolist() for each in columns), strict=True):
            places = boxed(scenes[picture])
            relations[picture].append(
                Relation(places[human], self.vocabulary.entries[number].verb, places[thing], min(score, 1.0))
            )
        return [_answered(scene, _ranked(own)) for scene, own in zip(scenes, relations, strict=True)]

    def extended(self, model: SideModel, added: Interactions) -> Interact:
        """The task with more interactions, which the model now knows from their names alone: to ask, not to train on.

        Answers about the others stay as they were, but for a student of Kullback-Leibler, whose scores are shares among
        the interactions with one object.

        Args:
            model: trained; its bank grows in place.
            added: interactions; those that are known already are left as they are.

        Raises:
            InputError: an object that no box can be of.
        """
        whole, new = joined(self.vocabulary, added)
        if new is None:
            return self
        objects = torch.from_numpy(new.mask(self.classes))
        texts = embed_interactions(self.config.text, new.prompts(self.config.templates))
        head: Any = model.head
        head.extend(texts, objects, torch.from_numpy(~new.no_interaction))
        learnt = self.learnt or len(self.vocabulary)
        return replace(self, vocabulary=whole, texts=torch.cat([self.texts, texts]), teacher=None, learnt=learnt)


def _inputs(
    model: nn.Module, features: Mapping[str, Features], regions: Regions, pairs: Int[Tensor, "pairs 2"]
) -> HOIInputs:
    head: Any = model.head
    adapted = model.adapt(features) if isinstance(model, SideModel) else features
    found: HOIInputs = head.inputs(adapted, regions, pairs)
    return found


def _answered(scene: Scene, relations: Sequence[Relation]) -> Scene:
    """A scene with answers, without found boxes that take no part in one."""
    part = {end for each in relations for end in (each.subject, each.object)}
    kept = [place for place, thing in enumerate(scene.entities) if thing.score is None or place in part]
    places = {place: number for number, place in enumerate(kept)}
    moved = [replace(each, subject=places[each.subject], object=places[each.object]) for each in relations]
    things = tuple(scene.entities[place] for place in kept)
    return Scene(scene.id, scene.image, size=scene.size, entities=things, relations=tuple(moved))


def _ranked(relations: Sequence[Relation]) -> tuple[Relation, ...]:
    """Best first, without those that are far behind."""
    found = sorted(relations, key=lambda each: -(each.score or 0.0))
    least = _LEAST * (found[0].score or 0.0) if found else 0.0
    return tuple(each for each in found if (each.score or 0.0) >= least)
