"""Structural pruning: the golden chain walk, BERT's chain, Fisher information, blocks that start from a backbone."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    T5Config,
    T5ForConditionalGeneration,
    ViTConfig,
    ViTModel,
)

from lichen.errors import InputError
from lichen.side.base import Layout
from lichen.side.config import LSTConfig
from lichen.side.lst import LST
from lichen.side.lst_t5 import LSTT5
from lichen.side.pruning import (
    Chain,
    fisher_importance,
    prune_bert,
    prune_t5,
    start_from_backbone,
    start_from_bert,
    surviving_rows,
)

from .golden import fill

SIZES = {
    "vocab_size": 11,
    "d_model": 16,
    "d_kv": 8,
    "d_ff": 24,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "num_heads": 2,
}
TOY = T5Config(**SIZES, relative_attention_num_buckets=8, decoder_start_token_id=0)
BERT = BertConfig(vocab_size=13, hidden_size=12, num_hidden_layers=3, num_attention_heads=2, intermediate_size=16)


def golden_weights() -> dict[str, torch.Tensor]:
    shapes = {
        name: list(value.shape)
        for name, value in T5ForConditionalGeneration(TOY).state_dict().items()
        if "embed_tokens" not in name and name != "lm_head.weight"
    }
    return {name: fill(position, name, shapes[name]) for position, name in enumerate(sorted(shapes))}


def test_golden_chain():
    weights = golden_weights()
    importance = {name: value**2 for name, value in weights.items()}
    kept = prune_t5(weights, 2, importance)
    assert len(kept) == 45
    assert sum(value.sum().item() for value in kept.values()) == pytest.approx(94.9075657896, abs=1e-9)
    assert sum(value.square().sum().item() for value in kept.values()) == pytest.approx(216.6128256130, abs=1e-9)
    query = kept["encoder.block.0.layer.0.SelfAttention.q.weight"]
    assert query.shape == (8, 8)
    assert query.sum().item() == pytest.approx(0.1967023161, abs=1e-9)
    chain = Chain(weights, importance, 2)
    chain.embedding("shared.weight")
    assert chain.columns.tolist() == [2, 3, 6, 7, 8, 11, 12, 15]


def test_lowest_rows_go_and_order_stays():
    importance = torch.tensor([[3.0, -3.0], [0.1, 0.1], [-9.0, 0.0], [1.0, 1.0], [0.0, 0.5]])
    assert surviving_rows(importance, 2).tolist() == [0, 2, 3]  # round(2.5) = 2 rows go
    assert surviving_rows(importance, 4).tolist() == [2]


def test_bert_keeps_the_rows_that_matter_although_fisher_values_are_below_one():
    """The released BERT code ranks |sum of logs| and would drop row 1, whose Fisher values are largest."""
    state = BertForSequenceClassification(BERT).state_dict()
    importance = {name: torch.full_like(value, 1e-20) for name, value in state.items()}
    wanted = [1, 4, 7, 9]
    for name in ("query", "key", "value"):
        importance[f"bert.encoder.layer.0.attention.self.{name}.weight"][wanted] = 1e-16
    kept = prune_bert(state, 3, importance)
    value = state["bert.encoder.layer.0.attention.self.query.weight"]
    columns = surviving_rows(importance["bert.embeddings.word_embeddings.weight"].T, 3)
    assert torch.equal(kept["encoder.layer.0.attention.self.query.weight"], value[wanted][:, columns])
    bias = state["bert.encoder.layer.0.attention.self.query.bias"]
    assert torch.equal(kept["encoder.layer.0.attention.self.query.bias"], bias[wanted])
    # Four matrices a layer walk the chain: output.dense of one layer hands its rows to the next layer's query.
    assert kept["encoder.layer.1.attention.output.LayerNorm.weight"].shape == (4,)
    assert kept["encoder.layer.2.intermediate.dense.weight"].shape == (5, 4)
    assert len(kept) == 1 + 3 * 16


def test_chain_hands_rows_on_as_columns():
    state = BertForSequenceClassification(BERT).state_dict()
    kept = prune_bert(state, 3)
    first = "encoder.layer.0.output.dense.weight"
    rows = [index for index in range(12) if any(_is_part(row, state[f"bert.{first}"][index]) for row in kept[first])]
    for name in ("output.LayerNorm.weight", "output.LayerNorm.bias", "output.dense.bias"):
        assert torch.equal(kept[f"encoder.layer.0.{name}"], state[f"bert.encoder.layer.0.{name}"][rows])
    query = state["bert.encoder.layer.1.attention.self.query.weight"][:, rows]
    for row in kept["encoder.layer.1.attention.self.query.weight"]:
        assert (query == row).all(1).any()


def _is_part(small: torch.Tensor, large: torch.Tensor) -> bool:
    return bool(torch.isin(small, large).all())


@pytest.mark.parametrize("layers", [(1, 2, 3), (1, 3)])
def test_bert_blocks_start_from_the_backbone(layers):
    state = BertForSequenceClassification(BERT).state_dict()
    side = LST(LSTConfig(reduction=3), Layout((12,) * (len(layers) + 1), 12, heads=2, intermediate=16))
    down = side.first_down.weight.clone()
    start_from_backbone(side, state, [layers])
    kept = prune_bert(state, 3)
    for block, layer in zip(side.blocks, layers, strict=True):
        for name, parameter in block.named_parameters():
            assert torch.equal(parameter, kept[f"encoder.layer.{layer - 1}.{name}"])
    assert torch.equal(side.first_down.weight, down)


@pytest.mark.parametrize("gated", [False, True])
def test_t5_ladders_start_from_the_backbone(gated):
    backbone = T5Config(**SIZES, feed_forward_proj="gated-gelu" if gated else "relu")
    state = T5ForConditionalGeneration(backbone).state_dict()
    side = LSTT5(LSTConfig(reduction=2), (16,) * 2, (16,) * 3, backbone)
    start_from_backbone(side, state, [(2,), (1, 2)])
    kept = prune_t5(state, 2)
    block = dict(side.encoder.blocks[0].named_parameters())
    pruned = [name for name in block if "relative_attention_bias" not in name]
    assert all(torch.equal(block[name], kept[f"encoder.block.1.{name}"]) for name in pruned)
    cross = side.decoder.blocks[1].layer[1].EncDecAttention.k.weight
    assert torch.equal(cross, kept["decoder.block.1.layer.1.EncDecAttention.k.weight"])
    assert torch.equal(side.decoder.norm.weight, kept["decoder.final_layer_norm.weight"])
    table = "layer.0.SelfAttention.relative_attention_bias.weight"
    assert torch.equal(block[table], state[f"encoder.block.0.{table}"])


def test_fisher_is_the_sum_of_squared_gradients_and_leaves_the_model_alone():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1)).double()
    model[0].requires_grad_(False)
    model[1].bias.grad = torch.ones(1, dtype=torch.float64)
    flags = [parameter.requires_grad for parameter in model.parameters()]
    batches = [torch.randn(1, 3, dtype=torch.float64) for _ in range(4)]
    fisher = fisher_importance(model, batches, lambda net, x: net(x).square().sum())
    assert [parameter.requires_grad for parameter in model.parameters()] == flags
    assert model[0].weight.grad is None and torch.equal(model[1].bias.grad, torch.ones(1, dtype=torch.float64))
    up = model[1].weight
    weight = sum((2 * model(x) * up.T @ x).square() for x in batches)
    bias = sum((2 * model(x)).square() for x in batches)
    torch.testing.assert_close(fisher["0.weight"], weight)
    torch.testing.assert_close(fisher["1.bias"], bias[0])


def test_fisher_restores_flags_after_a_failure_and_names_tied_weights():
    model = T5ForConditionalGeneration(TOY).eval().requires_grad_(False)
    batch = {"input_ids": torch.tensor([[3, 4, 1]]), "labels": torch.tensor([[5, 1]])}
    fisher = fisher_importance(model, [batch], lambda net, inputs: net(**inputs).loss)
    assert fisher["lm_head.weight"] is fisher["shared.weight"] and fisher["shared.weight"].sum() > 0
    assert set(prune_t5(model.state_dict(), 2, fisher)) == set(prune_t5(model.state_dict(), 2))
    with pytest.raises(InputError, match="one number a batch"):
        fisher_importance(model, [batch], lambda net, inputs: net(**inputs).logits)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    with pytest.raises(InputError, match="at least one batch"):
        fisher_importance(model, [], lambda net, inputs: net(**inputs).loss)


def test_fisher_differs_from_magnitude():
    model = BertForSequenceClassification(BERT).eval()
    batches = [
        {"input_ids": torch.tensor([[1, index, 2]]), "labels": torch.tensor([index % 2])} for index in range(3, 9)
    ]
    fisher = fisher_importance(model, batches, lambda net, inputs: net(**inputs).loss)
    layout = Layout((12,) * 4, 12, heads=2, intermediate=16)
    one, other = LST(LSTConfig(reduction=3), layout), LST(LSTConfig(reduction=3), layout)
    start_from_bert(one, model.state_dict(), (1, 2, 3))
    start_from_bert(other, model.state_dict(), (1, 2, 3), fisher)
    assert not torch.equal(one.blocks[2].attention.self.query.weight, other.blocks[2].attention.self.query.weight)


def test_what_cannot_be_pruned_says_what_works():
    vit = ViTModel(
        ViTConfig(hidden_size=12, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32)
    )
    side = LST(LSTConfig(reduction=3), Layout((12,) * 2, 12, heads=2, intermediate=16))
    with pytest.raises(InputError, match="T5 and for models with BERT's layer names"):
        start_from_backbone(side, vit.state_dict(), [(1,)])
    state = BertForSequenceClassification(BERT).state_dict()
    with pytest.raises(InputError, match="has 1 blocks"):
        start_from_backbone(side, state, [(1, 2)])
    with pytest.raises(InputError, match="has 1 blocks"):
        start_from_backbone(side, state, [(4,)])
    uneven = LST(LSTConfig(reduction=3), Layout((12,) * 2, 12, heads=2, intermediate=30))
    with pytest.raises(InputError, match="reduction that divides"):
        start_from_backbone(uneven, state, [(1,)])
    with pytest.raises(InputError, match=r"holds no 'shared\.weight'"):
        prune_t5({}, 2)
