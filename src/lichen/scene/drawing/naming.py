"""What things are called and coloured, the same in the picture, in the graph and in the words of one drawing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ..coco import CROWD
from ..records import Entity
from ..scene import Scene
from .config import DrawConfig
from .palette import Colour, colour_of

_LETTERS = 32
"""Of a label."""


@dataclass(frozen=True)
class Names:
    """Names and colours of a scene's things, by their places."""

    entities: tuple[str, ...]
    colours: tuple[Colour, ...]
    tracks: tuple[str, ...]
    track_colours: tuple[Colour, ...]
    hidden: frozenset[int]
    """Entities that are not drawn: too many, or seen as a track."""


def name_things(scene: Scene, config: DrawConfig) -> Names:
    """Names, numbered where two things of one name are spoken of; a colour each, or one a class.

    Where relations, phrases or other words speak of single entities, each needs a colour of its own. Otherwise a
    colour a class tells more.
    """
    singled = bool(scene.relations or scene.phrases or scene.expressions) or any(
        [*(question.entities for question in scene.questions), *(attributes_of(entity) for entity in scene.entities)]
    )
    plain = [_called(entity.label, CROWD in entity.attributes) for entity in scene.entities]
    counts, seen = Counter(plain), Counter[str]()
    names = []
    for name in plain:
        seen[name] += 1
        names.append(f"{name} {seen[name]}" if singled and counts[name] > 1 else name)
    classes = {label: number for number, label in enumerate(dict.fromkeys(entity.label for entity in scene.entities))}
    colours = tuple(
        colour_of(place if singled else classes[entity.label]) for place, entity in enumerate(scene.entities)
    )
    followed = {track.entity for track in scene.tracks if track.entity is not None}
    order = sorted(range(len(names)), key=lambda place: (-(scene.entities[place].score or 0.0), place))
    # Numbers of tracks go on after those of entities, so that no two things share a colour while there are enough.
    shift = len(names) if singled else len(classes)
    return Names(
        entities=tuple(names),
        colours=colours,
        tracks=tuple(_called(track.label) if track.entity is None else names[track.entity] for track in scene.tracks),
        track_colours=tuple(
            colour_of(shift + place) if track.entity is None else colours[track.entity]
            for place, track in enumerate(scene.tracks)
        ),
        hidden=frozenset(order[config.entities :]) | followed,
    )


def cut(text: str, letters: int = _LETTERS) -> str:
    """A text on one line, cut where it is too long."""
    text = " ".join(text.split())
    return text if len(text) <= letters else text[: letters - 1].rstrip() + "…"


def attributes_of(entity: Entity) -> list[str]:
    """What is said of a thing below the picture; that it is many of its kind stands in its name."""
    return [" ".join(name.split()) for name in entity.attributes if name != CROWD]


def _called(label: str | None, crowd: bool = False) -> str:
    return cut(label or "?") + (" (crowd)" if crowd else "")
