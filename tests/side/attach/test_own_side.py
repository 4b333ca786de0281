"""A side network from outside the library is attached, saved and loaded once its two rows are added."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

import lichen
from lichen.errors import InputError
from lichen.side.attach import build
from lichen.side.base import Side
from lichen.side.config import CONFIGS, SideConfig

from ...families import make_batch, make_model


@dataclass(frozen=True)
class ScaleConfig(SideConfig):
    """Settings of the toy below."""

    method: ClassVar[str] = "scale"


class Scale(Side):
    """Adds a learned share of the first chosen state to the final output."""

    def __init__(self, config: SideConfig, widths) -> None:
        super().__init__(config, widths)
        self.share = nn.Parameter(torch.zeros(self.layout.width))

    def combine(self, reduced: list[Tensor], rest, cache=None, memory=None):
        final = rest.final + self.share * reduced[0]
        return replace(rest, states=(final,), final=final, pooled=None)


def test_unknown_settings_say_where_to_add_them() -> None:
    with pytest.raises(InputError, match=r"No side network is known for ScaleConfig. Add it to .*SIDES"):
        lichen.attach(make_model("sequence", "bert"), ScaleConfig())


def test_two_rows_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(build.SIDES, ScaleConfig, Scale)
    monkeypatch.setitem(CONFIGS, "scale", ScaleConfig)
    model = make_model("sequence", "bert")
    batch = make_batch("sequence", model)
    frozen = model(**batch).logits
    model = lichen.attach(model, ScaleConfig(layers=(1,)))
    assert torch.equal(model(**batch).logits, frozen)
    model.train()(**batch).loss.backward()
    share = model.lichen.slot("default").side("backbone").share
    assert bool(share.grad.ne(0).any())
    with torch.no_grad():
        share.fill_(0.3)
    model.eval().save_pretrained(tmp_path)
    again = lichen.load(make_model("sequence", "bert"), tmp_path).eval()
    assert torch.equal(again(**batch).logits, model(**batch).logits)
    assert not torch.equal(model(**batch).logits, frozen)


def test_pruned_starts_are_taken_through_attach() -> None:
    random = lichen.attach(make_model("sequence", "bert"), lichen.LSTConfig(reduction=2))
    pruned = lichen.attach(make_model("sequence", "bert"), lichen.LSTConfig(reduction=2, init="magnitude"))
    backbone = make_model("sequence", "bert").bert.encoder.layer[0].intermediate.dense.weight
    block = pruned.lichen.slot("default").side("backbone").blocks[0].intermediate.dense.weight
    assert torch.isin(block, backbone).all()
    assert not torch.isin(
        random.lichen.slot("default").side("backbone").blocks[0].intermediate.dense.weight, backbone
    ).any()
    t5 = lichen.attach(make_model("seq2seq", "t5"), lichen.LSTConfig(reduction=2, init="magnitude"))
    wi = t5.lichen.slot("default").side("decoder").blocks[0].layer[-1].DenseReluDense.wi.weight
    assert torch.isin(wi, t5.decoder.block[0].layer[-1].DenseReluDense.wi.weight).all()
    with pytest.raises(InputError, match="needs the Fisher information"):
        lichen.attach(make_model("sequence", "bert"), lichen.LSTConfig(reduction=2, init="fisher"))
    with pytest.raises(InputError, match=r"(?i)bert"):
        lichen.attach(make_model("causal", "llama"), lichen.LSTConfig(reduction=2, init="magnitude"))
