"""The published zero-shot splits of HICO-DET, and training scenes without what is to stay unseen.

How training is filtered differs between papers and changes the numbers, so it must be said: see `Filter`. The test side
stays whole; report `unseen`, `seen` and all (hoi.md 2.6).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from ..errors import InputError, pick
from ..scene import Scene
from .classes import hico_600, hico_zero_shot
from .interactions import Interactions

Filter = Literal["pairs", "labels"]
"""What is left out of training scenes.

- pairs: every pair that carries an unseen interaction, with all else that it carries, then every picture that is left
  with nothing (GEN-VLKT, HOICLIP).
- labels: the unseen interactions alone; pictures and boxes of unseen pairs stay, as if nothing was done there (VCL,
  EoID, ADA-CM). A model may so be told that an unseen interaction is absent from a picture that shows it.
"""
SHORT = {
    "RF-UC": "rare_first",
    "NF-UC": "non_rare_first",
    "UO": "unseen_object",
    "UV": "unseen_verb",
    "UA": "unseen_action_ua",
    **{f"UC{number}": f"uc{number}" for number in range(5)},
}
"""What papers call the splits. UC is the mean of five draws, with its spread."""


@dataclass(frozen=True)
class ZeroShotSplit:
    """Which interactions are never trained on.

    Raises:
        InputError: nothing is unseen or all is, a number is out of range or there twice.
    """

    name: str
    unseen: tuple[int, ...]
    classes: int
    """How many interactions there are."""

    def __post_init__(self) -> None:
        if len(set(self.unseen)) != len(self.unseen) or not 0 < len(self.unseen) < self.classes:
            raise InputError(
                f"{self.name}: give the unseen interactions once each, some but not all of {self.classes}; "
                f"got {len(self.unseen)}."
            )
        if min(self.unseen) < 0 or max(self.unseen) >= self.classes:
            raise InputError(f"{self.name}: interactions are numbered 0 to {self.classes - 1}; got {self.unseen}.")

    @property
    def seen(self) -> tuple[int, ...]:
        """All others."""
        return tuple(sorted(set(range(self.classes)) - set(self.unseen)))

    def groups(self) -> dict[str, tuple[int, ...]]:
        """Groups for `HoiScores.summary`, which adds their harmonic mean."""
        return {"unseen": self.unseen, "seen": self.seen}


def zero_shot(name: str) -> ZeroShotSplit:
    """A published split of HICO-DET's 600 interactions.

    In the splits `rare_first`, `non_rare_first` and `uc0` to `uc4` every object and nearly every verb stays seen, in
    `unseen_object` twelve objects are new, in `unseen_verb` twenty verbs, in `unseen_action_ua` twenty-two. Detectors
    know all 80 objects, so an unseen object is unseen to the interaction alone.

    Args:
        name: as in the file, such as "rare_first", or as in papers, such as "RF-UC".

    Raises:
        InputError: an unknown name.
    """
    splits = hico_zero_shot()
    name = SHORT.get(name.upper(), name)
    return ZeroShotSplit(pick("zero-shot split", name, splits), splits[name], len(hico_600()))


def without_unseen(
    scenes: Iterable[Scene], interactions: Interactions, unseen: Collection[int], how: Filter
) -> Iterator[Scene]:
    """Training scenes without the unseen interactions: as relations, as labels of the whole picture, and where
    `metadata` says that something is absent, unclear or invisible.

    Relations that are no interactions of this vocabulary stay; with "pairs" they go if their pair goes. Labels of the
    whole picture belong to no pair, so they lose the unseen names alone. With "pairs" a picture is left out when
    something was taken from it and no interaction is left, neither as a relation nor as a label.

    Raises:
        InputError: an unknown filter.
    """
    pick("filter", how, get_args(Filter))
    names = {interactions.names[number] for number in unseen}
    for scene in scenes:
        kept = _without(scene, interactions, set(unseen), names, how)
        gone = kept.relations != scene.relations or kept.labels != scene.labels
        if how == "pairs" and gone and not interactions.pairs_of(kept) and not _labelled(kept, interactions):
            continue
        yield kept


def _without(scene: Scene, interactions: Interactions, unseen: set[int], names: set[str], how: Filter) -> Scene:
    pairs = {each[:2] for each in interactions.pairs_of(scene) if each[2] in unseen}
    relations = []
    for relation in scene.relations:
        ends = (relation.subject, relation.object)
        own = interactions.number.get((relation.predicate, scene.entities[relation.object].label or ""))
        if ends not in pairs or (how == "labels" and own not in unseen):
            relations.append(relation)
    metadata: dict[str, Any] = dict(scene.metadata)
    for key in ("absent", "unclear", "invisible"):
        if key in metadata:
            metadata[key] = [name for name in metadata[key] if name not in names]
    labels = tuple(label for label in scene.labels if label.name not in names)
    return replace(scene, relations=tuple(relations), labels=labels, metadata=metadata)


def _labelled(scene: Scene, interactions: Interactions) -> bool:
    """Whether a label of the whole picture is an interaction."""
    return not {label.name for label in scene.labels}.isdisjoint(interactions.names)
