"""`Objects`: boxes of things in the frames of a batch of clips, as tensors; `ObjectTokens` makes a token of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from diffusers.models.embeddings import GLIGENTextBoundingboxProjection
from jaxtyping import Bool, Float
from torch import Tensor

from ..errors import InputError
from ..regions.fourier import fourier_embedding

FREQUENCIES = 8


@dataclass(frozen=True)
class Objects:
    """Things of a batch of clips, padded to one number of them."""

    boxes: Float[Tensor, "batch frames objects 4"]
    """x1, y1, x2, y2 as fractions of the frame; anything where a thing is absent."""
    present: Bool[Tensor, "batch frames objects"]
    """Whether the thing is seen in the frame."""
    names: Float[Tensor, "batch objects width"]
    """Text vector of each thing's name."""

    def to(self, device: torch.device | str) -> Objects:
        """The same on another device."""
        return Objects(self.boxes.to(device), self.present.to(device), self.names.to(device))

    def without(self, dropped: Bool[Tensor, " batch"]) -> Objects:
        """The same, with all things of some clips absent."""
        return replace(self, present=self.present & ~dropped[:, None, None])

    def repeated(self, times: int) -> Objects:
        """The batch several times over, one behind the other."""
        return Objects(
            self.boxes.repeat(times, 1, 1, 1), self.present.repeat(times, 1, 1), self.names.repeat(times, 1, 1)
        )

    def by_frame(self) -> Objects:
        """Every frame as a clip of its own, the frames of the first clip first."""
        names = self.names[:, None].expand(-1, self.boxes.shape[1], -1, -1)
        return Objects(
            self.boxes.flatten(0, 1)[:, None], self.present.flatten(0, 1)[:, None], names.flatten(0, 1).contiguous()
        )

    def check_slots(self, slots: int) -> None:
        """Make sure that there are not more things than slots.

        Raises:
            InputError: there are.
        """
        if self.boxes.shape[2] > slots:
            raise InputError(
                f"There are {self.boxes.shape[2]} things in a clip, and this model has {slots} slots. Leave out the "
                "least important ones, or train with more slots."
            )

    def padded(self, slots: int) -> Objects:
        """The same with absent things up to a number of slots.

        Raises:
            InputError: there are more.
        """
        self.check_slots(slots)
        more = slots - self.boxes.shape[2]
        pad = torch.nn.functional.pad
        return Objects(pad(self.boxes, (0, 0, 0, more)), pad(self.present, (0, more)), pad(self.names, (0, 0, 0, more)))


class ObjectTokens(GLIGENTextBoundingboxProjection):
    """A token of each thing in each frame: an MLP over its text vector and the Fourier code of its box.

    Where a thing is absent both are replaced by learned vectors. Layers and names are those of diffusers' GLIGEN, so
    its weights load; the code of the box is `regions.fourier`, which is exact in double precision.

    Source: solids_and_video.md B2 (SMCD's position_net.py).
    """

    def __init__(self, text: int, token: int) -> None:
        """
        Args:
            text: width of the text vectors.
            token: width of the tokens.
        """
        super().__init__(text, token, fourier_freqs=FREQUENCIES)

    def forward(self, objects: Objects) -> Float[Tensor, "all_frames objects token"]:  # type: ignore[override]
        """Tokens, with the frames of the first clip first."""
        frames = objects.boxes.shape[1]
        seen = objects.present.flatten(0, 1)[..., None]
        code = fourier_embedding(objects.boxes.to(self.null_position_feature.dtype), FREQUENCIES).flatten(0, 1)
        names = objects.names.to(code.dtype).repeat_interleave(frames, 0)
        code = torch.where(seen, code, self.null_position_feature)
        names = torch.where(seen, names, self.null_positive_feature)
        found: Any = self.linears(torch.cat([names, code], -1))
        return found


def coverage(boxes: Float[Tensor, "*n 4"], rows: int, columns: int) -> Float[Tensor, "*n cells"]:
    """Share of every cell of a grid that lies in each box, row by row; 0 for an empty box.

    Args:
        boxes: x1, y1, x2, y2 as fractions of the picture.
        rows, columns: of the grid.
    """

    def along(low: Tensor, high: Tensor, cells: int) -> Tensor:
        edges = torch.arange(cells + 1, device=boxes.device, dtype=boxes.dtype)
        inner = torch.minimum(high[..., None] * cells, edges[1:]) - torch.maximum(low[..., None] * cells, edges[:-1])
        return inner.clamp(min=0)

    x1, y1, x2, y2 = boxes.unbind(-1)
    return (along(y1, y2, rows)[..., :, None] * along(x1, x2, columns)[..., None, :]).flatten(-2)
