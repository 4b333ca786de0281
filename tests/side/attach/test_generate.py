"""generate() beside a side network: the key-value cache gives what a full pass gives."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import pytest
import torch

import lichen
from lichen.errors import InputError

from ...families import make_inputs, make_model, shake

CONFIGS = {
    "unipt": lichen.UniPTConfig(),
    "sherl": lichen.SHERLConfig(),
    "sherl-2": lichen.SHERLConfig(late_layers=2),
    "lst": lichen.LSTConfig(reduction=4),
    "lst-some": lichen.LSTConfig(reduction=4, layers=(0, 1, 3)),
}
MODELS = [("causal", "llama"), ("causal", "gpt2"), ("seq2seq", "t5"), ("seq2seq", "bart")]


def ready(task: str, family: str, config: str) -> tuple[Any, dict[str, torch.Tensor]]:
    """An attached model whose side network does something, and a prompt (padded on the left for decoders)."""
    model = shake(lichen.attach(make_model(task, family), CONFIGS[config])).eval()
    inputs = make_inputs(model)
    if task == "causal":
        inputs = {key: value.flip(1) for key, value in inputs.items()}
    return model, inputs


@pytest.mark.parametrize("how", [{}, {"num_beams": 2, "num_return_sequences": 2}], ids=["greedy", "beam"])
@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(("task", "family"), MODELS)
def test_with_cache_equals_without(task: str, family: str, config: str, how: dict[str, int]) -> None:
    model, inputs = ready(task, family, config)
    length = {"max_new_tokens": 5, "min_new_tokens": 5, "do_sample": False}
    cached = model.generate(**inputs, **length, **how, use_cache=True)
    plain = model.generate(**inputs, **length, **how, use_cache=False)
    assert torch.equal(cached, plain)
    assert len(cached) == len(inputs["input_ids"]) * how.get("num_return_sequences", 1)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_decoder_steps_give_the_logits_of_a_full_pass(family: str, config: str) -> None:
    model, inputs = ready("causal", family, config)
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    cache, steps, cuts = None, [], [0, 3, 4, ids.shape[1]]
    with torch.no_grad():
        full = model(**inputs, use_cache=False).logits
        for start, stop in pairwise(cuts):
            output = model(
                input_ids=ids[:, start:stop],
                attention_mask=mask[:, :stop],
                position_ids=torch.arange(start, stop)[None],
                past_key_values=cache,
                use_cache=True,
            )
            cache = output.past_key_values
            steps.append(output.logits)
    torch.testing.assert_close(torch.cat(steps, 1)[mask.bool()], full[mask.bool()], rtol=0, atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("family", ["t5", "bart"])
def test_encoder_decoder_steps_give_the_logits_of_a_full_pass(family: str, config: str) -> None:
    model, inputs = ready("seq2seq", family, config)
    target = torch.randint(3, 48, (3, 5), generator=torch.Generator().manual_seed(0))
    cache, steps = None, []
    with torch.no_grad():
        full = model(**inputs, decoder_input_ids=target).logits
        encoded = model.get_encoder()(**inputs)
        for place in range(target.shape[1]):
            output = model(
                encoder_outputs=encoded,
                attention_mask=inputs["attention_mask"],
                decoder_input_ids=target[:, place : place + 1],
                past_key_values=cache,
                use_cache=True,
            )
            cache = output.past_key_values
            steps.append(output.logits)
    torch.testing.assert_close(torch.cat(steps, 1), full, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("task", "family"), MODELS)
def test_padding_changes_nothing(task: str, family: str) -> None:
    model, inputs = ready(task, family, "unipt")
    row = inputs["attention_mask"][1].bool()
    alone = {"input_ids": inputs["input_ids"][1:2, row], "attention_mask": inputs["attention_mask"][1:2, row]}
    length = {"max_new_tokens": 5, "min_new_tokens": 5, "do_sample": False}
    together, single = model.generate(**inputs, **length)[1], model.generate(**alone, **length)[0]
    assert torch.equal(together[-5:], single[-5:])


@pytest.mark.parametrize(("task", "family"), MODELS)
def test_the_side_network_is_heard(task: str, family: str) -> None:
    model, inputs = ready(task, family, "unipt")
    with torch.no_grad():
        extra = {"decoder_input_ids": inputs["input_ids"][:, :3]} if task == "seq2seq" else {}
        adapted = model(**inputs, **extra).logits
        model.set_side(None)
        original = model(**inputs, **extra).logits
        lichen.detach(model)
        assert torch.equal(model(**inputs, **extra).logits, original)
    assert not torch.allclose(adapted, original)


def test_a_fixed_cache_is_refused() -> None:
    model, inputs = ready("causal", "llama", "unipt")
    with pytest.raises(InputError, match=r"needs a growing key-value cache, but got StaticCache. Call generate\(\)"):
        model.generate(**inputs, max_new_tokens=3, cache_implementation="static")


def test_encoder_outputs_from_before_are_refused() -> None:
    plain = make_model("seq2seq", "t5")
    inputs = make_inputs(plain)
    encoded = plain.get_encoder()(**inputs)
    model = lichen.attach(plain, lichen.UniPTConfig())
    with pytest.raises(InputError, match=r"encoder_outputs hold no side memory.*model.get_encoder\(\)"):
        model(encoder_outputs=encoded, decoder_input_ids=inputs["input_ids"])


def test_no_cache_is_built_while_training() -> None:
    model, inputs = ready("causal", "llama", "unipt")
    batch = {**inputs, "labels": inputs["input_ids"]}
    assert model.train()(**batch).get("past_key_values") is None
    assert model(**batch, use_cache=True).past_key_values is not None
    assert model.eval()(**batch).past_key_values is not None


def test_a_deep_copy_generates_the_same() -> None:
    model, inputs = ready("seq2seq", "t5", "lst")
    twin = copy.deepcopy(model)
    assert torch.equal(model.generate(**inputs, max_new_tokens=4), twin.generate(**inputs, max_new_tokens=4))


@pytest.mark.parametrize("config", ["unipt", "lst"])
def test_a_cache_filled_without_the_side_network_is_refused(config: str) -> None:
    model, inputs = ready("causal", "llama", config)
    model.set_side(None)
    cache = model(input_ids=inputs["input_ids"], use_cache=True).past_key_values
    model.set_side("default")
    with pytest.raises(InputError, match=r"has seen 1 of them.*fresh cache"):
        model(input_ids=inputs["input_ids"][:, :1], past_key_values=cache)
