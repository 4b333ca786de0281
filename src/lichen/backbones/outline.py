"""`Outline`: what a side network and a head must know of a backbone, without its weights.

It is written into a FeatureStore, so that training from one never loads the backbone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from ..errors import CheckpointError, InputError
from .trunk import Trunk

_FEED_FORWARD = ("intermediate_size", "d_ff", "encoder_ffn_dim", "n_inner", "ffn_dim")
_TEXT_INPUTS = ("input_ids", "inputs_embeds")


@dataclass(frozen=True)
class Outline:
    """Sizes and kind of one frozen trunk."""

    model_type: str
    """Family, as transformers names it."""
    kind: Literal["tokens", "maps"]
    """tokens: states are (batch, tokens, width); maps: (batch, width, rows, columns)."""
    modality: Literal["text", "image"]
    """What it reads."""
    widths: tuple[int, ...]
    """Width of every hidden state; state 0 is the embedding output."""
    causal: bool = False
    """True when a token only sees those before it."""
    pooled: int | None = None
    """Width of `Features.pooled` (pooler output or projected embedding); None where it has none."""
    projected: bool = False
    """True where `pooled` is an embedding in a joint space of two towers (CLIP)."""
    heads: int = 1
    """Attention heads of a layer."""
    intermediate: int = 0
    """Width of a layer's feed-forward part; 0 where the config does not say."""
    late_blocks: int = 0
    """How many blocks there are to re-run as late layers: layers, or for maps the blocks of the last stage."""
    whole_stage: bool = False
    """Maps only: True where all blocks of the last stage together can be re-run."""

    @property
    def width(self) -> int:
        """Width of the final output."""
        return self.widths[-1]

    @classmethod
    def of(cls, trunk: Trunk, embed: int | None = None) -> Outline:
        """Describe a trunk; `embed` is the width of the joint space that its pooled output is projected into."""
        from .late import last_stage_is_blocks

        config = trunk.config
        heads = getattr(config, "num_attention_heads", None) or getattr(config, "num_heads", None) or 1
        sizes = (getattr(config, name, None) for name in _FEED_FORWARD)
        reads = getattr(trunk.module, "main_input_name", "input_ids")
        pools = trunk.pooled if _gives_pooled(trunk) else None
        return cls(
            model_type=str(getattr(config, "model_type", "")),
            kind=trunk.kind,
            modality="text" if reads in _TEXT_INPUTS else "image",
            widths=trunk.widths,
            causal=trunk.causal,
            pooled=embed if embed is not None else pools,
            projected=embed is not None,
            heads=heads if isinstance(heads, int) else 1,
            intermediate=next((size for size in sizes if isinstance(size, int)), 0),
            late_blocks=len(trunk.blocks),
            whole_stage=last_stage_is_blocks(trunk),
        )

    def check_late(self, late_layers: int) -> int:
        """Return `late_layers` if that many of the trunk's last blocks can be re-run on their own.

        Raises:
            InputError: too many. Of a token model one layer has to stay before them; of a staged one the last stage may
                be re-run whole, if it is nothing but its blocks.
        """
        most = self.late_blocks - (0 if self.whole_stage else 1)
        if late_layers > most:
            what = "layers" if self.kind == "tokens" else "blocks of the last stage"
            raise InputError(
                f"late_layers={late_layers} is too many: of the {self.late_blocks} {what} of {self.model_type} at "
                f"most {most} can see a changed state."
            )
        return late_layers

    def to_dict(self) -> dict[str, Any]:
        """Field names and values, as JSON can hold them."""
        return {**asdict(self), "widths": list(self.widths)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Outline:
        """The inverse of `to_dict`.

        Raises:
            CheckpointError: fields are missing or unknown.
        """
        if set(values) != {field.name for field in fields(cls)}:
            raise CheckpointError(f"This is no outline of a backbone: it has the fields {sorted(values)}.")
        return cls(**{**values, "widths": tuple(values["widths"])})


def _gives_pooled(trunk: Trunk) -> bool:
    """Whether the trunk's own output holds a pooled vector."""
    from .trunk import REPOOL

    if getattr(trunk.config, "model_type", "") in REPOOL:
        return True
    return getattr(trunk.module, "pooler", None) is not None
