"""`playground_clip`: a clip with everything that is known of it, from (seed, index)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int16, UInt8

from ....scene import Entity, Label, Phrase, Relation, Scene, Track
from ..dice import Dice
from ..order import split_of
from .config import VERSION, WORLD, ClipConfig
from .describe import describe
from .film import Film, shoot
from .planning import Plan, plan_clip

_PLAN, _PLACE, _WORDS = 0xC11B0, 0xC11B1, 0xC11B2
"""Streams of the throws for what happens, for the background and for captions."""


@dataclass(frozen=True, eq=False)
class ClipSample:
    """One clip."""

    scene: Scene
    """Tracks with an entity each, relations, captions and their phrases; in the metadata the camera's way."""
    frames: UInt8[np.ndarray, "frames height width 3"]
    """The pictures."""
    instances: Int16[np.ndarray, "frames height width"]
    """Place in `scene.tracks` of what is seen at every pixel's middle; -1 for the background."""
    visible: Float64[np.ndarray, "tracks frames"]
    """Share of each thing's pixels within the frame that nothing nearer hides, other than what moves with it, such as a
    hat on a head; 0 where it has none there."""


def playground_clip(seed: int, index: int, config: ClipConfig = ClipConfig()) -> ClipSample:
    """A clip of things that move and hide each other, seen by a camera that stands still or pans.

    A track's box is the whole extent of its thing within the frame, also where something hides a part of it. It is
    None where the thing is outside, where fewer than three of its pixels are seen, or less than 12 % of those that
    lie within the frame.

    Args:
        seed: of the world.
        index: of the clip; see `lichen.data.playground.order` for the split that it belongs to.
        config: how it is made.

    Raises:
        InputError: seed or index is negative or too large.
    """
    split, place = split_of(seed, index)
    plan = plan_clip(Dice(seed, index, _PLAN), config)
    film = shoot(plan, config, Dice(seed, index, _PLACE))
    kept = [number for number, boxes in enumerate(film.boxes) if any(box is not None for box in boxes)]
    numbers = {number: place for place, number in enumerate(kept)}
    said = describe(plan, film, numbers, Dice(seed, index, _WORDS))
    places = np.full(len(film.boxes) + 1, -1, np.int16)
    for number, where in numbers.items():
        places[number + 1] = where
    scene = _scene(plan, film, numbers, said, f"clip-{split}-{place:06d}", config)
    made = {"seed": seed, "index": index, "split": split}
    return ClipSample(
        replace(scene, metadata={**scene.metadata, **made}), film.frames, places[film.owners], film.visible[kept]
    )


def _scene(
    plan: Plan,
    film: Film,
    numbers: dict[int, int],
    said: list[tuple[str, list[tuple[int, int, tuple[int, ...]]]]],
    id: str,
    config: ClipConfig,
) -> Scene:
    members = plan.members
    relations = [
        Relation(numbers[role.first + subject], predicate, numbers[role.first + thing])
        for role in plan.roles
        for subject, predicate, thing in role.mover.relations
        if role.first + subject in numbers and role.first + thing in numbers
    ]
    motions = {role.first + k: role.mover.verb for role in plan.roles for k in range(len(role.mover.members))}
    return Scene(
        id=id,
        size=(config.size, config.size),
        captions=tuple(text for text, _ in said),
        labels=(Label(plan.place),) if plan.drawn else (),
        entities=tuple(Entity(members[n].label, film.boxes[n][0], attributes=members[n].attributes) for n in numbers),
        relations=tuple(relations),
        phrases=tuple(
            Phrase(caption, start, end, named) for caption, (_, spans) in enumerate(said) for start, end, named in spans
        ),
        tracks=tuple(Track(film.boxes[n], members[n].label, entity=place) for n, place in numbers.items()),
        metadata={
            "world": WORLD,
            "version": VERSION,
            "place": plan.place if plan.drawn else "plain",
            "camera": [float(edge) * config.size for edge in plan.camera],
            "pan": plan.pan,
            "motions": [motions[n] for n in numbers],
            "visible": [[round(float(share), 4) for share in film.visible[n]] for n in numbers],
        },
    )
