"""Relations as a small graph beside the picture: things as nodes in the colours of their boxes, arrows with words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int
from PIL import Image

from ..records import Relation
from ..scene import Scene
from .config import DrawConfig
from .fonts import Font, font_for, height_of, width_of
from .layout import lay_out
from .naming import Names, cut
from .palette import INK, PAPER, Colour, mixed
from .pen import Pen
from .picture import extent

_STEPS = 48
"""Pieces of a curve."""
_LEAST = 220
"""Height of the smallest graph in pixels."""
_STARTS = 6
"""Layouts tried while arrows run behind nodes or words."""
_ROOM = 6.5
"""How many times the room of nodes and words a sheet has."""


@dataclass(frozen=True)
class _Edge:
    """All that one thing does to another."""

    subject: int
    object: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class _Words:
    """The words of an edge, measured."""

    lines: tuple[str, ...]
    font: Font
    width: float
    height: int


def draw_graph(scene: Scene, names: Names, height: int, config: DrawConfig) -> tuple[Image.Image, int]:
    """The relations of a scene.

    Args:
        scene: with at least one relation.
        names: of its things.
        height: of the picture that the graph will stand beside, in pixels; a large graph may be taller.
        config: sizes.

    Returns:
        The graph, and how many relations it leaves out.
    """
    order = sorted(range(len(scene.relations)), key=lambda n: (-(scene.relations[n].score or 0.0), n))
    kept = [scene.relations[n] for n in sorted(order[: config.relations])]
    nodes = sorted({place for relation in kept for place in (relation.subject, relation.object)})
    edges = _edges(kept, nodes, config)
    letters = config.font_size
    fonts = [font_for(names.entities[node], letters, config.font) for node in nodes]
    sizes = np.array(
        [
            (width_of(names.entities[node], font) + letters, height_of(font) + 0.6 * letters)
            for node, font in zip(nodes, fonts, strict=True)
        ]
    )
    words = [_measure(edge.lines, letters - 2, config) for edge in edges]
    extents = np.array([(word.width, word.height) for word in words])
    size = _size(sizes, extents, height)
    pairs = np.array([(edge.subject, edge.object) for edge in edges], np.int64)
    areas, places = _clear(_anchors(scene, nodes), sizes, pairs, extents, size)
    pen = Pen(Image.new("RGB", size, PAPER))
    _draw_edges(pen, edges, words, places, areas, [names.colours[node] for node in nodes])
    for node, area, font in zip(nodes, areas.tolist(), fonts, strict=True):
        pen.tile(tuple(area), names.colours[node], 5.0)
        middle = (area[0] + area[2]) / 2
        base = (area[1] + area[3]) / 2 + (font.getmetrics()[0] - font.getmetrics()[1]) / 2
        pen.text((middle, base), names.entities[node], font, PAPER, "ms")
    return pen.sheet, len(scene.relations) - len(kept)


def _edges(relations: Sequence[Relation], nodes: Sequence[int], config: DrawConfig) -> list[_Edge]:
    """Relations of the same two things in the same direction share an arrow."""
    found: dict[tuple[int, int], list[str]] = {}
    for relation in relations:
        pair = (nodes.index(relation.subject), nodes.index(relation.object))
        score = "" if relation.score is None or not config.scores else f" {relation.score:.2f}"
        found.setdefault(pair, []).append(cut(relation.predicate) + score)
    return [_Edge(*pair, tuple(dict.fromkeys(lines))) for pair, lines in found.items()]


def _measure(lines: tuple[str, ...], letters: int, config: DrawConfig) -> _Words:
    font = font_for("".join(lines), letters, config.font)
    return _Words(lines, font, max(width_of(line, font) for line in lines) + 6, height_of(font) * len(lines) + 2)


def _size(sizes: Float64[np.ndarray, "nodes 2"], words: Float64[np.ndarray, "edges 2"], height: int) -> tuple[int, int]:
    """A sheet with enough room, as high as the picture beside it or higher."""
    room = _ROOM * ((sizes + 24.0).prod(1).sum() + (words + 12.0).prod(1).sum())
    widest = float(2 * sizes[:, 0].max() + words[:, 0].max() + 70)
    height = max(height, _LEAST)
    width = int(np.clip(max(widest, room / height), 300, 860))
    return width, max(height, int(room / width))


def _clear(
    anchors: Float64[np.ndarray, "nodes 2"],
    sizes: Float64[np.ndarray, "nodes 2"],
    pairs: Int[np.ndarray, "edges 2"],
    extents: Float64[np.ndarray, "edges 2"],
    size: tuple[int, int],
) -> tuple[Float64[np.ndarray, "nodes 4"], Float64[np.ndarray, "edges 2"]]:
    """Rectangles of nodes and middles of words, in the layout in which arrows hide least."""
    best, least = None, np.inf
    for start in range(_STARTS):
        centres, places = lay_out(anchors, sizes, pairs, extents, size, start)
        areas = np.concatenate([centres - sizes / 2, centres + sizes / 2], 1)
        words = np.concatenate([places - extents / 2, places + extents / 2], 1)
        hidden = 0
        for number, (subject, object) in enumerate(pairs.tolist()):
            path = _curve(areas[subject], places[number], areas[object])
            others = np.concatenate([np.delete(areas, [subject, object], 0), np.delete(words, number, 0)])
            hidden += int(((path[:, None] > others[:, :2] - 3.0) & (path[:, None] < others[:, 2:] + 3.0)).all(-1).sum())
        if hidden < least:
            best, least = (areas, places), hidden
        if not hidden:
            break
    assert best is not None
    return best


def _anchors(scene: Scene, nodes: Sequence[int]) -> Float64[np.ndarray, "nodes 2"]:
    """Middles of boxes as shares of the picture, spread to fill it; those without a box stand in the middle."""
    boxes = scene.boxes[list(nodes)]
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2 / np.array(scene.size or extent(scene), np.float64)
    known = ~np.isnan(middles[:, 0])
    if known.sum() > 1:
        low, high = middles[known].min(0), middles[known].max(0)
        middles = 0.08 + 0.84 * (middles - low) / np.maximum(high - low, 0.25)
    return np.where(np.isnan(middles), 0.5, middles)


def _draw_edges(
    pen: Pen,
    edges: Sequence[_Edge],
    words: Sequence[_Words],
    places: Float64[np.ndarray, "edges 2"],
    nodes: Float64[np.ndarray, "nodes 4"],
    colours: Sequence[Colour],
) -> None:
    """Arrows first and words after them, so that no line crosses a word."""
    for edge, place in zip(edges, places, strict=True):
        path = _curve(nodes[edge.subject], place, nodes[edge.object])
        pen.arrow([(float(x), float(y)) for x, y in path], mixed(colours[edge.subject], PAPER, 0.15), 1.8)
    for edge, word, (x, y) in zip(edges, words, places.tolist(), strict=True):
        top = y - word.height / 2
        pen.tile((x - word.width / 2, top, x + word.width / 2, top + word.height), PAPER, 3.0, 0.9)
        base = top + 1 + word.font.getmetrics()[0]
        for number, text in enumerate(word.lines):
            colour = mixed(colours[edge.subject], INK, 0.45)
            pen.text((x, base + number * height_of(word.font)), text, word.font, colour, "ms")


def _curve(
    start: Float64[np.ndarray, " 4"], middle: Float64[np.ndarray, " 2"], end: Float64[np.ndarray, " 4"]
) -> Float64[np.ndarray, "points 2"]:
    """Points of a curve from the edge of one node through the middle of the words to the edge of another."""
    t = np.linspace(0, 1, 2 * _STEPS + 1)[:, None]
    here, there = (start[:2] + start[2:]) / 2, (end[:2] + end[2:]) / 2
    if np.array_equal(start, end):
        # A loop: out on one side of the words and back on the other.
        ray = middle - here
        side = 0.6 * np.array([-ray[1], ray[0]])
        path = (1 - t) ** 3 * here + 3 * t * (1 - t) ** 2 * (here + ray / 0.75 + side)
        path = path + 3 * t**2 * (1 - t) * (here + ray / 0.75 - side) + t**3 * here
    else:
        bend = 2 * middle - (here + there) / 2
        path = (1 - t) ** 2 * here + 2 * t * (1 - t) * bend + t**2 * there
    blocks = np.stack([start, end])[:, None]
    hidden = ((path > blocks[..., :2] - 2.0) & (path < blocks[..., 2:] + 2.0)).all(-1).any(0)
    free = np.flatnonzero(~hidden)
    # Two nodes that touch leave nothing between them: then a short stretch at the middle is drawn.
    first, last = (free[0], free[-1]) if len(free) > 3 else (_STEPS - 3, _STEPS + 3)
    return path[first : last + 1]
