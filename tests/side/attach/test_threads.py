"""Threads that share one model get the answer to their own batch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor

import lichen

from ...families import make_model, make_trunk, shake
from .common import SIDES


@pytest.fixture(autouse=True)
def quick_switches() -> Iterator[None]:
    """Let threads take turns every few instructions, so that their passes overlap."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def check(answer: Callable[[Tensor], Tensor]) -> None:
    """Sixty calls from four threads, on batches of four lengths, agree with calls one after the other."""
    batches = [torch.randint(3, 50, (2, length)) for length in (5, 7, 9, 7)]

    def call(ids: Tensor) -> Tensor:
        with torch.no_grad():
            return answer(ids)

    alone = [call(ids) for ids in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(call, batches * 15))
    for index, found in enumerate(together):
        assert torch.equal(found, alone[index % len(batches)])


@pytest.mark.parametrize("side", SIDES)
def test_a_classifier(side: str) -> None:
    model = shake(lichen.attach(make_model("sequence", "bert"), SIDES[side])).eval()
    check(lambda ids: model(input_ids=ids).logits)


@pytest.mark.parametrize("side", ["unipt", "sherl"])
def test_an_encoder_decoder(side: str) -> None:
    model = shake(lichen.attach(make_model("seq2seq", "t5"), SIDES[side])).eval()
    check(lambda ids: model(input_ids=ids, decoder_input_ids=ids[:, :3]).logits)


@pytest.mark.parametrize("side", ["unipt", "sherl"])
def test_a_tower_and_its_projection(side: str) -> None:
    model: Any = shake(lichen.attach(make_model("towers", "clip"), SIDES[side])).eval()
    check(lambda ids: model.get_text_features(input_ids=ids).pooler_output)


def test_late_layers_on_stored_features() -> None:
    model = shake(lichen.attach(make_model("sequence", "bert"), SIDES["sherl"])).eval()
    check(lambda ids: model(features=model.read_features(input_ids=ids)).logits)


def test_a_backbone() -> None:
    backbone = lichen.Backbone(make_trunk("bert"))
    check(lambda ids: torch.stack(backbone(input_ids=ids).states))
