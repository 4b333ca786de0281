"""Settings of the head for interactions: what goes together, what does not."""

from __future__ import annotations

from typing import Any

import pytest

from lichen.errors import InputError
from lichen.heads.hoi import HOIConfig, ProposalConfig, loss_weights


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "week"}, "Did you mean 'weak'"),
        ({"bags": "mean"}, "rule of bags"),
        ({"self_taught": "agmax"}, "Did you mean 'argmax'"),
        ({"divergence": "mse"}, "divergence"),
        ({"classifier": "fixed"}, "classifier"),
        ({"fusion": "mix"}, "Did you mean 'mixed'"),
        ({"no_interaction": "invers"}, "Did you mean 'inverse'"),
        ({"factors": ()}, "factors lists each"),
        ({"factors": ("pair", "pair")}, "factors lists each"),
        ({"factors": ("pairs",)}, "Did you mean 'pair'"),
        ({"levels": ("union", "unions")}, "Did you mean 'union'"),
        ({"width": 0}, "width must be at least 1"),
        ({"width": True}, "width must be at least 1"),
        ({"bank_temperature": 0.0}, "bank_temperature must be above 0"),
        ({"scale": float("nan")}, "scale must be above 0"),
        ({"teacher_scale": -1.0}, "teacher_scale must be above 0"),
        ({"gamma": -0.1}, "gamma must be 0 or more"),
        ({"related_weight": -1.0}, "related_weight must be 0 or more"),
        ({"warm_up": -1}, "warm_up must be 0 or more"),
        ({"duplicates": 0.0}, "duplicates is an IoU"),
        ({"duplicates": 1.5}, "duplicates is an IoU"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_cannot_be_is_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        HOIConfig(**changes)


def test_relatedness_that_nobody_taught_is_not_asked() -> None:
    assert HOIConfig().asks_related and HOIConfig(self_taught="soft").asks_related
    assert not HOIConfig(self_taught="off").asks_related
    assert not HOIConfig(factors=("pair", "image")).asks_related
    assert HOIConfig(method="supervised", self_taught="off").asks_related


def test_weights_of_the_losses_are_those_of_the_settings() -> None:
    weights = loss_weights(HOIConfig(related_weight=0.3, union_weight=0.4, instance_weight=0.6))
    assert weights == {"image": 1.0, "bag": 1.0, "pair": 1.0, "related": 0.3, "union": 0.4, "instances": 0.6}


@pytest.mark.parametrize("values", [(-0.1, 3, 15), (1.1, 3, 15), (0.2, 16, 15), (0.2, -1, 15), (0.2, 0, 0)])
def test_proposals_that_cannot_be(values: tuple[float, int, int]) -> None:
    with pytest.raises(InputError, match=r"a threshold in \[0, 1\], and 0 <= least <= most"):
        ProposalConfig(*values)
