"""`relate`: a scene graph: which predicate joins which two things of a picture, learnt from annotated relations.

Read `related/graphs.py` for what is learnt from, `related/head.py` for a step. Source: BGNN, arXiv 2104.00308.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..backbones.features import Features
from ..data.config import DataConfig
from ..data.dataset import Dataset
from ..data.resampling import ResamplingConfig
from ..errors import InputError
from ..graphs.found import FoundGraph, TrueGraph
from ..heads.given import Given
from ..heads.scene_graph.answers import to_relations
from ..heads.scene_graph.frequency import count_triples
from ..regions import Regions
from ..regions.regions import boxed
from ..scene import Scene
from .boxes import BoxesConfig, class_names, find_all_boxes, found_regions, only_entities
from .model import SideModel
from .related.config import RelateConfig
from .related.graphs import Graphs, ResampledOrder, Told
from .related.head import RelateHead
from .related.scoring import HEADLINES, Tail, scores_of
from .task import (
    Examples,
    Fetch,
    Gathered,
    HeadConfig,
    Inputs,
    Order,
    Preparation,
    Responding,
    evaluating,
    picture_inputs,
)

PART = "image"
KINDS = ("playground", "scenes")
_SHOWN, _LEAST = 20, 0.05
"""Relations of a picture in an answer, and the score that each has at least, in parts of the best one's."""


