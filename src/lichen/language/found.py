"""`Found`: what was read out of a decoder's answer, as parts of a Scene, with a count of what could not be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ..scene import Entity, Expression, Label, Phrase, Scene


@dataclass(frozen=True)
class Found:
    """Parts of one scene. Places are counted within these parts; `add_to` moves them."""

    text: str = ""
    """The words of the answer, where it is nothing but words."""
    captions: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()
    entities: tuple[Entity, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    expressions: tuple[Expression, ...] = ()
    malformed: Mapping[str, int] = field(default_factory=dict)
    """How often something could not be read, by reason; empty where all could."""

    def add_to(self, scene: Scene) -> Scene:
        """The scene with these parts behind its own."""
        captions, entities = len(scene.captions), len(scene.entities)
        return replace(
            scene,
            captions=(*scene.captions, *self.captions),
            labels=(*scene.labels, *self.labels),
            entities=(*scene.entities, *self.entities),
            phrases=(
                *scene.phrases,
                *(
                    replace(
                        phrase,
                        caption=phrase.caption + captions,
                        entities=tuple(place + entities for place in phrase.entities),
                    )
                    for phrase in self.phrases
                ),
            ),
            expressions=(
                *scene.expressions,
                *(replace(item, entity=item.entity + entities) for item in self.expressions),
            ),
        )


def count_malformed(found: Iterable[Found]) -> dict[str, int]:
    """How often each reason occurs in many answers, the most frequent first."""
    total: Counter[str] = Counter()
    for each in found:
        total.update(each.malformed)
    return dict(total.most_common())


def rank_by_order(entities: Iterable[Entity]) -> tuple[Entity, ...]:
    """Entities with scores that fall evenly in the order in which they were written: 1 - k / K for number k of K.

    A way out where a decoder kept no log-probabilities: metrics of detection need a ranking, and a score that is the
    same everywhere costs a third of AP.

    Source: decoders.md 3.6, option 4.
    """
    found = list(entities)
    return tuple(replace(entity, score=1 - place / len(found)) for place, entity in enumerate(found))
