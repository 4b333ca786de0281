"""SHERL for encoder-decoders: golden values of the T5 fusion, counts, norms."""

from __future__ import annotations

import pytest
import torch

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.side.config import SHERLConfig
from lichen.side.reference import load_reference
from lichen.side.sherl import FORMS, MTSA
from lichen.side.sherl_encoder_decoder import SHERLEncoderDecoder

from .golden import check, count, inp, parameters

STATES = tuple(inp(index, 2, 5, 6) for index in range(4))


def golden_side() -> SHERLEncoderDecoder:
    """Both stacks with the parameters of SHERL.T5, whose bottleneck of 4 no whole reduction of 6 gives."""
    side = SHERLEncoderDecoder(SHERLConfig(form="t5"), [6] * 4, [6] * 4)
    side.encoder.fusion.mtsa, side.decoder.mtsa = (MTSA([6] * 4, 6, 4, FORMS["t5"]) for _ in range(2))
    filled = {
        f"{stack}.side_mtsa_block.{name}": value
        for stack in ("encoder", "decoder")
        for name, value in parameters("SHERL.T5").items()
    }
    ones = torch.ones(6, dtype=torch.float64)
    filled |= {
        f"{stack}.final_side_layer_norm.weight": factor * ones for stack, factor in (("encoder", 2), ("decoder", 3))
    }
    side.double().load_state_dict(load_reference(filled, "sherl/t5"))
    return side.eval()


def test_golden() -> None:
    side = golden_side()
    reduced = [side.decoder.reduce(index, state, None) for index, state in enumerate(STATES)]
    check("SHERL.T5", side.decoder.fuse(reduced, STATES[-1]))
    reduced = [side.encoder.reduce(index, state, None) for index, state in enumerate(STATES)]
    check("SHERL.T5", side.encoder.fuse(reduced, STATES[-1]))


def test_memory_and_finish_are_normed() -> None:
    side = golden_side()
    reduced = [side.encoder.reduce(index, state, None) for index, state in enumerate(STATES)]
    fused = side.encoder.fuse(reduced, STATES[-1])
    wanted = 2 * fused / (fused.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    torch.testing.assert_close(side.encoder.combine(reduced, Features(STATES[-1:], STATES[-1])).final, wanted)
    torch.testing.assert_close(side.encoder(Features(STATES, STATES[-1])).final, wanted)
    torch.testing.assert_close(side.decoder.finish(fused), 1.5 * wanted)
    with pytest.raises(InputError, match="raw last hidden state"):
        side.encoder.combine(reduced, Features((), STATES[-1]))


@pytest.mark.parametrize(
    "width,encoder,decoder,wanted",
    [
        (768, 10, 9, 1_907_236),
        # 3B: layers 22 and 23; the decoder's last block is the late layer
        (1024, 3, 2, 1_087_620),
    ],
)
def test_counts_at_published_sizes(width: int, encoder: int, decoder: int, wanted: int) -> None:
    with torch.device("meta"):
        side = SHERLEncoderDecoder(SHERLConfig(form="t5", reduction=8), [width] * encoder, [width] * decoder)
    assert count(side) == wanted


def test_count_of_t5_large() -> None:
    """Layers 1, 3, ..., 21, 22, 23 and the embedding: 14 states in the encoder, 13 in the decoder."""
    with torch.device("meta"):
        side = SHERLEncoderDecoder(SHERLConfig(form="t5", reduction=8), [1024] * 14, [1024] * 13)
    assert count(side) == 4_700_548


def test_detr_form_has_no_norms_of_its_own() -> None:
    with torch.device("meta"):
        side = SHERLEncoderDecoder(SHERLConfig(form="detr"), [256] * 4, [256] * 4, norm="none")
    assert count(side) == 464_900
    hidden = inp(0, 2, 5, 6)
    assert side.decoder.finish(hidden) is hidden


def test_norms_start_at_one() -> None:
    side = SHERLEncoderDecoder(SHERLConfig(), [6] * 4, [6] * 4, norm="layer", norm_eps=1e-5)
    assert isinstance(side.encoder.norm, torch.nn.LayerNorm) and torch.equal(side.decoder.norm.weight, torch.ones(6))
    assert not side.encoder.fusion.mtsa.out.bias.any()


def test_settings_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="form for encoder-decoders"):
        SHERLEncoderDecoder(SHERLConfig(form="bert"), [6] * 4, [6] * 4)
    with pytest.raises(InputError, match="embed"):
        SHERLEncoderDecoder(SHERLConfig(embed=4), [6] * 4, [6] * 4)
