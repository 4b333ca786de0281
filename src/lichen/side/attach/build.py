"""Chooses the side network that fits a model, and plans how its trunks feed it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...backbones.late import LateLayers
from ...backbones.layers import choose_layers
from ...backbones.outline import Outline
from ...errors import InputError
from ..base import EncoderDecoderSide, Side
from ..config import LSTConfig, PyramidConfig, SHERLConfig, SideConfig, UniPTConfig
from ..fit import SIDES, chosen, fit_side, layout_of, reading_of
from ..lst import LST, lst_encoder_decoder
from ..lst_t5 import LSTT5
from ..ops import NormKind
from ..probe import Probe
from ..pruning import start_from_backbone
from ..sherl_encoder_decoder import SHERLEncoderDecoder
from ..unipt_encoder_decoder import UniPTEncoderDecoder
from .anatomy import Anatomy
from .bank import Plan, Slot


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
    if isinstance(config, PyramidConfig):
        raise InputError(
            f"A pyramid gives another map than the head of {name} reads. It is for recipes whose heads look at places; "
            "use UniPTConfig, SHERLConfig, PooledConfig or ProbeConfig with attach()."
        )
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


def _outline(anatomy: Anatomy, part: str) -> Outline:
    return Outline.of(anatomy.trunks[part], anatomy.embeds.get(part))


def _single(anatomy: Anatomy, part: str, config: SideConfig, start: Start) -> tuple[Side, Plan]:
    trunk, towers = anatomy.trunks[part], anatomy.kind == "towers"
    outline = _outline(anatomy, part)
    late = reading_of(config, outline, towers).late
    # T5's late layers cannot run alone: its attached model runs them in place.
    runner = LateLayers(trunk, late) if late and getattr(trunk.config, "model_type", "") != "t5" else None
    side, reading = fit_side(config, outline, runner, towers)
    if isinstance(side, LST):
        start(side, [reading.indices[1:]])
    if late:
        return side, Plan(reading.indices, late, entry=reading.entry, fused=True)
    if side.pooled_only or isinstance(side, Probe):
        return side, Plan(reading.indices, output="embedding" if towers else "vector")
    return side, Plan(reading.indices)


def _encoder_decoder(anatomy: Anatomy, config: SideConfig, start: Start) -> tuple[dict[str, Side], dict[str, Plan]]:
    encoder, decoder = anatomy.trunks["encoder"], anatomy.trunks["decoder"]
    below_outline, above_outline = _outline(anatomy, "encoder"), _outline(anatomy, "decoder")
    is_t5 = getattr(encoder.config, "model_type", "") in ("t5", "mt5", "umt5", "longt5")
    norm: NormKind = "rms" if is_t5 else "layer"
    eps = float(getattr(encoder.config, "layer_norm_epsilon", 1e-5))
    if isinstance(config, SHERLConfig):
        late = above_outline.check_late(config.late_layers)
        entry = len(decoder.widths) - 1 - late
        below = choose_layers(config.layers, len(encoder.widths))
        # The guide is the last chosen state below the late block; the gated skip is what enters that block (2.4).
        read = tuple(index for index in choose_layers(config.layers, len(decoder.widths)) if index <= entry)
        above = tuple(index for index in read if index < entry)
        pair: EncoderDecoderSide = SHERLEncoderDecoder(
            config, layout_of(below_outline, below), layout_of(above_outline, read), norm, eps
        )
        plans = {
            "encoder": Plan(below, fused=True, output="memory"),
            "decoder": Plan(above, late, reads_entry=entry in read, entry=entry, fused=True),
        }
        return {"encoder": pair.encoder, "decoder": pair.decoder}, plans
    below, above = chosen(below_outline, config), chosen(above_outline, config)
    layouts = layout_of(below_outline, below), layout_of(above_outline, above)
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
