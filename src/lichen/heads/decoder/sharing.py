"""`Sharing`: several texts of one picture read one copy of its keys and values.

Cross-attention lets the queries of different positions, and so of different texts, look at a picture without meeting
each other. The texts of a picture are therefore laid end to end as one long row of queries: nothing of the picture is
copied or expanded. Where pictures have unequal numbers of texts, those with many are split into groups of about the
mean number, so that neither queries nor pictures ever double in number.

Source: decoders.md, pitfalls 1 to 3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...errors import InputError
from .memory import Memory


@dataclass(frozen=True, eq=False)
class Sharing:
    """Which rows of texts read which picture, as a grid of `groups` by `texts` places."""

    groups: int
    """Rows of the grid; each reads one picture."""
    texts: int
    """Places in a row of the grid."""
    pictures: Int[Tensor, " groups"] | None = None
    """The picture of each group; None: group i reads picture i."""
    place: Int[Tensor, " rows"] | None = None
    """The place of each row of texts in the grid, counted row by row; None: row i is in place i, and all are taken."""

    @classmethod
    def of(cls, picture: Int[Tensor, " rows"] | None, pictures: int, rows: int, device: torch.device) -> Sharing:
        """The grid for some texts.

        Args:
            picture: that each row reads, in any order; None: row i reads picture i.
            pictures: how many there are.
            rows: of texts.
            device: of the texts.

        Raises:
            InputError: a row names no picture, or, without names, rows and pictures differ in number.
        """
        if picture is None:
            if rows != pictures:
                raise InputError(
                    f"There are {rows} texts for {pictures} pictures. Say by picture= which picture each text reads."
                )
            return cls(pictures, 1)
        own = picture.cpu()
        if len(own) != rows:
            raise InputError(f"picture names {len(own)} pictures for {rows} texts; name one a text.")
        if not rows or int(own.min()) < 0 or int(own.max()) >= pictures:
            raise InputError(f"picture must hold numbers from 0 to {pictures - 1}; got {own[:8].tolist()}.")
        counts = own.bincount(minlength=pictures)
        texts = -(-rows // int((counts > 0).sum()))
        groups = -(-counts // texts)
        before = groups.cumsum(0) - groups
        order = own.argsort(stable=True)
        number = torch.empty_like(own)
        number[order] = torch.arange(rows) - (counts.cumsum(0) - counts)[own[order]]
        place = before[own] * texts + number
        reads = torch.arange(pictures).repeat_interleave(groups)
        return cls(
            len(reads),
            texts,
            None if torch.equal(reads, torch.arange(pictures)) else reads.to(device),
            None if torch.equal(place, torch.arange(len(reads) * texts)) else place.to(device),
        )

    def settle(self, memory: Memory) -> tuple[Memory, Sharing]:
        """The memory by groups, and the grid over it: worth doing once before many passes."""
        if self.pictures is None:
            return memory, self
        return memory.select(self.pictures), replace(self, pictures=None)

    def fold(self, x: Float[Tensor, "rows length width"]) -> Float[Tensor, "groups queries width"]:
        """Lay the texts of each group end to end; empty places hold zeros."""
        length, width = x.shape[1:]
        if self.place is not None:
            x = x.new_zeros(self.groups * self.texts, length, width).index_copy(0, self.place, x)
        return x.reshape(self.groups, self.texts * length, width)

    def unfold(self, x: Float[Tensor, "groups queries width"], length: int) -> Float[Tensor, "rows length width"]:
        """Undo `fold` for texts of some length."""
        x = x.reshape(self.groups * self.texts, length, x.shape[-1])
        return x if self.place is None else x[self.place]

    def repeat(self, times: int) -> Sharing:
        """The grid of texts of which each stands `times` times, one after the other."""
        if times == 1:
            return self
        place = self.place
        if place is not None:
            place = (place[:, None] * times + torch.arange(times, device=place.device)).flatten()
        return replace(self, texts=self.texts * times, place=place)
