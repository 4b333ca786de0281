"""Settings of a grounding task."""

from __future__ import annotations

from typing import Any

import pytest

from lichen.errors import InputError
from lichen.tasks.grounded.config import GroundConfig


def test_variants_and_the_released_network() -> None:
    assert not GroundConfig(variant="matching").network().fine
    assert GroundConfig(released=True, vectors="embedded:minilm").network().match == "linear"
    assert GroundConfig(width=48, top=3).network().top == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variant": "ful"}, "variant of grounding 'ful'"),
        ({"phrases": "rule"}, "source of phrases 'rule'"),
        ({"truths": "label"}, "source of truths 'label'"),
        ({"refine": -1}, "at least 0"),
        ({"least": 0}, "least at least 1"),
        ({"released": True}, r"head\.grounding\.vectors"),
        ({"top": 0}, "top must be a whole number of at least 1"),
    ],
)
def test_bad_settings_are_told(changes: dict[str, Any], message: str, unchecked: None) -> None:
    with pytest.raises(InputError, match=message):
        GroundConfig(**changes)
