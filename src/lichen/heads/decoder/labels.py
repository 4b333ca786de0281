"""`Labels`: the texts that are weighed against each other, packed so that what they share is read once.

Texts are sequences of token ids. Their distinct beginnings are the nodes of a tree, and a decoder reads a tree like a
text in which every token looks at its own ancestors alone. A node is read once for all texts that begin so. Large sets
are cut into parts of neighbouring texts, since what a node may look at is a table of nodes by nodes.

Source: decoders.md, pitfalls 5 and 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ...errors import InputError

NODES = 256
"""Most nodes of a part. Attention then costs little beside the rest."""


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the texts as a tree. An edge is a token that is predicted at a node."""

    ids: Int[Tensor, " nodes"]
    """Token of each node."""
    depth: Int[Tensor, " nodes"]
    """Tokens before it in its texts."""
    ancestors: Bool[Tensor, "nodes nodes"]
    """Row i: what node i looks at, itself included."""
    node: Int[Tensor, " edges"]
    """Where each edge is predicted."""
    token: Int[Tensor, " edges"]
    """What is predicted."""
    paths: Int[Tensor, "texts steps"]
    """Edges of each text, in order; filled up with the number of edges."""

    def to(self, device: torch.device) -> Part:
        """The same on another device."""
        return replace(self, **{name: getattr(self, name).to(device) for name in self.__dataclass_fields__})


@dataclass(frozen=True, eq=False)
class Labels:
    """Texts to weigh. Build them once with `of`, and use them for every batch."""

    first: Int[Tensor, " texts"]
    """First token of each text, in the order of `order`."""
    parts: tuple[Part, ...]
    """All other tokens, in that order."""
    order: Int[Tensor, " texts"]
    """Number of each text among those that were given."""
    lengths: Int[Tensor, " texts"]
    """Tokens of each text, in the order in which they were given."""

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]], vocabulary: int, nodes: int = NODES) -> Labels:
        """Pack texts.

        Args:
            texts: ids, each ending with the end token if it should count: without it "tiger" can never lose to "tiger
                shark".
            vocabulary: tokens of the decoder.
            nodes: most of a part.

        Raises:
            InputError: no text, an empty one, two that are equal, or a token outside the vocabulary.
        """
        rows = [tuple(int(token) for token in text) for text in texts]
        _check(rows, vocabulary)
        order = sorted(range(len(rows)), key=rows.__getitem__)
        parts, tree = [], _Tree()
        for number in order:
            if tree.paths and tree.size_with(rows[number]) > nodes:
                parts.append(tree.packed())
                tree = _Tree()
            tree.add(rows[number])
        parts.append(tree.packed())
        return cls(
            torch.tensor([rows[number][0] for number in order]),
            tuple(parts),
            torch.tensor(order),
            torch.tensor([len(row) for row in rows]),
        )

    def __len__(self) -> int:
        """Number of texts."""
        return len(self.order)

    @property
    def longest(self) -> int:
        """Tokens of the longest text."""
        return int(self.lengths.max())

    def to(self, device: torch.device) -> Labels:
        """The same on another device; itself where it lies there."""
        if self.order.device == device:
            return self
        parts = tuple(part.to(device) for part in self.parts)
        return replace(
            self,
            first=self.first.to(device),
            parts=parts,
            order=self.order.to(device),
            lengths=self.lengths.to(device),
        )


def _check(rows: Sequence[tuple[int, ...]], vocabulary: int) -> None:
    if not rows:
        raise InputError("There are no labels to weigh.")
    seen: dict[tuple[int, ...], int] = {}
    for number, row in enumerate(rows):
        if not row:
            raise InputError(f"Label {number} has no token.")
        if min(row) < 0 or max(row) >= vocabulary:
            raise InputError(f"Label {number} holds a token outside 0 to {vocabulary - 1}: {list(row)}.")
        if row in seen:
            raise InputError(
                f"Labels {seen[row]} and {number} have the same tokens {list(row)}, so one of them could never be "
                "predicted. Rename one, or merge the two classes."
            )
        seen[row] = number


class _Tree:
    """Grows a `Part`, text by text."""

    def __init__(self) -> None:
        self.nodes: dict[tuple[int, ...], int] = {}
        self.edges: dict[tuple[int, ...], int] = {}
        self.paths: list[list[int]] = []

    def size_with(self, text: tuple[int, ...]) -> int:
        """Nodes after a text was added."""
        return len(self.nodes) + sum(text[:length] not in self.nodes for length in range(1, len(text)))

    def add(self, text: tuple[int, ...]) -> None:
        for length in range(1, len(text)):
            self.nodes.setdefault(text[:length], len(self.nodes))
        self.paths.append([self.edges.setdefault(text[:length], len(self.edges)) for length in range(2, len(text) + 1)])

    def packed(self) -> Part:
        ancestors = torch.eye(len(self.nodes), dtype=torch.bool)
        for beginning, node in self.nodes.items():
            if len(beginning) > 1:
                ancestors[node] |= ancestors[self.nodes[beginning[:-1]]]
        steps = max(len(path) for path in self.paths)
        paths = torch.full((len(self.paths), steps), len(self.edges))
        for row, path in enumerate(self.paths):
            paths[row, : len(path)] = torch.tensor(path, dtype=torch.long)
        return Part(
            ids=torch.tensor([beginning[-1] for beginning in self.nodes], dtype=torch.long),
            depth=torch.tensor([len(beginning) - 1 for beginning in self.nodes], dtype=torch.long),
            ancestors=ancestors,
            node=torch.tensor([self.nodes[beginning[:-1]] for beginning in self.edges], dtype=torch.long),
            token=torch.tensor([beginning[-1] for beginning in self.edges], dtype=torch.long),
            paths=paths,
        )
