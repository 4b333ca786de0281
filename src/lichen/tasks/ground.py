"""`ground`: which box each phrase of a caption means, learnt from nothing but pictures and their captions.

Read `grounded/captioned.py` for what is read of the data, `grounded/head.py` for a step. Source: ReIR, arXiv
2103.12989.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Int
from torch import Tensor, nn

from ..backbones.features import Features
from ..data.config import DataConfig
from ..data.dataset import Dataset
from ..errors import InputError
from ..heads.given import Given
from ..heads.grounding.captions import Captions
from ..heads.grounding.collate import collate
from ..heads.grounding.network import Grounding
from ..heads.grounding.prior import WordVectors
from ..language.vocabulary import Predicates, Vocabulary
from ..metrics.grounding import phrase_grounding
from ..regions import Regions, clip
from ..regions.stored import take_pictures
from ..scene import Entity, Phrase, Scene
from .boxes import class_names, find_all_boxes, find_boxes
from .grounded.captioned import Answers, Captioned, read_captions
from .grounded.config import GroundConfig
from .grounded.head import GroundHead, Said
from .model import SideModel
from .retrieve import distinct
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
    text_inputs,
)

IMAGE, TEXT = "image", "text"
KINDS = ("playground", "scenes", "coco-captions")
_MEASURED = ("dev", "test")
_RANKS = 10


@dataclass(frozen=True, eq=False)
class Table:
    """The captions of a split and the boxes of its pictures."""

    captions: Captions
    picture: Int[Tensor, " captions"]
    """Which picture of the split each describes."""
    regions: Regions
    """Of all pictures of the split."""
    read: tuple[Captioned, ...]

    def said(self, numbers: Int[Tensor, " chosen"]) -> Said:
        """Some of the captions, each picture once."""
        pictures, first = distinct(self.picture[numbers])
        inside = self.picture[numbers].unique(return_inverse=True)[1]
        return Said(self.captions.take(numbers, inside), take_pictures(self.regions, pictures), first)


@dataclass(frozen=True, eq=False)
class Ground(Responding):
    """Phrases and their boxes."""

    name: ClassVar[str] = "ground"
    whole_pictures: ClassVar[bool] = True
    shapes_suffice: ClassVar[bool] = False
    reads_boxes: ClassVar[bool] = True
    least_batch: ClassVar[int] = 2
    headline: ClassVar[str] = "any_acc50"  # type: ignore[misc]
    option: ClassVar[str] = '--caption "A DOG ON A BEACH"'  # type: ignore[misc]

    classes: tuple[str, ...]
    """Of the boxes, by label."""
    words: Vocabulary
    """Of captions."""
    spoken: Vocabulary
    """Of phrases."""
    relations: Predicates
    head: HeadConfig
    parts_read: tuple[str, ...] = (IMAGE,)
    width: int = 0
    """Of the word vectors; 0 for none."""
    vectors: tuple[Tensor, Tensor] | None = None
    """Of the words of phrases and of the classes; None where weights hold them."""
    tokenizers: dict[str, Any] = field(default_factory=dict)
    """Of the text backbone, once its inputs have been made."""

    @property
    def config(self) -> GroundConfig:
        """Settings of the network."""
        return self.head.grounding

    @staticmethod
    def parts(data: DataConfig, named: Sequence[str] = ()) -> tuple[str, ...]:
        """A backbone for pictures, and one for captions where the recipe names it."""
        if data.kind not in KINDS:
            raise InputError(f"ground learns from data of the kinds {', '.join(KINDS)}; got {data.kind!r}.")
        return (IMAGE, TEXT) if TEXT in named else (IMAGE,)

    @classmethod
    def of(cls, dataset: Dataset, data: DataConfig, head: HeadConfig, parts: Sequence[str] = (IMAGE,)) -> Ground:
        """Learns words and categories of relations from the captions of the training side."""
        config = head.grounding
        read = read_captions([dataset.scenes[row] for row in dataset.rows("train")], config, measured=False)
        if not read:
            raise InputError(
                "No training caption has a phrase that could be looked for. Give captions of what pictures show, such "
                'as "a dog on a beach".'
            )
        classes = _classes(dataset, head)
        words = Vocabulary.learn([word.text for word in each.parsed.words] for each in read)
        spoken = Vocabulary.learn(
            [word.text for first, last in each.parsed.places for word in each.parsed.words[first:last]] for each in read
        )
        relations = Predicates.learn((said.text for each in read for said in each.parsed.relations), least=config.least)
        if config.vectors and not classes:
            raise InputError(
                "head.grounding.vectors compares phrases with the classes of boxes, and these boxes have no labels. "
                "Leave vectors empty, or name a detector in head.boxes.source."
            )
        vectors = _vectors(config.vectors, spoken, classes) if config.vectors else None
        width = 0 if vectors is None else vectors[0].shape[1]
        return cls(classes, words, spoken, relations, head, tuple(parts) or (IMAGE,), width, vectors)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], head: HeadConfig) -> Ground:
        """The inverse of `settings`."""
        return cls(
            tuple(settings["classes"]),
            Vocabulary.from_dict(settings["words"]),
            Vocabulary.from_dict(settings["spoken"]),
            Predicates.from_dict(settings["relations"]),
            head,
            tuple(settings["parts"]),
            int(settings["width"]),
        )

    def settings(self) -> dict[str, Any]:
        """Names and words."""
        return {
            "classes": list(self.classes),
            "words": self.words.to_dict(),
            "spoken": self.spoken.to_dict(),
            "relations": self.relations.to_dict(),
            "parts": list(self.parts_read),
            "width": self.width,
        }

    def inputs(self, dataset: Dataset, part: str, how: Preparation) -> Inputs:
        """Whole pictures; or all captions, in the order of `Dataset.scenes`."""
        if part == IMAGE:
            return picture_inputs(dataset, how, whole=True)
        texts = [caption for scene in dataset.scenes for caption in scene.captions]
        names = [f"{scene.id}#{number}" for scene in dataset.scenes for number in range(len(scene.captions))]
        found = text_inputs(texts, names, how)
        self.tokenizers[part] = found
        return found

    def gather(self, dataset: Dataset, report: Gathered | None = None) -> None:
        """Let the detector find its boxes."""
        find_all_boxes(dataset, self.head.boxes, report)

    def examples(self, dataset: Dataset, split: str) -> Examples:
        """A caption is an example."""
        rows = dataset.rows(split)
        scenes = [dataset.scenes[row] for row in rows]
        read = read_captions(scenes, self.config, split in _MEASURED)
        if self.head.boxes.found:
            regions = find_boxes(dataset, rows, self.head.boxes).regions
            sized = Regions.from_scenes([replace(scene, entities=()) for scene in scenes])
            regions = regions.resized(sized.sizes)
        else:
            regions = Regions.from_scenes(scenes, self.classes)
        first = torch.tensor([0, *(len(scene.captions) for scene in dataset.scenes)]).cumsum(0)
        row = torch.tensor([rows[each.picture] for each in read]).long()
        number = torch.tensor([each.number for each in read]).long()
        found = {IMAGE: row, TEXT: first[row] + number}
        table = Table(self._captions(read), torch.tensor([each.picture for each in read]).long(), regions, tuple(read))
        names = tuple(f"{scenes[each.picture].id}#{each.number}" for each in read)
        targets = {"number": torch.arange(len(read))}
        return Examples({part: found[part] for part in self.parts_read}, targets, names, (table,))

    def _captions(self, read: Sequence[Captioned]) -> Captions:
        """Captions as numbers."""
        parsed = [each.parsed for each in read]
        if TEXT not in self.parts_read:
            return collate(parsed, self.spoken, self.relations, words=self.words)
        texts = [each.caption for each in parsed]
        return collate(parsed, self.spoken, self.relations, offsets=self.tokenizers[TEXT].offsets(texts))

    def told(self, examples: Examples) -> dict[str, Any]:
        """The captions with the boxes of their pictures."""
        return {"said": examples.known[0].said(examples.targets["number"])}

    def make_head(self, given: Mapping[str, Given], dataset: Dataset | None = None) -> GroundHead:
        """A grounding network."""
        vectors = self.vectors
        if vectors is None and self.width:
            vectors = (torch.zeros(self.spoken.size, self.width), torch.zeros(len(self.classes), self.width))
        counts = self.relations.counts
        return GroundHead(given, self.words.size, self.spoken.size, counts, self.config, vectors)

    def measure(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, float]:
        """The loss; `score` has the metrics."""
        return {"grounding_loss": float(outputs["caption_loss"].mean())}

    def score(self, model: nn.Module, fetch: Fetch, examples: Examples, batch: int = 64) -> dict[str, float]:
        """Accuracy of phrases by both protocols of Flickr30k Entities. See `Task.score`."""
        table: Table = examples.known[0]
        boxes = []
        device = next(model.parameters()).device
        with torch.inference_mode(), evaluating(model):
            for some in examples.batches(batch):
                said = self.told(some)["said"].to(device)
                features = {part: fetch(part, rows) for part, rows in some.rows.items()}
                found = _ground(model, features, said)
                boxes.append(torch.cat([found.boxes()[:, None], found.ranked(_RANKS - 1)], 1).cpu())
        read = [table.read[number] for number in examples.targets["number"].tolist()]
        answers = Answers.of(read)
        if not len(answers.measured):
            raise InputError(
                "No phrase of these captions has an annotated box, so nothing can be measured. Give Scenes with "
                'phrases that name entities, or set head.grounding.truths = "labels".'
            )
        return phrase_grounding(torch.cat(boxes)[answers.measured], answers.boxes, answers.phrase, answers.kinds)

    def known(self, scene: Scene) -> Scene:
        """All boxes to choose from; what is not known of is as a box without class."""
        names = set(self.classes)
        things = [thing if thing.label in names else replace(thing, label=None) for thing in scene.entities]
        return replace(scene, entities=tuple(things))

    def lacking(self, scene: Scene) -> str | None:
        """Captions, each with words."""
        if not scene.captions:
            return "it comes without a caption; say what to look for, by --caption or in its Scene"
        if not all(caption.strip() for caption in scene.captions):
            return "one of its captions is empty; write what to look for"
        return None

    def respond(
        self, model: SideModel, features: Mapping[str, Features], scenes: Sequence[Scene], asked: Sequence[Any] = ()
    ) -> list[Scene]:
        """Scenes with a box for every phrase of their captions, in place of the boxes that were chosen from.

        Args:
            model: trained, in eval mode.
            features: of the pictures, and of all their captions where a text backbone reads them.
            scenes: with sizes, boxes to choose from, and captions.
            asked: nothing.
        """
        scenes = [self.known(scene) for scene in scenes]
        regions = Regions.from_scenes(scenes, self.classes)
        read = read_captions(scenes, replace(self.config, truths="annotations"), measured=False)
        if not read:
            return [Scene(each.id, each.image, size=each.size, captions=each.captions) for each in scenes]
        picture = torch.tensor([each.picture for each in read])
        table = Table(self._captions(read), picture, regions, tuple(read))
        said = table.said(torch.arange(len(read)))
        chosen = {IMAGE: features[IMAGE][picture]}
        if TEXT in self.parts_read:
            first = torch.tensor([0, *(len(scene.captions) for scene in scenes)]).cumsum(0)
            chosen[TEXT] = features[TEXT][first[picture] + torch.tensor([each.number for each in read])]
        device = next(model.parameters()).device
        found = _ground(model, chosen, said.to(device))
        return _told(scenes, read, found, self.classes)


def _ground(model: nn.Module, features: Mapping[str, Features], said: Said) -> Grounding:
    head: Any = model.head
    adapted = model.adapt(features) if isinstance(model, SideModel) else features
    found: Grounding = head.ground(adapted, said)
    return found


def _told(scenes: Sequence[Scene], read: Sequence[Captioned], found: Grounding, classes: Sequence[str]) -> list[Scene]:
    """Scenes whose phrases name the boxes that were found."""
    boxes, scores, rows = found.boxes().cpu(), found.scores.cpu().tolist(), found.proposal.tolist()
    regions = found.regions.to("cpu")
    entities: list[list[Entity]] = [[] for _ in scenes]
    phrases: list[list[Phrase]] = [[] for _ in scenes]
    known: dict[tuple[int, ...], int] = {}
    number = 0
    for each in read:
        scene, own = scenes[each.picture], entities[each.picture]
        for start, end in each.parsed.spans:
            places: tuple[int, ...] = ()
            if rows[number] >= 0 and scene.size is not None:
                box = _inside(boxes[number], regions.boxes[rows[number]], scene.size)
                label = int(regions.labels[rows[number]])
                # Phrases that mean one thing share it; boxes that differ by less than a pixel are one.
                key = (each.picture, label, *map(round, box))
                if key not in known:
                    known[key] = len(own)
                    own.append(Entity(classes[label] if label >= 0 else None, box))
                places = (known[key],)
            phrases[each.picture].append(Phrase(each.number, start, end, places, min(scores[number], 1.0)))
            number += 1
    return [
        Scene(each.id, each.image, size=each.size, captions=each.captions, entities=tuple(own), phrases=tuple(said))
        for each, own, said in zip(scenes, entities, phrases, strict=True)
    ]


def _inside(box: Tensor, start: Tensor, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """A box as far as it lies in its picture; where it was moved out of it altogether, the one that it started as."""
    both = clip(torch.stack([box, start.to(box)]), box.new_tensor([size]).expand(2, 2))
    moved = both[0] if bool((both[0, 2:] > both[0, :2]).all()) else both[1]
    x1, y1, x2, y2 = moved.tolist()
    return x1, y1, x2, y2


def _classes(dataset: Dataset, head: HeadConfig) -> tuple[str, ...]:
    """Class names by the labels of the boxes."""
    if not head.boxes.found and not any(thing.box for scene in dataset.scenes for thing in scene.entities):
        raise InputError(
            "These scenes have no boxes to choose from. Name a detector in head.boxes.source, such as "
            '"embedded:ssd-mobilenet".'
        )
    return class_names(dataset, head.boxes)


def _vectors(source: str, spoken: Vocabulary, classes: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Vectors of the words of phrases, by id, and of the classes."""
    texts = [*spoken.words, *classes]
    table = WordVectors.load(source, texts)
    words = table.means(spoken.words)
    nothing = words.new_zeros(1, words.shape[1])
    return torch.cat([nothing, words, nothing]), table.means(list(classes))