@dataclass(frozen=True)
class Relate(Responding):
    """Relations between boxes."""

    name: ClassVar[str] = "relate"
    whole_pictures: ClassVar[bool] = True
    shapes_suffice: ClassVar[bool] = False
    reads_boxes: ClassVar[bool] = True

    classes: tuple[str, ...]
    predicates: tuple[str, ...]
    tail: Tail
    head: HeadConfig

    @property
    def config(self) -> RelateConfig:
        """Settings of the head."""
        return self.head.graph

    @property
    def headline(self) -> str:  # type: ignore[override]
        """mR@50, or what the protocol has in its place."""
        return HEADLINES.get(self.config.protocol, "mR@50")

    @staticmethod
    def parts(data: DataConfig, named: Sequence[str] = ()) -> tuple[str, ...]:
        """One backbone that reads pictures."""
        if data.kind not in KINDS:
            raise InputError(f"relate learns from data of the kinds {', '.join(KINDS)}; got {data.kind!r}.")
        return (PART,)

    @classmethod
    def of(cls, dataset: Dataset, data: DataConfig, head: HeadConfig, parts: Sequence[str] = ()) -> Relate:
        """Names are those of all samples, as a data set's own lists would have them; counts those of training."""
        if (head.graph.mode == "sggen") != head.boxes.found:
            raise InputError(
                f"mode = {head.graph.mode!r} goes with {_sources(head.graph.mode)}; head.boxes.source is "
                f"{head.boxes.source!r}."
            )
        scenes = [dataset.scenes[row] for row in dataset.rows("train")]
        classes = class_names(dataset, BoxesConfig())
        predicates = sorted({relation.predicate for scene in dataset.scenes for relation in scene.relations})
        graphs = Graphs.of(scenes, classes, predicates)
        if not len(graphs.told.relations):
            raise InputError(
                "No training scene has a relation between two boxes, so there is nothing to learn. Give Scenes with "
                "entities that have boxes and labels, and relations."
            )
        return cls(tuple(classes), tuple(predicates), Tail.of(_truths(graphs.told), len(predicates)), head)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], head: HeadConfig) -> Relate:
        """The inverse of `settings`."""
        tail = Tail(tuple(settings["counts"]), tuple(map(tuple, settings["seen"])))
        return cls(tuple(settings["classes"]), tuple(settings["predicates"]), tail, head)

    def settings(self) -> dict[str, Any]:
        """Names, and what the training side showed."""
        return {
            "classes": list(self.classes),
            "predicates": list(self.predicates),
            "counts": list(self.tail.counts),
            "seen": [list(each) for each in self.tail.seen],
        }

    def inputs(self, dataset: Dataset, part: str, how: Preparation) -> Inputs:
        """Whole pictures, squeezed into a square, so that boxes keep their meaning."""
        return picture_inputs(dataset, how, whole=True)

    def gather(self, dataset: Dataset, report: Gathered | None = None) -> None:
        """Let the detector find its boxes."""
        find_all_boxes(dataset, self.head.boxes, report)

    def examples(self, dataset: Dataset, split: str) -> Examples:
        """A picture is an example."""
        rows = dataset.rows(split)
        scenes = [dataset.scenes[row] for row in rows]
        _check_classes(scenes)
        found = None
        if self.head.boxes.found:
            found = found_regions(dataset, split, rows, self.head.boxes, self.classes)
        graphs = Graphs.of(scenes, self.classes, self.predicates, found)
        if split == "train" and self.config.resample:
            graphs = graphs.dropped(graphs.resampling(len(self.predicates), self._resampling))
        places = torch.arange(len(rows))
        names = tuple(scene.id for scene in scenes)
        return Examples({PART: torch.tensor(rows)}, {"picture": places}, names, (graphs,))

    def told(self, examples: Examples) -> dict[str, Any]:
        """The graphs of the pictures."""
        graphs: Graphs = examples.known[0]
        return {"graphs": graphs.take(examples.targets["picture"])}

    @property
    def _resampling(self) -> ResamplingConfig:
        # Rounding is part of the settings: every seed of a training repeats the same pictures.
        return ResamplingConfig(self.config.threshold, self.config.drop)

    def order(self, examples: Examples, seed: int) -> Order | None:
        """With resampling, pictures with rare predicates come up more often."""
        if not self.config.resample:
            return None
        resampling = examples.known[0].resampling(len(self.predicates), self._resampling)
        return ResampledOrder(resampling, examples.targets["picture"], seed)

    def make_head(self, given: Mapping[str, Given], dataset: Dataset | None = None) -> RelateHead:
        """A scene graph head."""
        counts = None
        if dataset is not None and self.config.bias:
            scenes = [dataset.scenes[row] for row in dataset.rows("train")]
            told = Graphs.of(scenes, self.classes, self.predicates).told
            counts = count_triples(told.truths, told.relations, len(self.classes), len(self.predicates))
        return RelateHead(given[PART], len(self.classes), len(self.predicates), self.config, counts)

    def measure(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, float]:
        """The loss by picture; `score` has the metrics."""
        return {"relation_loss": float(outputs["picture_loss"].mean())}

    def score(self, model: nn.Module, fetch: Fetch, examples: Examples, batch: int = 16) -> dict[str, float]:
        """Recalls, or what the protocol has in their place. See `Task.score`."""
        found: list[FoundGraph] = []
        truths: list[TrueGraph] = []
        device = next(model.parameters()).device
        with torch.inference_mode(), evaluating(model):
            for some in examples.batches(min(batch, 16)):
                told: Told = self.told(some)["graphs"]
                features = {part: fetch(part, rows) for part, rows in some.rows.items()}
                found += self._graphs(model, features, told.truths, told.found, device)
                truths += _truths(told)
        return scores_of(found, truths, self.predicates, self.config.protocol, self.tail)

    def _graphs(
        self,
        model: nn.Module,
        features: Mapping[str, Features],
        truths: Regions,
        found: Regions | None,
        device: torch.device,
    ) -> tuple[FoundGraph, ...]:
        head: Any = model.head
        regions = head.regions(truths.to(device), None if found is None else found.to(device))
        adapted = model.adapt(features) if isinstance(model, SideModel) else features
        return head.graphs(adapted, regions)

    def respond(
        self, model: SideModel, features: Mapping[str, Features], scenes: Sequence[Scene], asked: Sequence[Any] = ()
    ) -> list[Scene]:
        """Scenes with boxes and the relations between them, best first; whatever else was known is left out.

        Args:
            model: trained, in eval mode.
            features: of the pictures.
            scenes: with sizes and boxes; for predcls with their classes too.
            asked: nothing.

        Raises:
            InputError: a class that the run does not know, or a box without one where it is needed.
        """
        device = next(model.parameters()).device
        unclassified = self.config.mode == "sgcls"
        if not unclassified:
            _check_classes(scenes)
        regions = Regions.from_scenes(scenes, None if unclassified else self.classes)
        graphs = self._graphs(model, features, regions, regions, device)
        return [self._answered(scene, graph) for scene, graph in zip(scenes, graphs, strict=True)]

    def known(self, scene: Scene) -> Scene:
        """Things of classes that the run knows; where it classifies them itself, all that have a box."""
        if self.config.mode == "sgcls":
            return replace(scene, relations=())
        names = set(self.classes)
        return only_entities(scene, [n for n, thing in enumerate(scene.entities) if thing.label in names])

    def _answered(self, scene: Scene, graph: FoundGraph) -> Scene:
        places = boxed(scene)
        relations = to_relations(graph, self.predicates, _SHOWN)
        least = _LEAST * max((each.score or 0.0 for each in relations), default=0.0)
        named = [
            replace(each, subject=places[each.subject], object=places[each.object])
            for each in relations
            if (each.score or 0.0) >= least
        ]
        entities = list(scene.entities)
        for row, place in enumerate(places):
            if self.config.entities != "given" and self.config.mode != "predcls":
                label = self.classes[int(graph.labels[row])]
                entities[place] = replace(entities[place], label=label, score=float(graph.scores[row]))
        return Scene(scene.id, scene.image, size=scene.size, entities=tuple(entities), relations=tuple(named))

    @cached_property
    def option(self) -> str:  # type: ignore[override]
        """Nothing, or the detector."""
        return "" if self.head.boxes.found else "--detector embedded:ssd-mobilenet"


def _sources(mode: str) -> str:
    if mode == "sggen":
        return 'a detector: name one in head.boxes.source, such as "embedded:playground-detector"'
    return 'annotated boxes: head.boxes.source = "given"'


def _check_classes(scenes: Sequence[Scene]) -> None:
    """Refuse boxes of which nobody says what they are."""
    for scene in scenes:
        for place, thing in enumerate(scene.entities):
            if thing.box is not None and not thing.label:
                raise InputError(
                    f"Scene {scene.id!r}: entities[{place}] has a box and no label, but a scene graph is made of "
                    "things with classes. Give it a label, or leave it out."
                )


def _truths(told: Told) -> tuple[TrueGraph, ...]:
    return told.relations.of_pictures(told.truths)
