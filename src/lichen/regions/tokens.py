"""Boxes as whole numbers and as text: how language models read and write them, in the formats that are in use.

| name | numbers | order | number of a coordinate c in 0 to 1 | back | text |
|---|---|---|---|---|---|
| locca | 0 to 500 | left, bottom, right, top | round(500 c) | k / 500 | `[50, 400, 200, 100]` |
| paligemma | 0 to 1023 | y1, x1, y2, x2 | round(1023 c) | k / 1023 | `<loc0205><loc0102><loc0818><loc0409>` |
| florence2 | 0 to 999 | x1, y1, x2, y2 | floor(1000 c) | (k + ½) / 1000 | `<loc_100><loc_200><loc_400><loc_800>` |
| kosmos2 | 0 to 1023 | two cells of a 32 by 32 grid | see `CellCode` | | `<patch_index_0195><patch_index_0812>` |

All four texts are the box (10, 20, 40, 80) of a picture of 100 by 100 pixels.
Halves round to the even number, as in Python, torch and TensorFlow. Order and brackets of LocCa are one reading of a
paper that does not print them.

Source: decoders.md 2.2, 4.2 and pitfall 18.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..errors import InputError
from .boxes import check_boxes

_ORDERS = {"xyxy": (0, 1, 2, 3), "yxyx": (1, 0, 3, 2), "lbrt": (0, 3, 2, 1)}
"""Which of x1, y1, x2, y2 stands in each place. All three undo themselves."""


@dataclass(frozen=True)
class Code(ABC):
    """A way to write boxes as whole numbers, and those as text."""

    token: str
    """One number as text, a format string with one field."""
    frame: tuple[str, str, str] = ("", "", "")
    """What stands before the first number, between two, and behind the last."""

    length: int = 4
    """Numbers a box."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many different numbers there are: they run from 0 to one less."""

    @abstractmethod
    def encode(self, boxes: Float[Tensor, "boxes 4"], sizes: Float[Tensor, "#boxes 2"]) -> Int[Tensor, "boxes length"]:
        """Boxes as numbers.

        Args:
            boxes: x1, y1, x2, y2 in pixels. What lies outside the picture is cut off.
            sizes: (width, height) of the picture of each box, or of all: the original picture's where it is squeezed
                for the backbone, the padded one's where it is padded.

        Raises:
            InputError: a box that is not finite, inverted, without area, or outside its picture; with its row.
        """

    @abstractmethod
    def decode(self, codes: Int[Tensor, "boxes length"], sizes: Float[Tensor, "#boxes 2"]) -> Float[Tensor, "boxes 4"]:
        """Numbers as boxes in pixels. Those that `valid` refuses give boxes that mean nothing."""

    @abstractmethod
    def valid(self, codes: Int[Tensor, "boxes length"]) -> Bool[Tensor, " boxes"]:
        """Which rows are boxes: numbers in range, and neither inverted nor empty."""

    def to_text(self, codes: Int[Tensor, "boxes length"]) -> list[str]:
        """One text a box."""
        before, between, behind = self.frame
        return [before + between.join(self.token.format(code) for code in row) + behind for row in codes.tolist()]

    def find(self, text: str) -> tuple[Int[Tensor, "boxes length"], list[tuple[int, int]]]:
        """All boxes written in a text, valid or not, with the first character of each and the one behind its last."""
        number = re.sub(r"\\\{[^}]*\\\}", r"(\\d{1,9})", re.escape(self.token))
        before, between, behind = (re.escape(part.strip()) for part in self.frame)
        blank = r"\s*" if any(self.frame) else ""
        numbers = f"{blank}{between}{blank}".join([number] * self.length)
        found = list(re.finditer(f"{before}{blank}{numbers}{blank}{behind}", text))
        codes = torch.tensor([[int(code) for code in match.groups()] for match in found], dtype=torch.long)
        return codes.reshape(-1, self.length), [match.span() for match in found]

    def read(self, texts: Sequence[str]) -> tuple[Int[Tensor, "texts length"], Bool[Tensor, " texts"]]:
        """The first box of each text, and whether it is one; where a text holds none, its row is -1."""
        codes = torch.full((len(texts), self.length), -1)
        for row, text in enumerate(texts):
            found, _ = self.find(text)
            if len(found):
                codes[row] = found[0]
        return codes, self.valid(codes)


