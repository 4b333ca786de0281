"""`InteractConfig`: which interactions, from which labels, by which boxes, and how they are measured."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from ...errors import InputError, pick
from ...heads.hoi.config import HOIConfig
from ...heads.hoi.inputs import ProposalConfig

LABELS = ("auto", "relations", "captions")
PROTOCOLS = ("hico", "vcoco")
UNSEEN_RULES = ("pairs", "labels")


@dataclass(frozen=True, kw_only=True)
class InteractConfig(HOIConfig):
    """Settings of the task interact, the table [head.interactions]: those of the head, and these.

    Raises:
        InputError: a value out of range, or settings that do not go together.
    """

    vocabulary: str = "data"
    """Which interactions there are: those that people do in the training data; hico, vcoco, playground; or a CSV with
    the columns verb and object."""
    people: tuple[str, ...] = ()
    """Classes of boxes that are people; empty for those of person, man, woman, boy, girl that there are."""
    labels: Literal["auto", "relations", "captions"] = "auto"
    """What whole pictures are labelled with: the relations of people, or what captions say that people do; auto takes a
    picture's own labels (HICO-DET's) where it has any, its relations otherwise."""
    text: str = "embedded:playground-clip"
    """What reads the interactions as texts: a model of pictures and texts, or any text backbone."""
    templates: tuple[str, ...] = ("a photo of a person {doing} {thing}",)
    """Sentences of an interaction, whose vectors are averaged."""
    teacher: str = ""
    """zero-shot: the model of pictures and texts that teaches; empty for that of `text`."""
    padded: bool = True
    """zero-shot: the teacher sees pairs in the middle of a black square, nothing around them."""
    unseen: str = ""
    """Interactions without any label in training: a split of HICO-DET (rare_first, unseen_verb …), or playground;
    empty for none."""
    unseen_rule: Literal["pairs", "labels"] = "pairs"
    """unseen: what training lacks: all pairs that do one, with pictures that are left with nothing, or the labels
    alone. See `data.zero_shot.Filter`."""
    threshold: float = 0.2
    """Lowest score of a box that may take part."""
    least: int = 3
    """People, and other things, of a picture that are kept though they score lower."""
    most: int = 15
    """People, and other things, of a picture at most."""
    pairs: int = 0
    """Pairs of a picture at most, those of the best scores; 0 for all. The zero-shot teacher is asked for each."""
    answers: int = 100
    """Answers of a picture that are measured."""
    suppress: float = 1.0
    """Of two answers of one interaction, the worse goes if IoU of people times root IoU of objects is above this; 1
    keeps all."""
    draws: int = 0
    """Test sides that are drawn for the interval of mAP, `mAP_low` to `mAP_high`; 0 for none."""
    protocol: Literal["hico", "vcoco"] = "hico"
    """How it is measured: mAP of HICO-DET, or also role AP of V-COCO."""

    def __post_init__(self) -> None:
        super().__post_init__()
        pick("source of labels", self.labels, LABELS)
        pick("protocol", self.protocol, PROTOCOLS)
        pick("rule of unseen interactions", self.unseen_rule, UNSEEN_RULES)
        if not self.text or not self.vocabulary:
            raise InputError("Name what reads the texts in head.interactions.text, and a vocabulary.")
        if min(self.pairs, self.draws) < 0 or self.answers < 1 or not 0 < self.suppress <= 1:
            raise InputError(
                "InteractConfig: pairs and draws are at least 0, answers at least 1, suppress in (0, 1]; got "
                f"{self.pairs}, {self.answers}, {self.suppress}."
            )
        if not self.templates:
            raise InputError('InteractConfig.templates holds sentences, such as "a photo of a person {doing} {thing}".')
        self.proposals()

    @property
    def head(self) -> HOIConfig:
        """Settings of the head alone."""
        own: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(HOIConfig)}
        return HOIConfig(**own)

    def proposals(self) -> ProposalConfig:
        """Which boxes may take part."""
        return ProposalConfig(self.threshold, self.least, self.most)
