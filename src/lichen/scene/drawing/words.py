"""The words of a scene below its picture: captions with phrases in the colours of their boxes, questions, labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from PIL import Image

from ..records import Phrase, Question
from ..scene import Scene
from .config import DrawConfig
from .fonts import Font, font_for, height_of, width_of
from .naming import Names, attributes_of, cut
from .palette import COLOURS, FAINT, GREY, INK, PAPER, Colour, mixed, tint
from .pen import Pen

_HEAD = 86
"""Pixels of the column of headings."""
_LEADING = 1.3
"""Height of a line of text, in heights of its letters."""
_AFTER = 9
"""Pixels below a row."""
_MOST = 12
"""Captions, questions and so on of a kind; the rest is counted."""
_LABELS = 8
_UNBOXED: Colour = (140, 148, 144)
"""Of phrases that no box belongs to."""


@dataclass(frozen=True)
class Run:
    """A stretch of text in one manner."""

    text: str
    colour: Colour = INK
    lines: tuple[tuple[Colour, ...], ...] = ()
    """Colours under it: of the innermost phrase first, several where a phrase speaks of several things."""
    ground: Colour | None = None


@dataclass(frozen=True)
class Row:
    """A heading and a paragraph beside it; or a bar for a label with its score."""

    heading: str
    runs: tuple[Run, ...]
    bar: float | None = None
    swatches: tuple[Colour, ...] = field(default=())
    """Squares before the text, in the colours of the things that it speaks of."""


def rows_of(scene: Scene, names: Names, config: DrawConfig) -> list[Row]:
    """All words of a scene, a row each, in the order in which they are shown."""
    rows = [Row("text", (Run(" ".join(scene.text.split())),))] if scene.text is not None else []
    rows += _attributes(scene, names)
    rows += _some("caption", [_caption(scene, number, names) for number in range(len(scene.captions))])
    found = []
    for expression in scene.expressions:
        score = _score(expression.score, config)
        colour = names.colours[expression.entity]
        found.append(Row("refers to", (Run(" ".join(expression.text.split())), *score), swatches=(colour,)))
    rows += _some("refers to", found)
    rows += _some("question", [_question(question, names) for question in scene.questions])
    labels = sorted(scene.labels, key=lambda label: -(label.score or 0.0))[:_LABELS]
    for number, label in enumerate(labels):
        runs = (Run(cut(label.name, 60)), *_score(label.score, config))
        rows.append(Row("label" if number == 0 else "", runs, bar=label.score))
    if len(scene.labels) > _LABELS:
        rows.append(Row("", (Run(f"and {len(scene.labels) - _LABELS} more", GREY),)))
    return rows


def draw_words(rows: Sequence[Row], width: int, config: DrawConfig) -> Image.Image:
    """Rows of words as a picture.

    Args:
        rows: at least one.
        width: in pixels; text is wrapped to it.
        config: sizes of letters.
    """
    laid = [_lay(row, width - _HEAD, config) for row in rows]
    heights = [len(lines) * round(height_of(font) * _LEADING) + _AFTER for lines, font in laid]
    sheet = Image.new("RGB", (width, sum(heights) + 4), PAPER)
    pen, top, last = Pen(sheet), 0, ""
    for row, (lines, font), height in zip(rows, laid, heights, strict=True):
        base = top + round(height_of(font) * _LEADING) - font.getmetrics()[1] - 2
        if row.heading != last and row.heading:
            pen.text((0, base), row.heading, font_for(row.heading, config.font_size - 2, config.font), GREY)
            if top:
                pen.line([(0, top - 3), (width, top - 3)], FAINT, 1.0)
        last = row.heading or last
        if row.bar is not None:
            pen.tile((_HEAD, top + 3, width, top + height - 3), mixed(FAINT, PAPER, 0.5), 2.0)
            share = max(0.0, min(1.0, row.bar))
            if share > 0:
                pen.tile(
                    (_HEAD, top + 3, _HEAD + share * (width - _HEAD), top + height - 3), tint(COLOURS[2], 0.6), 2.0
                )
        _write(pen, lines, row, font, base, width)
        top += height
    return sheet


def _some(what: str, rows: list[Row]) -> list[Row]:
    """The first of many rows, and how many follow."""
    if len(rows) <= _MOST:
        return rows
    return [*rows[:_MOST], Row(what, (Run(f"and {len(rows) - _MOST} more", GREY),))]


def _attributes(scene: Scene, names: Names) -> list[Row]:
    """What is said of single things, in one paragraph."""
    runs: list[Run] = []
    told = [place for place, entity in enumerate(scene.entities) if attributes_of(entity)]
    for place in told[: 2 * _MOST]:
        runs += [Run("   ")] if runs else []
        colour = names.colours[place]
        runs += [Run(names.entities[place], mixed(colour, INK, 0.25), ((colour,),), tint(colour))]
        runs += [Run(" " + ", ".join(attributes_of(scene.entities[place])))]
    if len(told) > 2 * _MOST:
        runs.append(Run(f"   and {len(told) - 2 * _MOST} more", GREY))
    return [Row("attributes", tuple(runs))] if runs else []


def _score(score: float | None, config: DrawConfig) -> tuple[Run, ...]:
    return () if score is None or not config.scores else (Run(f"  {score:.2f}", GREY),)


def _question(question: Question, names: Names) -> Row:
    """A question and its answers, the most frequent first, as of several people."""
    counts = Counter(" ".join(answer.split()) for answer in question.answers)
    runs = [Run(" ".join(question.text.split()) + " ")]
    for number, (answer, count) in enumerate(counts.most_common(3)):
        runs.append(Run("  " if number == 0 else ", ", GREY))
        runs.append(Run(answer or "(empty)", COLOURS[2] if number == 0 else GREY))
        if count > 1:
            runs.append(Run(f" ({count})", GREY))
    if len(counts) > 3:
        runs.append(Run(f", {len(counts) - 3} more", GREY))
    return Row("question", tuple(runs), swatches=tuple(dict.fromkeys(names.colours[n] for n in question.entities)))


def _caption(scene: Scene, number: int, names: Names) -> Row:
    """A caption in runs, each stretch in the colour of the shortest phrase around it, all of them underlined."""
    text = scene.captions[number]
    phrases = [phrase for phrase in scene.phrases if phrase.caption == number]
    cuts = sorted({0, len(text), *(place for phrase in phrases for place in (phrase.start, phrase.end))})
    runs = []
    for start, end in pairwise(cuts):
        around = [phrase for phrase in phrases if phrase.start <= start and end <= phrase.end]
        around.sort(key=lambda phrase: phrase.end - phrase.start)
        piece = re.sub(r"\s+", " ", text[start:end])
        if not around:
            runs.append(Run(piece))
            continue
        lines = tuple(_colours(phrase, names) for phrase in around[:3])
        first = lines[0][0]
        boxed = first != _UNBOXED
        runs.append(Run(piece, mixed(first, INK, 0.25) if boxed else GREY, lines, tint(first) if boxed else None))
    return Row("caption", tuple(runs))


def _colours(phrase: Phrase, names: Names) -> tuple[Colour, ...]:
    return tuple(dict.fromkeys(names.colours[place] for place in phrase.entities)) or (_UNBOXED,)


def _lay(row: Row, width: int, config: DrawConfig) -> tuple[list[list[tuple[float, Run]]], Font]:
    """Words of a row in lines no wider than the column, each with its distance from the left."""
    font = font_for("".join(run.text for run in row.runs), config.font_size + 1, config.font)
    lines: list[list[tuple[float, Run]]] = [[]]
    x = indent = len(row.swatches) * (config.font_size + 3.0) + (4.0 if row.swatches else 0.0)
    if row.bar is not None:
        x = indent = indent + 6.0
    for pieces in _words(row.runs):
        need = sum(width_of(piece.text, font) for piece in pieces)
        bare = sum(width_of(piece.text.rstrip(), font) for piece in pieces)
        if x > indent and x + bare > width:
            lines.append([])
            x = indent
        # A word longer than a line is cut into letters, so that nothing is lost at the edge.
        for piece in pieces if need <= width - indent else _letters(pieces):
            if x > indent and x + width_of(piece.text.rstrip(), font) > width:
                lines.append([])
                x = indent
            lines[-1].append((x, piece))
            x += width_of(piece.text, font)
    return lines, font


def _words(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs cut at blanks; what has no blank between stays together, even if its manner changes within a word."""
    words: list[list[Run]] = [[]]
    for run in runs:
        for text in re.findall(r"\s+|\S+\s*", run.text):
            piece = Run(text, run.colour, run.lines, run.ground)
            words[-1].append(piece)
            if text[-1].isspace():
                words.append([])
    return [word for word in words if word]


