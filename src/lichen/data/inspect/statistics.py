"""Counts over Scenes: what there is, how often, and how large."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ...scene import Scene

_SHOWN = 12
"""Rows of a list in the table."""
SMALL, MEDIUM = 0.05, 0.15
"""Edge of a small and of a medium box at most, as a share of the picture's (root of the areas' ratio)."""


@dataclass
class Statistics:
    """What a set of Scenes holds."""

    scenes: int = 0
    totals: dict[str, int] = field(default_factory=dict)
    """Records of each kind, and captions."""
    classes: dict[str, int] = field(default_factory=dict)
    """Entities by class; all of these are ordered from the most to the least."""
    attributes: dict[str, int] = field(default_factory=dict)
    predicates: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    questions: dict[str, int] = field(default_factory=dict)
    """By kind."""
    yes: float | None = None
    """Share of yes among the answers yes and no."""
    shortcut: float | None = None
    """Share of relations whose predicate is the most frequent one of their pair of classes."""
    triples: int = 0
    """Different (class, predicate, class)."""
    edges: list[float] = field(default_factory=list)
    """Of every box: the root of its area over the picture's."""
    words: list[int] = field(default_factory=list)
    """Of every caption."""
    entities: list[int] = field(default_factory=list)
    """Of every scene."""
    solids: list[int] = field(default_factory=list)
    """Of every scene."""

    @property
    def tail(self) -> float | None:
        """How many times the most frequent predicate is as frequent as the least."""
        return max(self.predicates.values()) / min(self.predicates.values()) if self.predicates else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values; long lists as their quantiles."""
        values = asdict(self)
        for name in ("edges", "words", "entities", "solids"):
            values[name] = {str(q): quantile(values[name], q) for q in (0.0, 0.1, 0.5, 0.9, 1.0)}
        return {**values, "tail": self.tail}


def statistics(scenes: Iterable[Scene]) -> Statistics:
    """Count everything once."""
    found = Statistics()
    counters: dict[str, Counter[str]] = {
        name: Counter() for name in ("totals", "classes", "attributes", "predicates", "labels", "questions")
    }
    triples: Counter[tuple[str | None, str, str | None]] = Counter()
    answers: Counter[str] = Counter()
    for scene in scenes:
        found.scenes += 1
        found.entities.append(len(scene.entities))
        found.solids.append(len(scene.solids))
        found.words += [len(caption.split()) for caption in scene.captions]
        found.edges += _edges(scene)
        for name in _KINDS:
            counters["totals"][name] += len(getattr(scene, name))
        counters["classes"].update(entity.label or "(none)" for entity in scene.entities)
        counters["attributes"].update(word for entity in scene.entities for word in entity.attributes)
        counters["labels"].update(label.name for label in scene.labels)
        counters["questions"].update(question.kind or "(none)" for question in scene.questions)
        answers.update(a for question in scene.questions for a in question.answers if a in ("yes", "no"))
        for relation in scene.relations:
            counters["predicates"][relation.predicate] += 1
            ends = scene.entities[relation.subject].label, scene.entities[relation.object].label
            triples[ends[0], relation.predicate, ends[1]] += 1
    for name, counter in counters.items():
        setattr(found, name, dict(counter.most_common()))
    found.yes = answers["yes"] / answers.total() if answers else None
    found.triples = len(triples)
    found.shortcut = _shortcut(triples)
    return found


_KINDS = (
    "captions",
    "labels",
    "entities",
    "relations",
    "phrases",
    "expressions",
    "questions",
    "lines",
    "solids",
    "tracks",
)


def _edges(scene: Scene) -> list[float]:
    if scene.size is None:
        return []
    area = scene.size[0] * scene.size[1]
    boxes = (entity.box for entity in scene.entities if entity.box is not None)
    return [math.sqrt((box[2] - box[0]) * (box[3] - box[1]) / area) for box in boxes]


def _shortcut(triples: Mapping[tuple[str | None, str, str | None], int]) -> float | None:
    best: dict[tuple[str | None, str | None], int] = {}
    for (subject, _, thing), count in triples.items():
        best[subject, thing] = max(best.get((subject, thing), 0), count)
    return sum(best.values()) / sum(triples.values()) if triples else None


def quantile(values: Sequence[float | int], share: float) -> float | None:
    """The value below which this share of the others lies; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return round(float(ordered[min(len(ordered) - 1, int(share * len(ordered)))]), 4)


def as_table(found: Statistics) -> str:
    """The statistics as aligned text."""
    rows = [("scenes", f"{found.scenes:,}")]
    rows += [(name, f"{count:,}, {count / found.scenes:.1f} a scene") for name, count in found.totals.items() if count]
    for name in ("classes", "attributes", "predicates", "labels", "questions"):
        counts: dict[str, int] = getattr(found, name)
        if counts:
            rows.append((f"{len(counts)} {name if name != 'questions' else 'kinds of question'}", _listed(counts)))
    if found.predicates:
        head, tail = next(iter(found.predicates)), list(found.predicates)[-1]
        rows.append(("long tail", f"{found.tail:,.0f} : 1 ({head} : {tail}), {found.triples:,} different triples"))
        rows.append(
            ("shortcut", f"{found.shortcut:.1%} of relations have the most frequent predicate of their classes")
        )
    if found.yes is not None:
        rows.append(("answers", f"{found.yes:.1%} yes among yes and no"))
    if found.edges:
        small = sum(edge <= SMALL for edge in found.edges) / len(found.edges)
        medium = sum(SMALL < edge <= MEDIUM for edge in found.edges) / len(found.edges)
        rows.append(
            ("boxes", f"{small:.0%} small (edge to {SMALL:.0%} of the picture), {medium:.0%} medium (to {MEDIUM:.0%}), "
             f"{1 - small - medium:.0%} large; median {quantile(found.edges, 0.5):.0%}")
        )  # fmt: skip
    if found.words:
        rows.append(
            ("caption words", f"{quantile(found.words, 0.1):.0f} to {quantile(found.words, 0.9):.0f} (10 to 90 %)")
        )
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def _listed(counts: Mapping[str, int]) -> str:
    shown = [f"{name} {count:,}" for name, count in list(counts.items())[:_SHOWN]]
    more = len(counts) - len(shown)
    last = list(counts.items())[-1]
    return ", ".join(shown) + (f", … {last[0]} {last[1]:,}" if more > 0 else "")
