"""`WriteConfig`: which questions a decoder learns, how large it is, how boxes are spelt, how tasks are mixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ...errors import InputError, pick
from ...language.mixing import MixtureConfig, Rule
from ...language.prompts import Level
from ...language.sequences import Loss

TASKS = ("classify", "caption", "vqa", "ocr", "detect", "cap", "aref", "gcap")
"""What a decoder can be asked. The first four are LiT-decoder's, the last three LocCa's."""
WITH_BOXES = ("detect", "aref", "gcap")
Words = Literal["expressions", "phrases", "labels"]


@dataclass(frozen=True)
class WriteConfig:
    """Settings of a decoder's training, the table [head.decoder]. Source: decoders.md 0.2, 1.4 to 1.6, 2.2 to 2.4."""

    tasks: tuple[str, ...] = ("caption",)
    """What it learns: classify, caption, vqa, ocr, detect; cap, aref, gcap."""
    level: Level = "task"
    """What prompts say: none, task, or dataset (task and name of the data set)."""
    dataset: str | None = None
    """Name of the data set, for prompts of level dataset."""
    words: tuple[Words, ...] = ("expressions",)
    """aref, gcap: which words of boxes are learnt: expressions, phrases of captions, labels of entities."""
    loss: Loss = "sequence"
    """aref, gcap: learn all behind the marker (LocCa), or the answer alone."""
    layers: int = 2
    """Blocks: 2 are enough for most, 6 for boxes, 12 as in published tables of LiT-decoder."""
    width: int = 768
    """Of the decoder."""
    heads: int = 12
    """Of its attention."""
    context: int = 64
    """Tokens of prompt and answer at most."""
    tied: bool = False
    """Use the embedding as output matrix too."""
    dropout: float = 0.1
    label_smoothing: float = 0.1
    vocabulary: int = 8192
    """Tokens of words at most, learnt from the texts of the training side."""
    tokenizer: str | None = None
    """Folder or hub id of a tokenizer to take instead."""
    boxes: Literal["tokens", "text"] = "tokens"
    """A token for every coordinate, or whole numbers in words."""
    bins: int = 500
    """Parts that a side of the picture is divided into."""
    order: Literal["xyxy", "yxyx", "lbrt"] = "xyxy"
    """Of the coordinates of a box."""
    parallel: float = 0.0
    """caption, cap: share of texts that training predicts all at once; 0.5 in LocCa."""
    positions: bool | None = None
    """Add fixed positions to the backbone's tokens; None: where it gives maps."""
    standardise: bool | None = None
    """Bring each token of the backbone to mean 0 and variance 1; None: where it gives maps."""
    beams: int = 1
    """Of captions when the model is measured and asked; published: 4."""
    mixing: Rule = "concat_pairs"
    """How tasks share an epoch: concat_pairs, concat_images, uniform, temperature, weights."""
    temperature: float = 2.0
    """For this rule."""
    weights: Mapping[str, float] | None = None
    """For this rule: the share of each task."""
    check_leaks: bool = True
    """Refuse pictures of dev or test that are also trained on, by path, contents or looks."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", tuple(self.tasks))
        if not self.tasks:
            raise InputError("WriteConfig.tasks is empty. Name what the decoder should learn, such as caption.")
        for task in self.tasks:
            pick("task of a decoder", task, TASKS)
        if len(set(self.tasks)) < len(self.tasks):
            raise InputError(f"WriteConfig.tasks names one twice: {', '.join(self.tasks)}.")
        if self.level == "dataset" and not self.dataset:
            raise InputError('WriteConfig.level = "dataset" needs WriteConfig.dataset, the name that prompts say.')
        if self.level == "none" and len(self.tasks) > 1:
            raise InputError('WriteConfig.level = "none" hides which of several tasks is meant. Choose "task".')
        if self.beams < 1:
            raise InputError(f"WriteConfig.beams must be at least 1; got {self.beams}.")
        if not self.words:
            raise InputError("WriteConfig.words is empty. Name expressions, phrases or labels.")
        if not 0 <= self.parallel <= 1:
            raise InputError(f"WriteConfig.parallel is a share from 0 to 1; got {self.parallel}.")

    @property
    def with_boxes(self) -> bool:
        """Whether any task reads or writes boxes."""
        return any(task in WITH_BOXES for task in self.tasks)

    def mixture(self, seed: int) -> MixtureConfig:
        """How tasks are mixed."""
        return MixtureConfig(self.mixing, self.temperature, self.weights, seed)
