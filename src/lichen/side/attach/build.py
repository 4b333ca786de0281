"""Chooses the side network that fits a model, and plans how its trunks feed it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ...backbones.late import LateLayers, check_late
from ...backbones.layers import choose_layers
from ...backbones.trunk import Trunk
from ...errors import InputError
from ..base import EncoderDecoderSide, Layout, Side
from ..config import LSTConfig, PooledConfig, ProbeConfig, SHERLConfig, SideConfig, UniPTConfig
from ..lst import LST, lst_encoder_decoder
from ..lst_t5 import LSTT5
from ..ops import NormKind
from ..pooled import Pooled
from ..probe import Probe
from ..pruning import start_from_backbone
from ..sherl import SHERL
from ..sherl_embedding import SHERLEmbedding
from ..sherl_encoder_decoder import SHERLEncoderDecoder
from ..sherl_maps import SHERLMaps
from ..unipt import UniPT
from ..unipt_embedding import UniPTEmbedding
from ..unipt_encoder_decoder import UniPTEncoderDecoder
from ..unipt_maps import UniPTMaps
from .anatomy import Anatomy
from .bank import Plan, Slot

EMBEDDING_FORMS = ("clip", "clip-plain")
SIDES: dict[type[SideConfig], Callable[[Any, Layout], Side]] = {
    LSTConfig: LST,
    PooledConfig: Pooled,
    ProbeConfig: Probe,
}
"""Side networks built from settings and a layout alone. Add a row to attach one of your own to models of one trunk."""


@dataclass(frozen=True)
class Start:
    """Gives the blocks of an LST their first weights, from the pruned backbone where the settings ask for it."""

    model: Any
    config: SideConfig
    fisher: Mapping[str, Tensor] | None

    def __call__(self, side: LST | EncoderDecoderSide, layers: list[tuple[int, ...]]) -> None:
        """Initialise `side`, whose blocks are fed by the hidden states `layers` (one tuple a stack)."""
        config = self.config
        if not isinstance(config, LSTConfig):
            return
        if config.init == "random":
            if isinstance(side, LSTT5):
                side.copy_position_bias(self.model.state_dict())
            return
        if config.init == "fisher" and self.fisher is None:
            raise InputError(
                "LSTConfig(init='fisher') needs the Fisher information of the weights: attach(model, config, "
                "fisher=lichen.side.pruning.fisher_importance(model, batches, loss))."
            )
        importance = self.fisher if config.init == "fisher" else None
        start_from_backbone(side, self.model.state_dict(), layers, importance)


def build_slot(model: Any, anatomy: Anatomy, config: SideConfig, fisher: Mapping[str, Tensor] | None = None) -> Slot:
    """Make the side networks of one slot, on the model's device.

    Raises:
        InputError: this side network cannot serve this model (the message says which can), or a setting is wrong.
    """
    _check_fit(model, anatomy, config)
    start = Start(model, config, fisher)
    if anatomy.kind == "encoder-decoder":
        sides, plans = _encoder_decoder(anatomy, config, start)
    else:
        built = {part: _single(anatomy, part, config, start) for part in anatomy.paths}
        sides = {part: side for part, (side, _) in built.items()}
        plans = {part: plan for part, (_, plan) in built.items()}
    heads = {name: copy.deepcopy(getattr(model, name)) for name in anatomy.heads} if config.train_head else {}
    slot = Slot(config, sides, plans, heads)
    if not any(True for _ in slot.parameters()):
        reason = "no head of its own to train" if config.train_head else "train_head=False"
        raise InputError(
            f"{type(config).__name__} trains nothing on {type(model).__name__}, with {reason}. "
            "Use UniPTConfig, SHERLConfig or LSTConfig."
        )
    trunk = next(iter(anatomy.trunks.values()))
    weight = next(trunk.module.parameters())
    # A side network in half precision would not train; its inputs are cast as they come.
    dtype = weight.dtype if weight.dtype.itemsize >= 4 else None
    return slot.to(device=weight.device, dtype=dtype).requires_grad_(True)


def _check_fit(model: Any, anatomy: Anatomy, config: SideConfig) -> None:
    name, kind = type(model).__name__, type(config).__name__
    one_vector = getattr(SIDES.get(type(config)), "pooled_only", False)
    if one_vector and (anatomy.needs_tokens or anatomy.kind == "encoder-decoder"):
        raise InputError(
            f"{kind} gives one vector a sample, but {name} reads every token. "
            "Use UniPTConfig, SHERLConfig or LSTConfig for this task."
        )
    embed = getattr(config, "embed", None)
    if isinstance(config, UniPTConfig) and any(embed not in (None, t.widths[-1]) for t in anatomy.trunks.values()):
        raise InputError(
            f"{kind}(embed={embed}) gives another width than the head of {name} reads. Leave embed=None with attach(); "
            "the published joint spaces are for UniPT used on features directly."
        )
    maps = [part for part, trunk in anatomy.trunks.items() if trunk.kind == "maps"]
    if maps and isinstance(config, LSTConfig):
        raise InputError(
            f"LST is a ladder of transformer blocks and {name} gives maps. "
            "Use UniPTConfig, SHERLConfig, PooledConfig or ProbeConfig for staged backbones."
        )


def layout_of(anatomy: Anatomy, part: str, indices: tuple[int, ...]) -> Layout:
    """What a side network for the chosen states of one trunk is built from."""
    trunk = anatomy.trunks[part]
    settings: Any = trunk.config
    heads = getattr(settings, "num_attention_heads", None) or getattr(settings, "num_heads", None) or 1
    intermediate = next(
        (
            value
            for name in ("intermediate_size", "d_ff", "encoder_ffn_dim", "n_inner", "ffn_dim")
            if isinstance(value := getattr(settings, name, None), int)
        ),
        0,
    )
    return Layout(
        widths=tuple(trunk.widths[index] for index in indices),
        width=trunk.widths[-1],
        kind=trunk.kind,
        causal=trunk.causal,
        embed=anatomy.embeds.get(part, trunk.pooled),
        heads=heads if isinstance(heads, int) else 1,
        intermediate=intermediate,
    )


def chosen(trunk: Trunk, config: SideConfig) -> tuple[int, ...]:
    """Numbers of the hidden states that a side network reads from a trunk."""
    layers = config.layers
    if isinstance(config, ProbeConfig):
        layers = 1
    elif trunk.kind == "maps" and layers is None:
        # All stages, without the stem, as published.
        layers = tuple(range(1, len(trunk.widths)))
    indices = choose_layers(layers, len(trunk.widths))
    # A ladder starts from the embedding output whatever layers it keeps.
    return (0, *indices) if isinstance(config, LSTConfig) and 0 not in indices else indices


def _single(anatomy: Anatomy, part: str, config: SideConfig, start: Start) -> tuple[Side, Plan]:
    trunk, towers = anatomy.trunks[part], anatomy.kind == "towers"
    embedding = towers and getattr(config, "form", "auto") in ("auto", *EMBEDDING_FORMS)
    if isinstance(config, SHERLConfig) and not embedding:
        return _sherl(anatomy, part, config)
    indices = chosen(trunk, config)
    layout = layout_of(anatomy, part, indices)
    side: Side
    if isinstance(config, UniPTConfig):
        side = (UniPTEmbedding if embedding else UniPTMaps if trunk.kind == "maps" else UniPT)(config, layout)
    elif isinstance(config, SHERLConfig):
        side = SHERLEmbedding(config, layout)
    elif type(config) in SIDES:
        side = SIDES[type(config)](config, layout)
    else:
        raise InputError(
            f"attach() knows no side network for {type(config).__name__}. "
            "Add it to lichen.side.attach.build.SIDES, and its settings to lichen.side.config.CONFIGS."
        )
    if isinstance(side, LST):
        start(side, [indices[1:]])
    if side.pooled_only or isinstance(side, Probe):
        return side, Plan(indices, output="embedding" if towers else "vector")
    return side, Plan(indices)


def _sherl(anatomy: Anatomy, part: str, config: SHERLConfig) -> tuple[Side, Plan]:
    """SHERL reads the states before the late layers, and what enters them as guide."""
    trunk = anatomy.trunks[part]
    late = check_late(trunk, config.late_layers)
    if trunk.kind == "maps":
        # The guide comes from inside the last stage, or from the stage before where all of the last one is late.
        last = len(trunk.widths) - 1
        whole = late == len(trunk.blocks)
        guide = last - 1 if whole else last
        indices = tuple(index for index in chosen(trunk, config) if index < guide)
        layout = layout_of(anatomy, part, indices)
        layout = replace(layout, widths=(*layout.widths, trunk.widths[guide]))
        plan = Plan(indices, late, entry=guide if whole else None, fused=True)
        return SHERLMaps(config, layout, LateLayers(trunk, late)), plan
    entry = len(trunk.widths) - 1 - late
    indices = tuple(index for index in choose_layers(config.layers, entry + 1) if index < entry)
    layout = layout_of(anatomy, part, (*indices, entry))
    runner = LateLayers(trunk, late) if getattr(trunk.config, "model_type", "") != "t5" else None
    return SHERL(config, layout, runner), Plan(indices, late, entry=entry, fused=True)


def _encoder_decoder(anatomy: Anatomy, config: SideConfig, start: Start) -> tuple[dict[str, Side], dict[str, Plan]]:
    encoder, decoder = anatomy.trunks["encoder"], anatomy.trunks["decoder"]
    is_t5 = getattr(encoder.config, "model_type", "") in ("t5", "mt5", "umt5", "longt5")
    norm: NormKind = "rms" if is_t5 else "layer"
    eps = float(getattr(encoder.config, "layer_norm_epsilon", 1e-5))
    if isinstance(config, SHERLConfig):
        late = check_late(decoder, config.late_layers)
        entry = len(decoder.widths) - 1 - late
        below = choose_layers(config.layers, len(encoder.widths))
        # The guide is the last chosen state below the late block; the gated skip is what enters that block (2.4).
        read = tuple(index for index in choose_layers(config.layers, len(decoder.widths)) if index <= entry)
        above = tuple(index for index in read if index < entry)
        pair: EncoderDecoderSide = SHERLEncoderDecoder(
            config, layout_of(anatomy, "encoder", below), layout_of(anatomy, "decoder", read), norm, eps
        )
        plans = {
            "encoder": Plan(below, fused=True, output="memory"),
            "decoder": Plan(above, late, reads_entry=entry in read, entry=entry, fused=True),
        }
        return {"encoder": pair.encoder, "decoder": pair.decoder}, plans
    below, above = chosen(encoder, config), chosen(decoder, config)
    layouts = layout_of(anatomy, "encoder", below), layout_of(anatomy, "decoder", above)
    if isinstance(config, UniPTConfig):
        pair = UniPTEncoderDecoder(config, *layouts, norm=norm, norm_eps=eps)
    elif isinstance(config, LSTConfig):
        pair = LSTT5(config, *layouts, encoder.config) if is_t5 else lst_encoder_decoder(config, *layouts)
        start(pair, [below[1:], above[1:]])
    else:
        raise InputError(
            f"{type(config).__name__} does not serve encoder-decoders. Use UniPTConfig, SHERLConfig or LSTConfig."
        )
    plans = {"encoder": Plan(below, output="memory"), "decoder": Plan(above)}
    return {"encoder": pair.encoder, "decoder": pair.decoder}, plans
