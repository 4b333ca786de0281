"""Scenes to the texts of PaliGemma, Florence-2, Kosmos-2 and LocCa, and back; by way of scenes, COCO too.

Three things can be written: the objects ("detect"), what expressions mean ("refer"), and a caption with the boxes of
its phrases ("ground"). What a format cannot hold is refused when it is written, or comes back otherwise as said below.

| | detect | refer | ground |
|---|---|---|---|
| paligemma, florence2 | labels with boxes | expressions with boxes | phrases with boxes, without the caption |
| kosmos2 | a phrase a label | a phrase an expression | the caption with its phrases |
| locca | `GCap` a label | `ARef` an expression | `Cap`, and `GCap` a phrase |

COCO's JSON is read and written by `lichen.scene.coco`.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal

import torch

from ..errors import InputError, pick
from ..regions import CODES
from ..scene import Entity, Expression, Phrase, Scene
from .found import Found
from .markup import WRITERS, Codes, Marked, Mention, read_markup

What = Literal["detect", "refer", "ground"]
_WHATS: tuple[What, ...] = ("detect", "refer", "ground")
INVERTED, RANGE, UNPLACED = "inverted box", "number out of range", "phrase not in the caption"


def to_text(scene: Scene, format: str, what: What = "detect", caption: int = 0) -> str:
    """What is known of a scene as the text that a model of this format writes.

    Args:
        scene: with its size.
        format: "paligemma", "florence2", "kosmos2" or "locca".
        what: "detect" writes labels and boxes of all entities that have a box; "refer" expressions and the boxes of
            their entities; "ground" a caption with the boxes of its phrases (phrases without one are plain words).
        caption: which of the captions, for "ground".

    Returns:
        One text. LocCa writes one sequence for each box: a line each.

    Raises:
        InputError: an unknown format, a scene without a size or caption, a box outside the picture, words that would
            read as markup, or what the format cannot hold: phrases that overlap, a box without words.
    """
    write = WRITERS[pick("format", format, WRITERS)]
    pick("content", what, _WHATS)
    try:
        return write(_marked(scene, format, what, caption), what == "refer")
    except InputError as error:
        raise InputError(f"Scene {scene.id!r}: {error}") from error


def from_text(
    text: str, format: str, size: tuple[int, int], what: What = "detect", caption: str | None = None
) -> Found:
    """What a text of a format says of a picture. Malformed text never raises: what is whole is kept, the rest counted.

    Args:
        text: as a model wrote it.
        format: "paligemma", "florence2", "kosmos2" or "locca".
        size: width and height in pixels: the original picture's where the model saw it squeezed.
        what: "detect" makes labels of the words; "refer" expressions; "ground" phrases of the caption.
        caption: for "ground": the caption, where the text does not hold it. Its phrases are sought in it one after
            another; a phrase that is not there becomes an expression, and is counted.

    Raises:
        InputError: an unknown format or content, or a size that is none.
    """
    pick("format", format, WRITERS)
    pick("content", what, _WHATS)
    if min(size) < 1:
        raise InputError(f"The size of a picture is at least 1×1; got {size}.")
    marked = read_markup(format, text)
    mentions = _placed(marked, format, size)
    if what == "detect":
        entities = tuple(Entity(text, box) for text, _, boxes in mentions for box in boxes)
        only = marked.caption if marked.caption and not entities else ""
        return Found(only, entities=entities, malformed=_counted(marked.malformed))
    if what == "refer":
        return _referred(mentions, marked.malformed)
    return _grounded(mentions, marked, caption)


def convert(
    text: str, source: str, target: str, size: tuple[int, int], what: What = "detect", caption: str | None = None
) -> tuple[str, Found]:
    """A text of one model as that of another.

    Args:
        text: as a model wrote it.
        source: its format.
        target: the format to write.
        size: width and height of the picture in pixels.
        what: what it says, see `to_text`.
        caption: see `from_text`.

    Returns:
        The text, and what was read on the way: `malformed` says what was lost.

    Raises:
        InputError: as `from_text` and `to_text`.
    """
    found = from_text(text, source, size, what, caption)
    if what == "ground" and not found.captions:
        raise InputError(f"A text of {source!r} does not hold its caption: give it with caption=.")
    return to_text(found.add_to(Scene("text", size=size)), target, what), found


# --- from a scene to mentions


def _marked(scene: Scene, format: str, what: What, caption: int) -> Marked:
    if scene.size is None:
        raise InputError("it does not say how large its picture is. Give it a size, (width, height).")
    places: list[int] = []
    groups: list[tuple[str | None, tuple[int, int] | None, list[int]]] = []
    if what == "detect":
        groups = [(entity.label, None, [n]) for n, entity in enumerate(scene.entities) if entity.box is not None]
    elif what == "refer":
        groups = [(item.text, None, [item.entity]) for item in scene.expressions]
    else:
        if not 0 <= caption < len(scene.captions):
            raise InputError(f"there is no caption {caption}; it has {len(scene.captions)}.")
        for phrase in sorted(scene.phrases, key=lambda phrase: phrase.start):
            boxed = [place for place in phrase.entities if scene.entities[place].box is not None]
            if phrase.caption == caption and boxed:
                span = (phrase.start, phrase.end)
                groups.append((scene.captions[caption][slice(*span)], span, boxed))
    for text, _, members in groups:
        for place in members:
            if scene.entities[place].box is None:
                raise InputError(f"entities[{place}], which {text!r} means, has no box.")
            places.append(place)
    codes = iter(_codes(scene, format, places))
    mentions = [Mention(text, [next(codes) for _ in members], span) for text, span, members in groups]
    return Marked(scene.captions[caption] if what == "ground" else None, mentions)


def _codes(scene: Scene, format: str, places: list[int]) -> list[Codes]:
    if not places:
        return []
    boxes = torch.tensor([scene.entities[place].box for place in places], dtype=torch.float64)
    return [tuple(row) for row in CODES[format].encode(boxes, _size(scene.size)).tolist()]


def _size(size: tuple[int, int] | None) -> torch.Tensor:
    return torch.tensor([size], dtype=torch.float64)


# --- from mentions to parts of a scene

_Box = tuple[float, float, float, float]
_Placed = list[tuple[str | None, tuple[int, int] | None, list[_Box]]]


def _placed(marked: Marked, format: str, size: tuple[int, int]) -> _Placed:
    """Mentions with boxes in pixels; boxes that are none are counted and left out."""
    code = CODES[format]
    rows = [codes for mention in marked.mentions for codes in mention.boxes]
    if not rows:
        return []
    table = torch.tensor(rows)
    good = code.valid(table)
    inside = ((table >= 0) & (table < code.count)).all(1)
    marked.malformed[RANGE] += int((~inside).sum())
    marked.malformed[INVERTED] += int((inside & ~good).sum())
    boxes = iter(zip(code.decode(table, _size(size)).tolist(), good.tolist(), strict=True))
    placed: _Placed = []
    for mention in marked.mentions:
        kept = [tuple(box) for box, whole in (next(boxes) for _ in mention.boxes) if whole]
        if kept:
            placed.append((mention.text, mention.span, kept))
    return placed


def _referred(mentions: _Placed, malformed: Counter[str]) -> Found:
    entities: list[Entity] = []
    expressions: list[Expression] = []
    for text, _, boxes in mentions:
        for box in boxes:
            if text:
                expressions.append(Expression(text, len(entities)))
            entities.append(Entity(None, box))
    return Found(entities=tuple(entities), expressions=tuple(expressions), malformed=_counted(malformed))


def _grounded(mentions: _Placed, marked: Marked, caption: str | None) -> Found:
    words = marked.caption if caption is None else caption
    entities: list[Entity] = []
    phrases: list[Phrase] = []
    expressions: list[Expression] = []
    done = 0
    for text, span, boxes in mentions:
        places = tuple(range(len(entities), len(entities) + len(boxes)))
        entities += [Entity(None, box) for box in boxes]
        if text is None:
            continue
        if caption is not None or span is None:
            span, done = _sought(text, words, done)
        if span is not None:
            _add_phrase(phrases, span, places)
            continue
        marked.malformed[UNPLACED] += 1
        expressions += [Expression(text, place) for place in places]
    return Found(
        captions=() if words is None else (words,),
        entities=tuple(entities),
        phrases=tuple(phrases),
        expressions=tuple(expressions),
        malformed=_counted(marked.malformed),
    )


def _sought(text: str, caption: str | None, done: int) -> tuple[tuple[int, int] | None, int]:
    """Where words stand in a caption: after those before, if there, else anywhere; without regard to case."""
    if caption is None:
        return None, done
    whole, words = caption.lower(), text.lower()
    if len(whole) != len(caption):
        whole, words = caption, text
    place = whole.find(words, done)
    place = place if place >= 0 else whole.find(words)
    return (None, done) if place < 0 else ((place, place + len(words)), place + len(words))


def _add_phrase(phrases: list[Phrase], span: tuple[int, int], places: tuple[int, ...]) -> None:
    """One phrase for each span: formats without lists of boxes repeat the words."""
    if phrases and (phrases[-1].start, phrases[-1].end) == span:
        places = (*phrases.pop().entities, *places)
    phrases.append(Phrase(0, *span, places))


def _counted(malformed: Counter[str]) -> dict[str, int]:
    return {reason: count for reason, count in malformed.items() if count}
