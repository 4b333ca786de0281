"""UniPT for encoder-decoders: golden values, counts, causal decoders with a cache."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.side.base import Layout
from lichen.side.config import UniPTConfig
from lichen.side.unipt_encoder_decoder import UniPTEncoderDecoder

from .golden import DictCache, check, count, inp, load, mask


def test_golden() -> None:
    side = UniPTEncoderDecoder(UniPTConfig(form="encoder-decoder"), [8] * 4, [8] * 4)
    load(side, "UniPT.MDETR.mem", "unipt/detr")
    # the released code reads the inputs of layers 1, 3 and 5, which are the outputs of layers 0, 2 and 4
    encoder = tuple(inp(10 + index, 4, 2, 8).transpose(0, 1) for index in (0, 2, 4, 5))
    memory = side.encoder(Features(encoder, encoder[-1], mask("1111", "1110")))
    check("UniPT.MDETR.mem", memory.final)
    decoder = tuple(inp(20 + index, 3, 2, 8).transpose(0, 1) for index in (0, 2, 4, 5))
    reduced = [side.decoder.reduce(index, state, None) for index, state in enumerate(decoder)]
    out = side.decoder.combine(reduced, Features((), decoder[-1]), memory=memory)
    check("UniPT.MDETR.out", torch.stack(out.states))
    assert out.final is out.states[-1]


def test_count_at_published_size() -> None:
    with torch.device("meta"):
        assert count(UniPTEncoderDecoder(UniPTConfig(), [256] * 4, [256] * 4)) == 481_666


def text_side() -> UniPTEncoderDecoder:
    torch.manual_seed(0)
    side = UniPTEncoderDecoder(UniPTConfig(), [8] * 3, Layout((8,) * 4, 8, causal=True), norm="rms", norm_eps=1e-6)
    return side.double()


def test_causal_decoder_generates_as_in_one_pass() -> None:
    side = text_side()
    assert isinstance(side.decoder.norm, torch.nn.RMSNorm)
    torch.manual_seed(1)
    states = [torch.randn(2, 6, 8, dtype=torch.float64) for _ in range(4)]
    memory = Features((), torch.randn(2, 5, 4, dtype=torch.float64), mask("11111", "11100"))

    def run(start: int, stop: int, cache: DictCache | None) -> torch.Tensor:
        new = [state[:, start:stop] for state in states]
        reduced = [side.decoder.reduce(index, state, None) for index, state in enumerate(new)]
        out = side.decoder.combine(reduced, Features((), new[-1]), cache=cache, memory=memory)
        assert len(out.states) == 1
        return out.final

    wanted = run(0, 6, None)
    for steps in ([1] * 6, [3, 1, 2]):
        cache, start, found = DictCache(), 0, []
        for size in steps:
            found.append(run(start, start + size, cache))
            start += size
        torch.testing.assert_close(torch.cat(found, 1), wanted, rtol=0, atol=1e-12)
    for state in states:
        state[:, 4:] += 3
    later = run(0, 6, None)
    torch.testing.assert_close(later[:, :4], wanted[:, :4], rtol=0, atol=1e-12)
    assert (later[:, 4:] - wanted[:, 4:]).abs().max() > 1e-3


def test_padded_memory_is_not_read_and_gradients_reach_the_encoder() -> None:
    side = text_side()
    valid = mask("11111", "11100")
    encoder = tuple(inp(index, 2, 5, 8) for index in range(3))
    noisy = tuple(torch.where(valid[..., None], state, -4.0) for state in encoder)
    states = [inp(index, 2, 6, 8) for index in range(4)]
    reduced = [side.decoder.reduce(index, state, None) for index, state in enumerate(states)]
    outs = []
    for each in (encoder, noisy):
        memory = side.encoder(Features(each, each[-1], valid))
        outs.append(side.decoder.combine(reduced, Features((), states[-1]), memory=memory).final)
    torch.testing.assert_close(outs[0], outs[1], rtol=0, atol=1e-12)
    outs[0].square().sum().backward()
    for name, parameter in side.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.any() or name.endswith("gate.bias"), name


def test_settings_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="form for encoder-decoders"):
        UniPTEncoderDecoder(UniPTConfig(form="bert"), [8] * 3, [8] * 3)
    with pytest.raises(InputError, match="embed=9"):
        UniPTEncoderDecoder(replace(UniPTConfig(), embed=9), [8] * 3, [8] * 3)
    side = text_side()
    with pytest.raises(InputError, match="memory"):
        side.decoder(Features(tuple(inp(i, 2, 6, 8) for i in range(4)), inp(3, 2, 6, 8)))
