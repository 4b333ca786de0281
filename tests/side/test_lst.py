"""LST: golden values, published counts, gates, step 0, masks, generation in steps."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from transformers import T5Config, T5ForConditionalGeneration

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.side.base import Layout
from lichen.side.config import LSTConfig
from lichen.side.lst import LST, lst_encoder_decoder, may_see
from lichen.side.lst_t5 import LSTT5, LSTT5Stack
from lichen.side.reference import load_reference
from lichen.testing.sides import TokenStore

from .golden import CASES, check, count, inp, load, mask, parameters
from .kept import kept_bytes
from .published import use_attention

BERT = Layout((12,) * 4, 12, heads=2, intermediate=16)


def features(states: list[Tensor], valid: Tensor | None = None) -> Features:
    return Features(tuple(states), states[-1], valid)


def random_features(layout: Layout, tokens: int = 5, batch: int = 2, seed: int = 0) -> Features:
    random = torch.Generator().manual_seed(seed)
    states = [torch.randn(batch, tokens, width, generator=random, dtype=torch.float64) for width in layout.widths]
    return features(states)


def test_golden_clip_vil():
    side = load(LST(LSTConfig(form="bert", reduction=3), BERT), "LST.CLIPViL", "lst/bert")
    adapted = side(features([inp(index, 2, 5, 12) for index in range(4)], mask("11111", "11011")))
    check("LST.CLIPViL", adapted.final)


def t5_logits(attention: str) -> Tensor:
    """Logits of the golden T5 toy: plain transformers backbone, its states by hooks, the ladder beside it."""
    weights = parameters("LST.T5")
    for name in ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"):
        weights[name] = weights["shared.weight"]
    config = T5Config(
        vocab_size=11, d_model=16, d_kv=8, d_ff=24, num_layers=4, num_decoder_layers=4, num_heads=2,
        relative_attention_num_buckets=8, attn_implementation=attention,
    )  # fmt: skip
    model = T5ForConditionalGeneration(config).double().eval()
    model.load_state_dict({name: value for name, value in weights.items() if "side" not in name})
    states: dict[tuple[str, int], Tensor] = {}
    for name in ("encoder", "decoder"):
        blocks = model.get_submodule(name).block
        blocks[0].register_forward_pre_hook(lambda _, args, key=(name, -1): states.__setitem__(key, args[0]))
        for index, block in enumerate(blocks):
            block.register_forward_hook(lambda _, args, out, key=(name, index): states.__setitem__(key, out[0]))
    ids = torch.tensor([[3, 5, 2, 7, 1, 0], [4, 4, 9, 1, 0, 0]])
    with torch.no_grad():
        model(input_ids=ids, attention_mask=(ids != 0).long(), decoder_input_ids=torch.tensor([[0, 6, 8], [0, 10, 1]]))
    side = LSTT5(LSTConfig(reduction=2), (16,) * 3, (16,) * 3, config).double().eval()
    side.load_state_dict(load_reference({name: value for name, value in weights.items() if "side" in name}, "lst/t5"))
    if attention == "published":
        use_attention(side, attention)
    encoded = side.encoder(features([states["encoder", index] for index in (-1, 1, 3)], ids != 0))
    assert encoded.final.shape == (2, 6, 8)
    decoder = features([states["decoder", index] for index in (-1, 1, 3)])
    reduced = [side.decoder.reduce(index, state, None) for index, state in enumerate(decoder.states)]
    adapted = side.decoder.combine(reduced, replace(decoder, states=()), memory=encoded)
    return model.lm_head(adapted.final * 16**-0.5)


# In float64 throughout, transformers' own attention differs from the published one by its float32 softmax alone.
@pytest.mark.parametrize(("attention", "tolerance"), [("published", 1e-12), ("eager", 2e-6), ("sdpa", 2e-6)])
def test_golden_t5(attention, tolerance):
    logits = t5_logits(attention)
    check("LST.T5", logits, tolerance)
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.tensor([6, 8, 1, 10, 1, 0]))
    assert loss.item() == pytest.approx(CASES["LST.T5"]["loss"], abs=tolerance)


def test_published_parameter_counts():
    """Spec 3.1. The reference also counts one unused gate a skipped layer, which this library does not hold."""
    with torch.device("meta"):
        bert = LST(LSTConfig(form="bert", reduction=4), Layout((768,) * 13, 768, heads=12, intermediate=3072))
        base = T5Config(d_model=768, d_kv=64, d_ff=3072, num_heads=12)
        large = T5Config(d_model=1024, d_kv=64, d_ff=4096, num_heads=16)
        huge = T5Config(d_model=1024, d_kv=128, d_ff=16384, num_heads=32)
        nine = LSTT5(LSTConfig(), (768,) * 10, (768,) * 10, base)
        twelve = LSTT5(LSTConfig(), (1024,) * 13, (1024,) * 13, large)
        one = LSTT5(LSTConfig(), (1024,) * 2, (1024,) * 2, huge)
    assert count(bert) == 7_402_764
    assert count(nine) == 3_878_712 - (24 - 18)
    assert count(twelve) == 9_057_328 - (48 - 24)
    assert count(one) == 2_494_896 - (48 - 2)


def test_gates_start_at_one_half_and_open_with_the_temperature():
    side = LST(LSTConfig(temperature=0.1), BERT)
    assert [side.mix(index).item() for index in range(3)] == [0.5] * 3
    with torch.no_grad():
        side.gates[0].fill_(0.1)
    assert side.mix(0).item() == pytest.approx(torch.sigmoid(torch.tensor(1.0)).item())


def test_an_open_gate_ignores_its_layer():
    side = LST(LSTConfig(form="bert", reduction=3), BERT).double().eval()
    given = random_features(BERT)
    other = features([*given.states[:2], given.states[2] * 3 - 1, given.states[3]])
    assert not torch.equal(side(given).final, side(other).final)
    with torch.no_grad():
        side.gates[1].fill_(1000.0)
    assert torch.equal(side(given).final, side(other).final)


def test_auto_starts_as_the_frozen_model_and_bert_replaces_its_output():
    given = random_features(BERT)
    assert torch.equal(LST(LSTConfig(reduction=3), BERT).double().eval()(given).final, given.final)
    side = LST(LSTConfig(form="bert", reduction=3), BERT).double().eval()
    changed = replace(given, final=given.final + 1)
    assert torch.equal(side(given).final, side(changed).final)


def test_dropout_acts_in_training_only():
    given = random_features(BERT)
    side = LST(LSTConfig(form="bert", reduction=3, dropout=0.5), BERT).double().train()
    assert not torch.equal(side(given).final, side(given).final)
    side.eval()
    assert torch.equal(side(given).final, side(given).final)


@pytest.mark.parametrize(
    ("width", "heads", "reduction", "wanted"), [(20, 4, 2, 2), (12, 12, 4, 3), (14, 4, 2, 1), (32, 4, 2, 4)]
)
def test_heads_are_the_most_that_divide_the_side_width(width, heads, reduction, wanted):
    side = LST(LSTConfig(reduction=reduction), Layout((width,) * 2, width, heads=heads))
    assert side.blocks[0].attention.self.num_attention_heads == wanted


def generate(side, given: Features, memory: Features | None, cuts: list[int]) -> Tensor:
    store, parts = TokenStore(), []
    for start, stop in pairwise(cuts):
        rest = replace(
            given,
            states=(),
            final=given.final[:, start:stop],
            mask=None if given.mask is None else given.mask[:, :stop],
        )
        reduced = [side.reduce(index, state[:, start:stop], None) for index, state in enumerate(given.states)]
        parts.append(side.combine(reduced, rest, cache=store, memory=memory).final)
    return torch.cat(parts, 1)


@pytest.mark.parametrize("valid", [None, mask("1111111", "0011111")], ids=["all", "left-padded"])
@pytest.mark.parametrize("kind", ["decoder", "cross", "t5"])
@torch.no_grad()
def test_token_by_token_equals_the_full_pass(kind, valid):
    layout = Layout((12,) * 4, 12, causal=True, heads=2)
    memory = Features((), torch.randn(2, 3, 4, dtype=torch.float64), mask("111", "110"))
    if kind == "t5":
        backbone = T5Config(d_model=12, d_kv=6, d_ff=24, num_heads=2)
        side = LSTT5Stack(LSTConfig(reduction=3), layout, backbone, decoder=True)
    else:
        side = LST(LSTConfig(form="bert", reduction=3), layout, memory=4 if kind == "cross" else None)
        memory = memory if kind == "cross" else None
    side = side.double().eval()
    for parameter in side.parameters():
        parameter.add_(0.2 * torch.randn_like(parameter))
    given = replace(random_features(layout, tokens=7), mask=valid)
    full = generate(side, given, memory, [0, 7])
    kept = torch.ones(2, 7, dtype=torch.bool) if valid is None else valid
    for cuts in ([0, 1, 2, 3, 4, 5, 6, 7], [0, 4, 7]):
        steps = generate(side, given, memory, cuts)
        torch.testing.assert_close(steps[kept], full[kept], rtol=0, atol=1e-13)


def test_encoder_decoder_reads_the_narrow_output():
    encoder, decoder = Layout((12,) * 3, 12, heads=2), Layout((12,) * 3, 12, causal=True, heads=2)
    pair = lst_encoder_decoder(LSTConfig(reduction=3), encoder, decoder).double().eval()
    memory = pair.encoder(random_features(encoder))
    assert memory.final.shape == (2, 5, 4)
    given = random_features(decoder, tokens=3)
    with torch.no_grad():
        pair.decoder.up.weight.normal_()
    reduced = [pair.decoder.reduce(index, state, None) for index, state in enumerate(given.states)]
    one = pair.decoder.combine(reduced, replace(given, states=()), memory=memory).final
    other = replace(memory, final=memory.final.flip(1))
    same = pair.decoder.combine(reduced, replace(given, states=()), memory=other).final
    torch.testing.assert_close(one, same)
    moved = replace(memory, final=memory.final * 2)
    assert not torch.allclose(one, pair.decoder.combine(reduced, replace(given, states=()), memory=moved).final)


@pytest.mark.parametrize(("keep", "size"), [("exact", 4 * 12), ("bfloat16", 2 * 12), ("int8", 12 + 4)])
def test_projections_keep_exactly_their_states(keep, size):
    side = LST(LSTConfig(reduction=3, keep=keep), BERT)
    states = [torch.randn(2, 5, 12) for _ in range(4)]
    found = kept_bytes(
        lambda: [side.reduce(index, state, None) for index, state in enumerate(states)], side.parameters()
    )
    assert found == 4 * 2 * 5 * size


def test_bfloat16_autocast_runs_with_masks_and_trains():
    side = LST(LSTConfig(form="bert", reduction=3), replace(BERT, causal=True))
    states = [torch.randn(2, 5, 12) for _ in range(4)]
    with torch.autocast("cpu", torch.bfloat16):
        out = side(features(states, mask("11111", "00111"))).final
    assert out.isfinite().all()
    out.float().square().sum().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in side.parameters())


def test_rows_that_see_nothing_stay_finite():
    seen = may_see(3, 3, mask("001"), True, torch.device("cpu"))
    assert seen[0, 0].tolist() == [[True] * 3, [True] * 3, [False, False, True]]
    assert may_see(3, 3, None, False, torch.device("cpu")) is None
    assert may_see(1, 4, None, True, torch.device("cpu")).tolist() == [[[[True] * 4]]]


def test_position_tables_come_from_the_backbone():
    backbone = T5Config(vocab_size=9, d_model=8, d_kv=4, d_ff=16, num_layers=1, num_heads=2)
    state = T5ForConditionalGeneration(backbone).state_dict()
    side = LSTT5(LSTConfig(reduction=2), (8, 8), (8, 8), backbone)
    side.copy_position_bias(state)
    for name, stack in (("encoder", side.encoder), ("decoder", side.decoder)):
        table = stack.blocks[0].layer[0].SelfAttention.relative_attention_bias.weight
        assert torch.equal(table, state[f"{name}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"])
    with pytest.raises(InputError, match="holds no"):
        side.copy_position_bias({})


def test_t5_projections_start_as_published():
    side = LSTT5Stack(LSTConfig(), (512, 512), T5Config(), decoder=True)
    for layer in (side.first_down, side.downs[0], side.up):
        assert layer.weight.std().item() == pytest.approx(0.01, rel=0.05)
        assert not layer.bias.any()


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: LST(LSTConfig(), Layout((8, 8), 8, kind="maps")), "PooledConfig"),
        (lambda: LST(LSTConfig(), [8]), "two hidden states or more"),
        (lambda: LST(LSTConfig(reduction=16), [8, 8]), "more than the backbone's width"),
        (lambda: LST(LSTConfig(form="t5"), [8, 8]), "LSTT5"),
        (lambda: LSTT5(LSTConfig(form="bert"), [8, 8], [8, 8], T5Config(d_model=8)), "lichen.LST"),
        (lambda: LSTT5(LSTConfig(), [8, 8], [8, 8], T5Config(d_model=16)), "the T5 config 16"),
    ],
)
def test_what_cannot_be_built_says_what_to_do(build, sentence):
    with pytest.raises(InputError, match=sentence):
        build()


def test_wrong_calls_say_what_to_do():
    given = random_features(BERT)
    side = LST(LSTConfig(reduction=3), BERT).double()
    with pytest.raises(InputError, match="without cross attention"):
        side.combine(list(given.states), replace(given, states=()), memory=given)
    crossing = LST(LSTConfig(reduction=3), BERT, memory=4).double()
    with pytest.raises(InputError, match="give the encoder side network's output"):
        crossing(given)
    with pytest.raises(InputError, match="mask covers 4 tokens but 5"):
        side(replace(given, mask=mask("1111", "1110")))
    with pytest.raises(InputError, match="one number of tokens"):
        side(features([given.states[0][:, :4], *given.states[1:]]))
    with pytest.raises(InputError, match="needs memory"):
        LSTT5Stack(LSTConfig(reduction=3), BERT, T5Config(d_model=12), decoder=True).double()(given)