def _letters(pieces: Sequence[Run]) -> list[Run]:
    return [Run(letter, piece.colour, piece.lines, piece.ground) for piece in pieces for letter in piece.text]


def _write(pen: Pen, lines: list[list[tuple[float, Run]]], row: Row, font: Font, base: int, width: int) -> None:
    ascent, descent = font.getmetrics()
    for number, colour in enumerate(row.swatches):
        left = _HEAD + number * (ascent - 2 + 3)
        pen.tile((left, base - ascent + 5, left + ascent - 4, base + 1), colour, 3.0)
    step = round(height_of(font) * _LEADING)
    for number, line in enumerate(lines):
        y = base + number * step
        for place, (x, run) in enumerate(line):
            # Blanks between two words of one phrase belong to it; those after its last word do not.
            goes_on = place + 1 < len(line) and line[place + 1][1].lines == run.lines
            end = x + width_of(run.text if goes_on else run.text.rstrip(), font)
            if run.ground is not None and end > x:
                pen.tile((_HEAD + x - 0.5, y - ascent + 1, _HEAD + end + 0.5, y + descent - 1), run.ground, 0.0)
        for place, (x, run) in enumerate(line):
            goes_on = place + 1 < len(line) and line[place + 1][1].lines == run.lines
            end = x + width_of(run.text if goes_on else run.text.rstrip(), font)
            for depth, colours in enumerate(run.lines):
                under = y + descent - 1 + 3 * depth
                for part, colour in enumerate(colours):
                    ends = [(_HEAD + x + (end - x) * share / len(colours), under) for share in (part, part + 1)]
                    if end > x:
                        (pen.dashes if colour == _UNBOXED else pen.line)(ends, colour, 2.0)
            pen.text((_HEAD + x, y), run.text, font, run.colour)
