"""The conformance suite passes the library's networks and catches a network that is wrong in one way."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from transformers import T5Config

from lichen.backbones.features import Features
from lichen.side.base import Layout, Side
from lichen.side.config import LSTConfig, PooledConfig, ProbeConfig, SHERLConfig, SideConfig, UniPTConfig
from lichen.side.lst import LST
from lichen.side.lst_t5 import LSTT5Stack
from lichen.side.pooled import Pooled
from lichen.side.probe import Probe
from lichen.side.sherl import SHERL
from lichen.side.sherl_embedding import SHERLEmbedding
from lichen.side.sherl_encoder_decoder import SHERLEncoderDecoder
from lichen.side.sherl_maps import SHERLMaps
from lichen.side.unipt import UniPT
from lichen.side.unipt_embedding import UniPTEmbedding
from lichen.side.unipt_encoder_decoder import UniPTEncoderDecoder
from lichen.side.unipt_maps import UniPTMaps
from lichen.testing import ConformanceError, check_side

TOKENS = Layout((8,) * 4, 8, heads=2)
CAUSAL = replace(TOKENS, causal=True)
MIXED = Layout((8, 6, 8), 8, embed=5)
MAPS = Layout((4, 6, 8), 8, kind="maps", embed=5)
T5 = T5Config(d_model=8, d_kv=4, d_ff=12, num_heads=2, relative_attention_num_buckets=8)
GATED = T5Config(d_model=8, d_kv=4, d_ff=12, num_heads=2, feed_forward_proj="gated-gelu")


@pytest.mark.parametrize("keep", ["exact", "bfloat16", "int8"])
@pytest.mark.parametrize("form", ["auto", "bert"])
@pytest.mark.parametrize("layout", [TOKENS, CAUSAL], ids=["both-ways", "causal"])
def test_lst_conforms(layout, form, keep):
    check_side(LST, LSTConfig(reduction=2, form=form, keep=keep), layout)


@pytest.mark.parametrize("memory", [4, 5], ids=["side-wide", "wider"])
def test_lst_with_memory_conforms(memory):
    check_side(
        lambda config, layout: LST(config, layout, memory=memory), LSTConfig(reduction=2), CAUSAL, memory_width=memory
    )


def test_narrow_lst_conforms():
    check_side(lambda config, layout: LST(config, layout, narrow=True), LSTConfig(reduction=2), TOKENS, width=4)


@pytest.mark.parametrize("backbone", [T5, GATED], ids=["relu", "gated"])
def test_t5_ladders_conform(backbone):
    config = LSTConfig(reduction=2)
    check_side(lambda c, layout: LSTT5Stack(c, layout, backbone, decoder=False), config, TOKENS, width=4)
    check_side(lambda c, layout: LSTT5Stack(c, layout, backbone, decoder=True), config, CAUSAL, memory_width=4)


@pytest.mark.parametrize("keep", ["exact", "bfloat16", "int8"])
@pytest.mark.parametrize("layout", [TOKENS, MIXED, replace(MIXED, embed=8), MAPS])
def test_pooled_conforms(layout, keep):
    check_side(Pooled, PooledConfig(rank=3, keep=keep), layout)


@pytest.mark.parametrize("layout", [TOKENS, CAUSAL, MIXED, MAPS])
def test_probe_conforms(layout):
    check_side(Probe, ProbeConfig(), layout)


KEEPS = ["exact", "bfloat16", "int8"]


@pytest.mark.parametrize("keep", KEEPS)
@pytest.mark.parametrize("form", ["generic", "bert", "joint"])
@pytest.mark.parametrize("layout", [TOKENS, CAUSAL], ids=["both-ways", "causal"])
def test_unipt_conforms(layout, form, keep):
    check_side(UniPT, UniPTConfig(form=form, keep=keep), layout)


def test_unipt_with_its_own_width_conforms():
    check_side(UniPT, UniPTConfig(form="bert", embed=4), TOKENS, width=4)


@pytest.mark.parametrize("keep", KEEPS)
@pytest.mark.parametrize("form", ["auto", "cnn"])
def test_unipt_for_maps_conforms(form, keep):
    check_side(UniPTMaps, UniPTConfig(form=form, keep=keep), MAPS)


@pytest.mark.parametrize("keep", KEEPS)
def test_unipt_for_embeddings_conforms(keep):
    check_side(UniPTEmbedding, UniPTConfig(keep=keep), replace(TOKENS, embed=8))


def test_unipt_for_an_encoder_and_its_decoder_conforms():
    # A softmax does not see the gate's bias; whether rounding leaves it a gradient is up to the processor.
    check_side(
        lambda config, layout: UniPTEncoderDecoder(config, layout, CAUSAL).encoder,
        UniPTConfig(),
        TOKENS,
        width=4,
        inert=["gate.bias"],
    )
    check_side(
        lambda config, layout: UniPTEncoderDecoder(config, TOKENS, layout).decoder,
        UniPTConfig(),
        CAUSAL,
        memory_width=4,
        inert=["gate.bias"],
    )


def late(fused, rest):
    """Stands for a frozen late layer: token by token, or cell by cell, without weights of its own."""
    return replace(rest, states=(fused.sin(),), final=fused.sin())


@pytest.mark.parametrize("keep", KEEPS)
@pytest.mark.parametrize("form", ["generic", "bert", "joint", "detr", "t5"])
@pytest.mark.parametrize("layout", [TOKENS, CAUSAL], ids=["both-ways", "causal"])
def test_sherl_conforms(layout, form, keep):
    check_side(lambda c, layout: SHERL(c, layout, late), SHERLConfig(form=form, keep=keep), layout)


@pytest.mark.parametrize("keep", KEEPS)
def test_sherl_for_maps_conforms(keep):
    check_side(lambda c, layout: SHERLMaps(c, layout, late), SHERLConfig(keep=keep), replace(MAPS, embed=None))


@pytest.mark.parametrize("keep", KEEPS)
def test_sherl_for_embeddings_conforms(keep):
    check_side(SHERLEmbedding, SHERLConfig(reduction=1, keep=keep), replace(TOKENS, embed=8))


def test_sherl_memory_conforms():
    check_side(lambda c, layout: SHERLEncoderDecoder(c, layout, CAUSAL).encoder, SHERLConfig(reduction=1), TOKENS)


def test_plain_widths_are_a_layout():
    check_side(Probe, ProbeConfig(), [6, 6])


class Sound(Side):
    """A correct small network; each class below breaks it in one way."""

    def __init__(self, config: SideConfig, widths) -> None:
        super().__init__(config, widths)
        self.down = nn.ModuleList(nn.Linear(width, 4) for width in self.layout.widths)
        self.up = nn.Linear(4, self.layout.width)

    def reduce(self, index, state, mask):
        return self.down[index](state)

    def middle(self, reduced, rest):
        return sum(reduced)

    def combine(self, reduced, rest, cache=None, memory=None):
        out = self.up(self.middle(reduced, rest).tanh())
        return replace(rest, states=(out,), final=out, pooled=None)


class NotASide(nn.Module):
    def __init__(self, config, widths) -> None:
        super().__init__()


class WrongWidth(Sound):
    def combine(self, reduced, rest, cache=None, memory=None):
        out = self.middle(reduced, rest)
        return replace(rest, states=(out,), final=out, pooled=None)


class FewerTokens(Sound):
    def middle(self, reduced, rest):
        return sum(reduced)[:, 1:]


class ReturnsTensor(Sound):
    def combine(self, reduced, rest, cache=None, memory=None):
        return self.up(sum(reduced))


class NoStates(Sound):
    def combine(self, reduced, rest, cache=None, memory=None):
        return replace(super().combine(reduced, rest), states=())


class PooledMissing(Sound):
    pooled_only = True


class LosesDtype(Sound):
    def combine(self, reduced, rest, cache=None, memory=None):
        adapted = super().combine(reduced, rest)
        return replace(adapted, final=adapted.final.float())


class NotFinite(Sound):
    def middle(self, reduced, rest):
        return sum(reduced) / 0 * 0


class LosesMask(Sound):
    def combine(self, reduced, rest, cache=None, memory=None):
        return replace(super().combine(reduced, rest), mask=None)


class AlwaysDrops(Sound):
    def middle(self, reduced, rest):
        return nn.functional.dropout(sum(reduced), 0.5, training=True)


class OtherForward(Sound):
    def forward(self, features: Features) -> Features:
        adapted = super().forward(features)
        return replace(adapted, final=adapted.final * 2)


class ReadsPadding(Sound):
    def middle(self, reduced, rest):
        return sum(reduced) + sum(reduced).mean(1, keepdim=True)


class MixesSamples(Sound):
    def middle(self, reduced, rest):
        return sum(reduced) - sum(reduced)[:, :1].mean(0, keepdim=True)


class CountsSamples(Sound):
    def middle(self, reduced, rest):
        z = sum(reduced)
        return z + torch.arange(len(z), dtype=z.dtype)[:, None, None]


class Unused(Sound):
    def __init__(self, config, widths) -> None:
        super().__init__(config, widths)
        self.spare = nn.Linear(2, 2)


class NeverTrains(Sound):
    def combine(self, reduced, rest, cache=None, memory=None):
        return replace(rest, states=(rest.final,), pooled=None)


class OpensInputs(Sound):
    def reduce(self, index, state, mask):
        return super().reduce(index, state.requires_grad_(), mask)


class Overwrites(Sound):
    def reduce(self, index, state, mask):
        return super().reduce(index, state.clamp_(max=0.5), mask)


class EndlessGradient(Sound):
    def middle(self, reduced, rest):
        z = sum(reduced)
        return z + 0 * (z - z).abs().sqrt()


class HiddenWeights(Sound):
    def __init__(self, config, widths) -> None:
        super().__init__(config, widths)
        self.secret = torch.randn(4)

    def middle(self, reduced, rest):
        return sum(reduced) * self.secret.to(reduced[0])


class ShapeOfTheDay(Sound):
    count = 0

    def __init__(self, config, widths) -> None:
        super().__init__(config, widths)
        type(self).count += 1
        self.register_buffer(f"run{self.count}", torch.zeros(1))


class LooksAhead(Sound):
    def middle(self, reduced, rest):
        z = sum(reduced)
        if rest.mask is not None:
            z = z * rest.mask.unsqueeze(-1)
        return z + z.sum(1, keepdim=True)


class ForgetsThePast(Sound):
    def middle(self, reduced, rest):
        z = sum(reduced)
        if rest.mask is not None:
            z = z * rest.mask[:, -z.shape[1] :].unsqueeze(-1)
        return z.cumsum(1)


WRONG = [
    (NotASide, TOKENS, "expected a lichen.side.base.Side"),
    (WrongWidth, TOKENS, "final is 4 wide"),
    (FewerTokens, TOKENS, "holds 5 tokens, expected 6"),
    (NoStates, TOKENS, "at least one state"),
    (PooledMissing, TOKENS, "must return a .* vector as pooled"),
    (LosesDtype, TOKENS, "final is torch.float32 for torch.float64"),
    (NotFinite, TOKENS, "not finite, in torch.float64"),
    (LosesMask, TOKENS, "mask must be passed on"),
    (AlwaysDrops, TOKENS, "eval must be exact"),
    (OtherForward, TOKENS, "must equal forward"),
    (ReadsPadding, TOKENS, "Padded tokens changed the final output"),
    (MixesSamples, TOKENS, "Samples alone"),
    (CountsSamples, TOKENS, "Samples in another order"),
    (Unused, TOKENS, "No gradient reaches parameter 'spare.weight'"),
    (NeverTrains, TOKENS, "does not depend on any trainable parameter"),
    (OpensInputs, TOKENS, "made an input require gradients"),
    (Overwrites, TOKENS, "was changed in place"),
    (EndlessGradient, TOKENS, "gradient of parameter .* is not finite"),
    (HiddenWeights, TOKENS, "does not hold all that decides"),
    (ShapeOfTheDay, TOKENS, "cannot load the state dict"),
    (LooksAhead, CAUSAL, "looks ahead"),
    (ForgetsThePast, CAUSAL, "must equal the full pass"),
]


def test_the_sound_network_passes():
    check_side(Sound, ProbeConfig(), TOKENS)
    check_side(Sound, ProbeConfig(), CAUSAL)


@pytest.mark.parametrize(("wrong", "layout", "sentence"), WRONG, ids=lambda value: getattr(value, "__name__", None))
def test_each_wrong_network_is_caught(wrong, layout, sentence):
    with pytest.raises(ConformanceError, match=sentence):
        check_side(wrong, ProbeConfig(), layout)


def test_features_must_come_back():
    # The suite itself runs under run-time type checks here, which may speak first.
    with pytest.raises(Exception, match="Features"):
        check_side(ReturnsTensor, ProbeConfig(), TOKENS)


def test_declared_inert_parameters_are_allowed():
    check_side(Unused, ProbeConfig(), TOKENS, inert=["spare"])


def test_error_is_an_assertion():
    assert issubclass(ConformanceError, AssertionError)
