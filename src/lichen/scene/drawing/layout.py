"""Where the nodes of a graph and the words on its arrows stand: much as in the picture, but apart from each other.

Words are nodes too, tied to both ends of their arrow. So they find room of their own, and two arrows between the same
things bend away from each other.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64, Int

_STEPS = 300
_LAST = 100
"""Further steps that only part what still overlaps."""
_SPRING = 0.08
"""Pull between a node and its words, in shares of what is too far or too near."""
_HOME = 0.006
"""Pull towards the place in the picture, in shares of the distance."""
_SPREAD = 0.25
"""Push between any two nodes that are as far apart as they would be if all had equal room, in pixels."""
_LINK = 24.0
"""Pixels of arrow between a node and its words."""
_ROOM = 14.0
"""Pixels around a node."""
_WORD_ROOM = 4.0
"""Pixels around words."""
_STRETCH = 1.5
"""How much larger a layout may be made to fill its sheet."""


def lay_out(
    anchors: Float[np.ndarray, "nodes 2"],
    sizes: Float[np.ndarray, "nodes 2"],
    edges: Int[np.ndarray, "edges 2"],
    words: Float[np.ndarray, "edges 2"],
    size: tuple[int, int],
    start: int = 0,
) -> tuple[Float64[np.ndarray, "nodes 2"], Float64[np.ndarray, "edges 2"]]:
    """Centres of nodes and of words inside a sheet.

    Args:
        anchors: where each node would stand if it were alone, as shares (0 to 1) of the sheet.
        sizes: width and height of each node in pixels.
        edges: from which node to which.
        words: width and height of the words on each edge.
        size: width and height of the sheet.
        start: another number begins from slightly different places, and ends in another layout.

    Returns:
        Centres of the nodes, and of the words, in pixels.
    """
    count, sheet = len(anchors), np.array(size, np.float64)
    extents = np.concatenate([sizes, words])
    low = extents / 2 + 2.0
    high = np.maximum(sheet - low, low)
    home = low[:count] + np.clip(anchors, 0, 1) * (high - low)[:count]
    # What begins at one place would never part: each is moved a little in a direction of its own (the golden angle).
    turn = np.arange(start, start + len(extents)) * 2.399963
    centres = np.concatenate([home, home[edges].mean(1)]) + (3.0 + 12.0 * start) * np.stack(
        [np.cos(turn), np.sin(turn)], 1
    )
    links = np.stack([edges.T.ravel(), np.tile(np.arange(count, len(extents)), 2)], 1)
    ideal = np.sqrt(sheet.prod() / max(1, count))
    for step in range(_STEPS):
        move = np.zeros_like(centres)
        move[:count] = _HOME * (home - centres[:count]) + _spread(centres[:count], ideal)
        _pull(move, centres, links, extents)
        move += _part(centres, extents, count)
        # Smaller steps towards the end, so that it comes to rest.
        most = 30.0 * (1.0 - step / _STEPS) + 1.0
        length = np.linalg.norm(move, axis=1, keepdims=True)
        centres = np.clip(centres + move * np.minimum(1.0, most / np.maximum(length, 1e-9)), low, high)
    for _ in range(_LAST):
        centres = np.clip(centres + _part(centres, extents, count), low, high)
    centres = _fill(centres, extents, sheet)
    return centres[:count], centres[count:]


def _fill(
    centres: Float64[np.ndarray, "all 2"], extents: Float64[np.ndarray, "all 2"], sheet: Float64[np.ndarray, " 2"]
) -> Float64[np.ndarray, "all 2"]:
    """Stretch a layout towards the edges of the sheet, and put it in the middle."""
    first, last = (centres - extents / 2).min(0), (centres + extents / 2).max(0)
    span = np.ptp(centres, axis=0)
    factor = (1.0 + (sheet - 16.0 - (last - first)) / np.maximum(span, 1.0)).clip(1.0, _STRETCH)
    centres = centres * factor
    first, last = (centres - extents / 2).min(0), (centres + extents / 2).max(0)
    return centres + (sheet - first - last) / 2


def _spread(centres: Float64[np.ndarray, "nodes 2"], ideal: float) -> Float64[np.ndarray, "nodes 2"]:
    """Push every two nodes apart, the less the farther they are."""
    ray = centres[:, None] - centres[None]
    far = np.linalg.norm(ray, axis=-1, keepdims=True).clip(1.0)
    return _SPREAD * (ray / far * (ideal / far).clip(0.0, 12.0)).sum(1)


def _pull(
    move: Float64[np.ndarray, "all 2"],
    centres: Float64[np.ndarray, "all 2"],
    links: Int[np.ndarray, "links 2"],
    extents: Float64[np.ndarray, "all 2"],
) -> None:
    """Add the springs between nodes and their words, which are at rest with a short piece of arrow between the two."""
    here, there = links[:, 0], links[:, 1]
    ray = centres[there] - centres[here]
    far = np.linalg.norm(ray, axis=1, keepdims=True).clip(1.0)
    way = ray / far
    # Two rectangles touch when they do along one axis: this far apart in the direction of this link.
    reach = ((extents[here] + extents[there]) / 2 / np.abs(way).clip(1e-3)).min(1)
    force = _SPRING * (far[:, 0] - reach - _LINK)[:, None] * way
    np.add.at(move, here, force)
    np.add.at(move, there, -force)


def _part(
    centres: Float64[np.ndarray, "all 2"], extents: Float64[np.ndarray, "all 2"], count: int
) -> Float64[np.ndarray, "all 2"]:
    """Moves that part rectangles that overlap, each along the axis where less is missing."""
    room = np.where(np.arange(len(extents)) < count, _ROOM, _WORD_ROOM)
    need = (extents[:, None] + extents[None]) / 2 + np.minimum(room[:, None], room[None])[..., None]
    gap = centres[:, None] - centres[None]
    lack = (need - np.abs(gap)).clip(0.0) * (np.abs(gap) < need).all(-1, keepdims=True)
    along = np.where(lack[..., :1] <= lack[..., 1:], [1.0, 0.0], [0.0, 1.0])
    way = np.where(gap < 0, -1.0, 1.0)
    way[np.arange(len(gap)), np.arange(len(gap))] = 0.0
    return 0.25 * (lack * along * way).sum(1)