@dataclass(frozen=True)
class CoordinateCode(Code):
    """Each coordinate by itself, as a share of the picture's side."""

    bins: int = 1000
    """Parts that a side is divided into."""
    order: Literal["xyxy", "yxyx", "lbrt"] = "xyxy"
    """How the four numbers stand: l is x1, t is y1, r is x2, b is y2."""
    rule: Literal["nearest", "floor"] = "nearest"
    """Numbers stand for edges between parts, 0 to `bins`; or for parts, 0 to `bins` - 1, and mean their middle."""
    widen: bool = True
    """Whether a box that would lose its width or height becomes one part wide, so that codes are always valid."""

    @property
    def count(self) -> int:
        return self.bins + 1 if self.rule == "nearest" else self.bins

    def encode(self, boxes: Float[Tensor, "boxes 4"], sizes: Float[Tensor, "#boxes 2"]) -> Int[Tensor, "boxes length"]:
        share = _shares(boxes, sizes) * self.bins
        codes = share.round() if self.rule == "nearest" else share.floor().clamp(max=self.bins - 1)
        if self.widen:
            codes = self._widened(codes, share)
        return codes.long()[:, _ORDERS[self.order]]

    def _widened(self, codes: Tensor, share: Tensor) -> Tensor:
        """Move one edge of each empty side out by one: the edge that is further from its code, if there is room.

        So no edge is off by more than one part; at the picture's edge and with "floor", by one and a half.
        """
        low, high = codes[:, :2], codes[:, 2:]
        middle = 0.0 if self.rule == "nearest" else 0.5
        up = (share[:, 2:] - high - middle) >= (low + middle - share[:, :2])
        up = (up & (high < self.count - 1)) | (low == 0)
        empty = high <= low
        return torch.cat([low - (empty & ~up).double(), high + (empty & up).double()], 1)

    def decode(self, codes: Int[Tensor, "boxes length"], sizes: Float[Tensor, "#boxes 2"]) -> Float[Tensor, "boxes 4"]:
        middle = 0.0 if self.rule == "nearest" else 0.5
        share = (codes[:, _ORDERS[self.order]].double() + middle) / self.bins
        return (share * torch.cat([sizes, sizes], -1).double()).to(sizes.dtype)

    def valid(self, codes: Int[Tensor, "boxes length"]) -> Bool[Tensor, " boxes"]:
        corners = codes[:, _ORDERS[self.order]]
        return ((codes >= 0) & (codes < self.count)).all(1) & (corners[:, 2:] > corners[:, :2]).all(1)


@dataclass(frozen=True)
class CellCode(Code):
    """Two cells of a square grid over the picture, numbered by rows: those of the top left and bottom right corner.

    The corner of a box is the middle of its cell; where both cells lie in one row or column, the box is all of them.
    """

    length: int = 2
    side: int = 32
    """Cells along each side of the grid."""

    @property
    def count(self) -> int:
        return self.side**2

    def encode(self, boxes: Float[Tensor, "boxes 4"], sizes: Float[Tensor, "#boxes 2"]) -> Int[Tensor, "boxes length"]:
        share = _shares(boxes, sizes) * self.side
        low = share[:, :2].floor().clamp(max=self.side - 1).long()
        high = (share[:, 2:] - 1).ceil().clamp(min=0).long()
        return torch.stack([corner[:, 1] * self.side + corner[:, 0] for corner in (low, high)], 1)

    def decode(self, codes: Int[Tensor, "boxes length"], sizes: Float[Tensor, "#boxes 2"]) -> Float[Tensor, "boxes 4"]:
        low, high = (torch.stack([code % self.side, code // self.side], 1).double() for code in codes.unbind(1))
        whole = (low == high).any(1, keepdim=True)
        share = torch.cat([torch.where(whole, low, low + 0.5), torch.where(whole, high + 1, high + 0.5)], 1)
        return (share / self.side * torch.cat([sizes, sizes], -1).double()).to(sizes.dtype)

    def valid(self, codes: Int[Tensor, "boxes length"]) -> Bool[Tensor, " boxes"]:
        low, high = codes.unbind(1)
        ordered = (high % self.side >= low % self.side) & (high // self.side >= low // self.side)
        return ((codes >= 0) & (codes < self.count)).all(1) & ordered


def _shares(boxes: Tensor, sizes: Tensor) -> Tensor:
    """Coordinates as shares of the picture, cut off at its edges, in double precision."""
    check_boxes(boxes)
    share = (boxes.double() / torch.cat([sizes, sizes], -1).double()).clamp(0, 1)
    outside = (share[:, 2:] <= share[:, :2]).any(1)
    if bool(outside.any()):
        row = int(outside.nonzero()[0, 0])
        raise InputError(f"The box in row {row}, {tuple(boxes[row].tolist())}, lies outside its picture.")
    return share


CODES: dict[str, Code] = {
    "locca": CoordinateCode("{}", ("[", ", ", "]"), bins=500, order="lbrt"),
    "paligemma": CoordinateCode("<loc{:04d}>", bins=1023, order="yxyx"),
    "florence2": CoordinateCode("<loc_{}>", bins=1000, rule="floor"),
    "kosmos2": CellCode("<patch_index_{:04d}>"),
}
"""The formats in use, by the model that made them known."""
