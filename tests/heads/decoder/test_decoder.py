"""The decoder against its definition, written out without attention kernels, caches or shared memories."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lichen.errors import InputError
from lichen.heads.decoder.cache import Cache
from lichen.heads.decoder.config import DecoderConfig, preset
from lichen.heads.decoder.decoder import TextDecoder
from lichen.heads.decoder.teaching import teach

from .tiny import draw, make_decoder, make_memory, random_ids


def attention(query: Tensor, keys: Tensor, values: Tensor, heads: int, seen: Tensor) -> Tensor:
    """(length, width) each; `seen` says which key a query may look at."""
    found = []
    for q, k, v in zip(query.chunk(heads, -1), keys.chunk(heads, -1), values.chunk(heads, -1), strict=True):
        scores = (q @ k.T / math.sqrt(q.shape[-1])).masked_fill(~seen, -math.inf)
        found.append(scores.softmax(-1) @ v)
    return torch.cat(found, -1)


def by_definition(decoder: TextDecoder, ids: Tensor, memory: Tensor, real: Tensor, causal: bool = True) -> Tensor:
    """Logits of one text about one picture; decoders.md 1.1."""
    config, names = decoder.config, dict(decoder.named_parameters())
    length = len(ids)
    order = torch.arange(length)
    before = order[:, None] >= order if causal else torch.ones(length, length, dtype=torch.bool)

    def norm(x: Tensor, name: str) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return scaled * names[f"{name}.weight"] + names.get(f"{name}.bias", torch.zeros(()))

    table = names["embedding.weight"]
    x = table[ids] * (math.sqrt(config.width) if config.tied else 1) + names["positions"][:length]
    for layer in range(config.layers):
        at = f"blocks.{layer}"
        q, k, v = (norm(x, f"{at}.norm_self") @ names[f"{at}.self_attention.qkv.weight"].T).chunk(3, -1)
        x = x + attention(q, k, v, config.heads, before) @ names[f"{at}.self_attention.out.weight"].T
        q = norm(x, f"{at}.norm_cross") @ names[f"{at}.cross_attention.query.weight"].T
        k, v = (memory @ names[f"{at}.cross_attention.kv.weight"].T).chunk(2, -1)
        found = attention(q, k, v, config.heads, real.expand(length, -1))
        x = x + found @ names[f"{at}.cross_attention.out.weight"].T
        inner = norm(x, f"{at}.norm_mlp") @ names[f"{at}.expand.weight"].T + names.get(f"{at}.expand.bias", 0)
        inner = 0.5 * inner * (1 + torch.tanh(math.sqrt(2 / math.pi) * (inner + 0.044715 * inner**3)))
        x = x + inner @ names[f"{at}.contract.weight"].T + names.get(f"{at}.contract.bias", 0)
    output = table[: config.vocabulary] if config.tied else names["output.weight"]
    return norm(x, "norm") @ output.T + names["output_bias"]


@pytest.mark.parametrize("changes", [{}, {"tied": True}, {"bias": False}], ids=["plain", "tied", "without bias"])
@pytest.mark.parametrize("causal", [True, False])
def test_logits_follow_the_definition(changes: dict, causal: bool) -> None:
    decoder = make_decoder(**changes)
    tokens, real = make_memory()
    ids = torch.cat([torch.zeros(5, 1, dtype=torch.long), random_ids(3, 5, 7, 24)], 1)
    with torch.no_grad():
        found = decoder(ids, decoder.remember(tokens, real), causal=causal)
        for row in range(5):
            wanted = by_definition(decoder, ids[row], tokens[row], real[row], causal)
            torch.testing.assert_close(found[row], wanted)
    assert found.shape == (5, 8, 23)


def test_a_fresh_decoder_is_undecided_about_every_token() -> None:
    """Golden value of decoders.md 1.1: ln 32000 = 10.3735."""
    torch.manual_seed(0)
    decoder = TextDecoder(DecoderConfig(vocabulary=32_000, layers=1, width=8, heads=2, mlp=8, label_smoothing=0.0), 6)
    memory = decoder.remember(100 * torch.randn(3, 4, 6))
    losses = teach(decoder, memory, torch.randint(2, 32_000, (3, 5)))
    torch.testing.assert_close(losses, torch.full((3,), 10.3735), atol=1e-4, rtol=0)


def test_a_fresh_tied_decoder_is_nearly_undecided() -> None:
    torch.manual_seed(0)
    config = DecoderConfig(vocabulary=500, layers=1, width=64, heads=2, mlp=8, label_smoothing=0.0, tied=True)
    decoder = TextDecoder(config, 6)
    loss = teach(decoder, decoder.remember(torch.randn(20, 4, 6)), torch.randint(2, 500, (20, 10))).mean()
    assert math.log(500) < loss.item() < math.log(500) + 1
    assert "output.weight" not in decoder.state_dict()


@pytest.mark.parametrize(("size", "millions"), [("small", 68.1), ("medium", 105.9), ("large", 162.6)])
def test_numbers_of_parameters_are_the_published_ones(size: str, millions: float) -> None:
    with torch.device("meta"):
        decoder = TextDecoder(preset(size, 32_000), 768)
    assert sum(each.numel() for each in decoder.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)


def test_fresh_values_are_those_of_the_published_code() -> None:
    torch.manual_seed(0)
    decoder = TextDecoder(DecoderConfig(vocabulary=400, layers=1, width=128, heads=4, mlp=512), 200)
    block = decoder.blocks[0]
    assert decoder.embedding.weight.shape == (401, 128)
    wanted = {
        decoder.embedding.weight: 1.0,
        decoder.positions: 128**-0.5,
        block.self_attention.qkv.weight: 128**-0.5,
        block.cross_attention.kv.weight: 200**-0.5,
        block.expand.weight: (2 / (128 + 512)) ** 0.5,
        block.expand.bias: 1e-6,
    }
    for parameter, std in wanted.items():
        assert parameter.std().item() == pytest.approx(std, rel=0.1)
    assert not decoder.output.weight.any() and not decoder.output_bias.any()
    without = [name for name, _ in decoder.named_parameters() if "attention" in name and "bias" in name]
    assert without == []
    first = {name: value.clone() for name, value in decoder.state_dict().items()}
    decoder.reset_parameters()
    changed = {name for name, value in decoder.state_dict().items() if not torch.equal(value, first[name])}
    assert {"embedding.weight", "blocks.0.expand.weight", "blocks.0.cross_attention.kv.weight"} <= changed


def test_a_token_sees_only_what_stands_before_it() -> None:
    decoder = make_decoder()
    memory = decoder.remember(*make_memory(1))
    ids = random_ids(3, 1, 8)
    other = ids.clone()
    other[0, 5] = (ids[0, 5] - 1) % 21 + 2
    with torch.no_grad():
        one, two = decoder(ids, memory), decoder(other, memory)
        assert torch.equal(one[:, :5], two[:, :5]) and not torch.allclose(one[:, 5:], two[:, 5:])
        one, two = decoder(ids, memory, causal=False), decoder(other, memory, causal=False)
    assert not torch.allclose(one[:, :5], two[:, :5])


def test_padding_of_pictures_is_never_read() -> None:
    decoder = make_decoder()
    tokens, real = make_memory()
    spoilt = torch.where(real[:, :, None], tokens, torch.nan)
    longer = torch.cat([spoilt, torch.full_like(spoilt[:, :2], torch.inf)], 1)
    ids = random_ids(3, 5, 4)
    with torch.no_grad():
        wanted = decoder(ids, decoder.remember(tokens, real))
        found = decoder(ids, decoder.remember(longer, functional.pad(real, (0, 2))))
    torch.testing.assert_close(found, wanted)


def test_a_picture_without_any_token_is_read_as_nothing() -> None:
    decoder = make_decoder()
    tokens, real = make_memory(2)
    tokens.requires_grad_()
    real[1] = False
    found = decoder(random_ids(3, 2, 4), decoder.remember(tokens, real))
    found.square().sum().backward()
    assert found.isfinite().all() and tokens.grad is not None
    assert tokens.grad[0].any() and not tokens.grad[1].any()
    assert all(each.grad is not None and each.grad.isfinite().all() for each in decoder.parameters())


def test_lengths_hide_padding_from_texts_that_look_everywhere() -> None:
    decoder = make_decoder()
    memory = decoder.remember(*make_memory(2))
    ids, lengths = random_ids(3, 2, 6), torch.tensor([6, 3])
    with torch.no_grad():
        found = decoder(ids, memory, lengths=lengths, causal=False)
        alone = decoder(ids[1:, :3], memory.select(slice(1, 2)), causal=False)
    torch.testing.assert_close(found[1:, :3], alone)


@pytest.mark.parametrize("steps", [(8,), (3, 5), (1, 1, 6), (4, 1, 1, 1, 1)])
def test_pieces_with_a_cache_give_what_the_whole_gives(steps: tuple[int, ...]) -> None:
    decoder = make_decoder()
    memory = decoder.remember(*make_memory())
    ids = random_ids(3, 5, 8)
    cache = Cache(decoder.config, 5, 8, decoder.output_bias)
    with torch.no_grad():
        whole = decoder(ids, memory)
        pieces = [decoder(piece, memory, cache=cache) for piece in ids.split(steps, 1)]
    torch.testing.assert_close(torch.cat(pieces, 1), whole)
    assert cache.lengths.tolist() == [8] * 5


def test_tokens_behind_padded_prompts_go_on_where_each_prompt_ends() -> None:
    decoder = make_decoder()
    memory = decoder.remember(*make_memory(2))
    prompts, lengths = random_ids(3, 2, 5), torch.tensor([5, 2])
    more = random_ids(4, 2, 3)
    cache = Cache(decoder.config, 2, 12, decoder.output_bias)
    with torch.no_grad():
        decoder(prompts, memory, lengths=lengths, cache=cache)
        found = torch.cat([decoder(more[:, [step]], memory, cache=cache) for step in range(3)], 1)
        for row, length in enumerate(lengths.tolist()):
            text = torch.cat([prompts[row, :length], more[row]])[None]
            alone = decoder(text, memory.select(slice(row, row + 1)))[0, length:]
            torch.testing.assert_close(found[row], alone)


def test_half_precision_is_read_and_scores_are_wide() -> None:
    decoder = make_decoder().float()
    tokens, real = make_memory()
    memory = decoder.remember(tokens.to(torch.bfloat16), real)
    assert memory.keys[0].dtype == torch.float32
    small = decoder.to(torch.bfloat16)
    assert small(random_ids(3, 5, 4), small.remember(tokens, real)).dtype == torch.float32


def test_mixed_precision_with_a_cache() -> None:
    decoder = make_decoder().float()
    tokens, real = make_memory()
    cache = Cache(decoder.config, 5, 6, decoder.output_bias)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        memory = decoder.remember(tokens.float(), real)
        decoder(random_ids(3, 5, 4), memory, cache=cache)
        found = decoder(random_ids(4, 5, 1), memory, cache=cache)
    assert found.isfinite().all()


def test_what_does_not_fit_is_refused() -> None:
    decoder = make_decoder()
    memory = decoder.remember(*make_memory())
    with pytest.raises(InputError, match="13 tokens does not fit"):
        decoder(random_ids(3, 5, 13), memory)
    with pytest.raises(InputError, match="3 channels; this decoder was built for 10"):
        decoder.remember(draw(0, 2, 4, 3))
    with pytest.raises(InputError, match="4 texts for 5 pictures"):
        decoder(random_ids(3, 4, 2), memory)
    with pytest.raises(InputError, match="13 tokens does not fit"):
        Cache(decoder.config, 1, 13, decoder.output_bias)
    cache = Cache(decoder.config, 5, 4, decoder.output_bias)
    with pytest.raises(InputError, match="5 tokens do not fit into a cache of 4"):
        decoder(random_ids(3, 5, 5), memory, cache=cache)
    with pytest.raises(InputError, match="causal=True"):
        decoder(random_ids(3, 5, 2), memory, cache=cache, causal=False)
    with pytest.raises(InputError, match="memory_width"):
        TextDecoder(decoder.config, 0)
