"""End to end on the reference's toy T5: logits and loss through attach(), against the golden file.

With softmax and the variance of the norm in float32, as in the authors' code, the logits agree to 1e-10. The attention
of transformers and this library's norm stay in float64 throughout, which moves them by up to 1e-7.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5LayerNorm

import lichen
from lichen.side.reference import load_reference

from ..golden import CASES, parameters
from ..published import use_attention

TOY = T5Config(
    vocab_size=11,
    d_model=16,
    d_kv=8,
    d_ff=24,
    num_layers=4,
    num_decoder_layers=4,
    num_heads=2,
    relative_attention_num_buckets=8,
    relative_attention_max_distance=128,
    tie_word_embeddings=True,
    feed_forward_proj="relu",
    decoder_start_token_id=0,
)
IDS = torch.tensor([[3, 5, 2, 7, 1, 0], [4, 4, 9, 1, 0, 0]])
BATCH = {
    "input_ids": IDS,
    "attention_mask": (IDS != 0).long(),
    "decoder_input_ids": torch.tensor([[0, 6, 8], [0, 10, 1]]),
    "labels": torch.tensor([[6, 8, 1], [10, 1, 0]]),
}


def toy(case: str, config: lichen.SHERLConfig | lichen.LSTConfig, form: str, attention: str) -> Any:
    """The toy model with the case's weights in backbone and side network."""
    weights = parameters(case)
    for key in ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"):
        weights[key] = weights["shared.weight"]
    side = {key: value for key, value in weights.items() if "side" in key}
    model = T5ForConditionalGeneration(TOY).double().eval()
    model.load_state_dict({key: value for key, value in weights.items() if key not in side})
    model = lichen.attach(model, config)
    slot: Any = model.lichen.slot("default")
    if attention == "published":
        use_attention(model, attention)
        for stack in slot.sides.values():
            stack.norm = T5LayerNorm(stack.norm.weight.numel()).double().requires_grad_(False)
    else:
        model.set_attn_implementation(attention)
    slot.sides.load_state_dict(load_reference(side, form))
    return model.eval()


@pytest.mark.parametrize(("attention", "tolerance"), [("published", 1e-10), ("eager", 2e-7), ("sdpa", 2e-7)])
@pytest.mark.parametrize(
    ("case", "config", "form"),
    [
        ("LST.T5", lichen.LSTConfig(reduction=2, layers=(0, 2, 4), dropout=0.0), "lst/t5"),
        ("SHERL.T5full", lichen.SHERLConfig(reduction=2, layers=(0, 2, 4)), "sherl/t5"),
    ],
)
def test_t5_matches_reference_end_to_end(case: str, config: Any, form: str, attention: str, tolerance: float) -> None:
    model = toy(case, config, form, attention)
    with torch.no_grad():
        output = model(**BATCH)
    golden = CASES[case]
    flat = output.logits.flatten()
    found = torch.cat([flat[:6], flat[-3:], flat.sum()[None], flat.square().sum()[None], output.loss[None]])
    wanted = [*golden["first6"], *golden["last3"], golden["sum"], golden["sumsq"], golden["loss"]]
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64), rtol=tolerance, atol=tolerance)
