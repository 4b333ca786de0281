"""What a backbone answers for a sample is the same bits in whatever company it is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
import transformers as hf
from torch import Tensor

from lichen.backbones.backbone import Backbone
from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.features.reading import STEP, padded_length, read

from ..families import CONFIGS, SPECIAL, TEXT, make_trunk
from .stores import Pictures, Texts, backbone, tensors_of

TEXTS = ("bert", "roberta", "deberta-v2", "distilbert", "llama", "gpt2", "t5", "bart", "clip-text", "siglip-text")
PICTURES = (
    "vit",
    "dinov2",
    "dinov3",
    "swin",
    "resnet",
    "convnext",
    "efficientnet-lite",
    "clip-vision",
    "siglip-vision",
)
OTHERS = ("deberta-v2", "llama", "gpt2", "t5", "bart", "dinov3", "swin", "convnext", "efficientnet-lite")
FAMILIES = [pytest.param(name, marks=pytest.mark.slow if name in OTHERS else ()) for name in (*TEXTS, *PICTURES)]
SIZES = {"dinov2": 28, "resnet": 64, "convnext": 64}
LONGEST = {"clip-text": 19, "siglip-text": 7}


def make(family: str) -> Backbone:
    """A tiny model, or one tower of it."""
    if family == "distilbert":
        torch.manual_seed(0)
        config = hf.DistilBertConfig(vocab_size=50, dim=16, n_layers=3, n_heads=2, hidden_dim=32)
        return Backbone(hf.AutoModel.from_config(config).eval())
    name, _, part = family.partition("-")
    return Backbone(make_trunk(name), part=part) if part in ("text", "vision") else backbone(family)


def samples_for(family: str, count: int) -> list[dict[str, Tensor]]:
    if family in TEXTS:
        return list(Texts(count, longest=LONGEST.get(family, 18)))
    return list(Pictures(count, SIZES.get(family, 32)))


def answer(features: Features, row: int) -> dict[str, Tensor]:
    """What a batch says of one sample, without padding."""
    real = slice(None) if features.mask is None else features.mask[row]
    found = tensors_of(features)
    found.pop("mask", None)
    return {name: value[row] if name in ("pooled", "anchor") else value[row][real] for name, value in found.items()}


def padding(features: Features) -> Tensor:
    """All that stands in states and final output where no token is."""
    assert features.mask is not None
    return torch.cat([state[~features.mask] for state in (*features.states, features.final)])


def assert_same(mine: dict[str, Tensor], theirs: dict[str, Tensor], what: Any) -> None:
    assert mine.keys() == theirs.keys()
    for name, value in mine.items():
        assert torch.equal(value, theirs[name]), (what, name)


def assert_bits_kept(family: str, count: int, sizes: Sequence[int]) -> None:
    """Read samples in batches of the first size, then shuffled in batches of the others."""
    model = make(family)
    samples = samples_for(family, count)
    first: dict[int, dict[str, Tensor]] = {}
    random = torch.Generator().manual_seed(0)
    for size in sizes:
        for rows in torch.randperm(count, generator=random).split(size):
            together = read(model, [samples[row] for row in rows])
            for place, row in enumerate(rows.tolist()):
                found = answer(together, place)
                assert_same(found, first.setdefault(row, found), (size, row))


@pytest.mark.parametrize("family", FAMILIES)
def test_bits_do_not_depend_on_the_company(family: str) -> None:
    assert_bits_kept(family, 8, (1, 2, 3, 8))


@pytest.mark.parametrize("family", ["resnet", "efficientnet-lite"])
def test_large_batches_of_pictures_give_the_bits_of_small_ones(family: str) -> None:
    # From 16 pictures on PyTorch computes convolutions by other routines.
    assert_bits_kept(family, 20, (10, 20))


@pytest.mark.parametrize("family", (*TEXTS, *PICTURES))
def test_they_are_what_the_backbone_says_of_the_sample_itself(family: str) -> None:
    model = make(family)
    for sample in samples_for(family, 3):
        inputs = {name: value[None] for name, value in sample.items()}
        if family == "siglip-text":
            inputs = {"input_ids": torch.nn.functional.pad(inputs["input_ids"], (0, 7 - len(sample["input_ids"])))}
        expected, found = model(**inputs), read(model, [sample])
        assert (found.indices, found.grid, found.mask) == (expected.indices, expected.grid, None)
        mine, theirs = tensors_of(found), tensors_of(expected)
        theirs.pop("mask", None)
        assert mine.keys() == theirs.keys()
        for name, value in mine.items():
            assert torch.allclose(value.float(), theirs[name].float(), atol=1e-5), name


@pytest.mark.parametrize("family", TEXTS)
def test_padding_is_zero_and_the_mask_tells_it(family: str) -> None:
    model = make(family)
    samples = samples_for(family, 8)
    lengths = torch.tensor([len(sample["input_ids"]) for sample in samples])
    features = read(model, samples)
    if family == "siglip-text":
        # Its padding was read like words in pretraining.
        assert features.mask is None and features.final.shape[1] == 7
        return
    assert features.final.shape[1] == lengths.max()
    assert features.mask is not None
    assert torch.equal(features.mask, torch.arange(lengths.max()) < lengths[:, None])
    assert len(padding(features)) and not padding(features).any()
    alike = [sample for sample in samples if len(sample["input_ids"]) == lengths[0]]
    assert read(model, alike).mask is None


def test_pictures_have_no_mask() -> None:
    for family in ("vit", "resnet"):
        assert read(make(family), samples_for(family, 3)).mask is None


def test_only_the_layers_asked_for() -> None:
    features = read(backbone("bert"), samples_for("bert", 5), (1, -1))
    assert features.indices == (1, 3) and len(features.states) == 2
    assert torch.equal(features.states[1], read(backbone("bert"), samples_for("bert", 5)).states[3])


def test_lengths_that_samples_are_padded_to() -> None:
    bert = backbone("bert")
    assert [padded_length(bert, "backbone", length) for length in (1, 8, 9, 16)] == [8, 8, 16, 16]
    assert STEP == 8
    clip = make("clip-text")
    assert [padded_length(clip, "text", length) for length in (17, 20)] == [20, 20]
    assert padded_length(make("siglip-text"), "text", 2) == 7


def test_the_padding_is_the_models_own() -> None:
    # Positions of a RoBERTa count all tokens but padding: any other id would run out of the 20 that there are.
    torch.manual_seed(0)
    model = Backbone(hf.RobertaModel(hf.RobertaConfig(**TEXT, pad_token_id=1, max_position_embeddings=20)).eval())
    seen = []
    model.model.register_forward_pre_hook(lambda module, args, kwargs: seen.append(kwargs), with_kwargs=True)
    some: list[dict[str, Tensor]] = [{"input_ids": torch.arange(5, 5 + length)} for length in (3, 17)]
    features = read(model, some)
    assert [list(call["input_ids"].shape) for call in seen] == [[2, 8], [2, 20]]
    assert seen[0]["input_ids"][0, 3:].tolist() == [1] * 5
    assert seen[0]["attention_mask"][0].tolist() == [1] * 3 + [0] * 5
    expected = model(**{name: value[None] for name, value in some[1].items()})
    assert torch.allclose(features.final[1, :17], expected.final[0], atol=1e-5)


def test_without_a_mask_every_token_given_is_real() -> None:
    samples = samples_for("bert", 6)
    bare = [{"input_ids": sample["input_ids"]} for sample in samples]
    one, other = read(backbone("bert"), samples), read(backbone("bert"), bare)
    assert_same(tensors_of(one), tensors_of(other), "mask")


def test_siglip_reads_its_padding_whether_a_mask_comes_or_not() -> None:
    model = make("siglip-text")
    samples = samples_for("siglip-text", 5)
    bare = [{"input_ids": sample["input_ids"]} for sample in samples]
    assert_same(tensors_of(read(model, samples)), tensors_of(read(model, bare)), "mask")


@pytest.mark.parametrize("first", [0, 1])
def test_token_types_that_only_some_samples_have(first: int) -> None:
    samples: list[dict[str, Tensor]] = [dict(sample) for sample in samples_for("bert", 2)]
    alone = [answer(read(backbone("bert"), [sample]), 0) for sample in samples]
    samples[first]["token_type_ids"] = torch.ones_like(samples[first]["input_ids"])
    alone[first] = answer(read(backbone("bert"), [samples[first]]), 0)
    together = read(backbone("bert"), samples)
    for row in range(2):
        assert_same(answer(together, row), alone[row], row)
    assert not torch.equal(
        alone[first]["final"], answer(read(backbone("bert"), samples_for("bert", 2)), first)["final"]
    )


def test_two_towers_take_the_one_that_reads_such_samples() -> None:
    both = Backbone(make_trunk("clip"))
    for tower in ("text", "vision"):
        samples = samples_for(f"clip-{tower}", 4)
        mine, theirs = read(both, samples), read(make(f"clip-{tower}"), samples)
        assert_same(tensors_of(mine), tensors_of(theirs), tower)
        assert mine.pooled is not None and mine.pooled.shape == (4, 12)


def wrong(samples: Sequence[dict[str, Tensor]], family: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(make(family), samples)


def test_samples_that_cannot_be_read_are_refused() -> None:
    text, picture = samples_for("bert", 1)[0], samples_for("vit", 1)[0]
    other = {"pixel_values": torch.zeros(3, 16, 16)}
    wrong([], "bert", "There are no samples")
    wrong([text, {"input_ids": torch.zeros(0, dtype=torch.long)}], "bert", "Text number 1 has no token")
    wrong([picture, other], "vit", "one size; got")
    wrong([{}], "vit", "no pixel_values")
    wrong([text, picture], "clip", "all be texts or all be pictures")
    wrong([picture, text], "clip", "all be texts or all be pictures")
    wrong([{"input_ids": torch.tensor([70])}], "bert", "token id must lie in 0 to 49")


def test_gpt2_without_a_padding_id_pads_with_zero() -> None:
    config: Any = CONFIGS["gpt2"]()
    assert SPECIAL["pad_token_id"] == 0
    config.pad_token_id = None
    torch.manual_seed(0)
    model = Backbone(hf.AutoModel.from_config(config).eval())
    samples = samples_for("gpt2", 4)
    for row, sample in enumerate(samples):
        found, expected = answer(read(model, samples), row), model(**{name: v[None] for name, v in sample.items()})
        assert torch.allclose(found["final"], expected.final[0], atol=1e-5)
