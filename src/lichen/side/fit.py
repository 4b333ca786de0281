"""Chooses the side network that fits one backbone, from settings and the backbone's outline alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..backbones.late import Late
from ..backbones.layers import choose_layers
from ..backbones.outline import Outline
from ..errors import InputError
from .base import Layout, Side
from .config import LSTConfig, PooledConfig, ProbeConfig, PyramidConfig, SHERLConfig, SideConfig, UniPTConfig
from .lst import LST
from .pooled import Pooled
from .probe import Probe
from .pyramid import Pyramid
from .sherl import SHERL
from .sherl_embedding import SHERLEmbedding
from .sherl_maps import SHERLMaps
from .unipt import UniPT
from .unipt_embedding import UniPTEmbedding
from .unipt_maps import UniPTMaps

EMBEDDING_FORMS = ("clip", "clip-plain")
SIDES: dict[type[SideConfig], Callable[[Any, Layout], Side]] = {
    LSTConfig: LST,
    PooledConfig: Pooled,
    ProbeConfig: Probe,
    PyramidConfig: Pyramid,
}
"""Side networks built from settings and a layout alone. Add a row to use one of your own on backbones of one trunk."""


@dataclass(frozen=True)
class Reading:
    """Which hidden states of a trunk a side network reads."""

    indices: tuple[int, ...]
    """States to tap while the trunk runs."""
    late: int = 0
    """Last blocks that see the fused state instead of the frozen one (SHERL)."""
    entry: int | None = None
    """Number of the state that enters the first late block; None where it has no number."""

    @property
    def stored(self) -> tuple[int, ...]:
        """Numbers of the states that stored features must hold.

        Raises:
            InputError: one of them lies inside a stage and has no number.
        """
        if not self.late:
            return self.indices
        if self.entry is None:
            raise InputError(
                "This SHERL reads a map from inside the last stage, which no store holds. Set late_layers to the "
                "number of blocks of the last stage, where that stage is nothing but its blocks, or use "
                "lichen.attach()."
            )
        return (*self.indices, self.entry)


def layout_of(outline: Outline, indices: tuple[int, ...]) -> Layout:
    """What a side network for the chosen states of one trunk is built from."""
    return Layout(
        widths=tuple(outline.widths[index] for index in indices),
        width=outline.width,
        kind=outline.kind,
        causal=outline.causal,
        embed=outline.pooled,
        heads=outline.heads,
        intermediate=outline.intermediate,
    )


def chosen(outline: Outline, config: SideConfig) -> tuple[int, ...]:
    """Numbers of the hidden states that a side network without late layers reads from a trunk."""
    layers = config.layers
    if isinstance(config, ProbeConfig):
        layers = 1
    elif outline.kind == "maps" and layers is None:
        # All stages, without the stem, as published.
        layers = tuple(range(1, len(outline.widths)))
    indices = choose_layers(layers, len(outline.widths))
    # A ladder starts from the embedding output whatever layers it keeps.
    return (0, *indices) if isinstance(config, LSTConfig) and 0 not in indices else indices


def uses_embedding(outline: Outline, config: SideConfig, tower: bool | None = None) -> bool:
    """Whether a side network changes the embedding of a CLIP-like tower rather than its tokens or maps.

    Raises:
        InputError: it is asked to, and the tower gives maps, of which no published form makes embeddings.
    """
    tower = outline.projected if tower is None else tower
    form = getattr(config, "form", "auto")
    if outline.kind == "maps":
        if form in EMBEDDING_FORMS:
            raise InputError(
                f"form = {form!r} adapts the embedding of a transformer, and this {outline.model_type} gives maps. "
                "Leave form out."
            )
        return False
    return tower and form in ("auto", *EMBEDDING_FORMS)


def reading_of(config: SideConfig, outline: Outline, tower: bool | None = None) -> Reading:
    """Which states a side network reads, and which late blocks it runs again.

    Args:
        config: of the side network.
        outline: of the trunk.
        tower: whether the trunk is a tower of a CLIP-like model; None takes the outline's word.

    Raises:
        InputError: no such state, or too many late layers.
    """
    if not isinstance(config, SHERLConfig) or uses_embedding(outline, config, tower):
        return Reading(chosen(outline, config))
    late = outline.check_late(config.late_layers)
    if outline.kind == "maps":
        # The guide comes from inside the last stage, or from the stage before where all of the last one is late.
        last = len(outline.widths) - 1
        whole = late == outline.late_blocks
        guide = last - 1 if whole else last
        indices = tuple(index for index in chosen(outline, config) if index < guide)
        return Reading(indices, late, entry=guide if whole else None)
    entry = len(outline.widths) - 1 - late
    indices = tuple(index for index in choose_layers(config.layers, entry + 1) if index < entry)
    return Reading(indices, late, entry)


def fit_side(
    config: SideConfig, outline: Outline, late: Late | None = None, tower: bool | None = None
) -> tuple[Side, Reading]:
    """The side network for a trunk, freshly initialised, and the states that it reads.

    Args:
        config: of the side network.
        outline: of the trunk.
        late: re-runs the frozen late layers, for SHERL on tokens or maps; None where attach() does it.
        tower: as in `reading_of`.

    Raises:
        InputError: this side network cannot serve this trunk.
    """
    reading = reading_of(config, outline, tower)
    layout = layout_of(outline, reading.indices)
    embedding = uses_embedding(outline, config, tower)
    if outline.kind == "maps" and isinstance(config, LSTConfig):
        raise InputError(
            f"LST is a ladder of transformer blocks and {outline.model_type} gives maps. "
            "Use unipt, sherl, pooled or probe for staged backbones."
        )
    side: Side
    if isinstance(config, UniPTConfig):
        side = (UniPTEmbedding if embedding else UniPTMaps if outline.kind == "maps" else UniPT)(config, layout)
    elif isinstance(config, SHERLConfig) and embedding:
        side = SHERLEmbedding(config, layout)
    elif isinstance(config, SHERLConfig):
        guide = outline.widths[-1] if reading.entry is None else outline.widths[reading.entry]
        layout = replace(layout, widths=(*layout.widths, guide))
        side = (SHERLMaps if outline.kind == "maps" else SHERL)(config, layout, late)
    elif type(config) in SIDES:
        side = SIDES[type(config)](config, layout)
    else:
        raise InputError(
            f"No side network is known for {type(config).__name__}. "
            "Add it to lichen.side.fit.SIDES, and its settings to lichen.side.config.CONFIGS."
        )
    return side, reading
