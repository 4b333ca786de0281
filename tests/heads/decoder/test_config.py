"""Settings of decoders."""

from __future__ import annotations

import pytest

from lichen.errors import InputError
from lichen.heads.decoder.config import PRESETS, DecoderConfig, preset


def test_presets_are_the_three_published_depths() -> None:
    assert {name: preset(name, 100).layers for name in PRESETS} == {"small": 2, "medium": 6, "large": 12}
    medium = preset("medium", 100, context=32)
    assert (medium.width, medium.heads, medium.mlp, medium.context, medium.mask) == (768, 12, 3072, 32, 100)
    with pytest.raises(InputError, match="Did you mean 'medium'"):
        preset("medum", 100)


def test_settings_survive_a_round_trip() -> None:
    config = DecoderConfig(vocabulary=50, layers=3, tied=True)
    assert DecoderConfig.from_dict(config.to_dict()) == config
    with pytest.raises(InputError, match="Did you mean 'layers'"):
        DecoderConfig.from_dict({"vocabulary": 50, "layrs": 2})
    with pytest.raises(InputError, match="vocabulary"):
        DecoderConfig.from_dict({"layers": 2})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": 0}, "layers"),
        ({"width": 50}, "multiple"),
        ({"dropout": 1.0}, "dropout"),
        ({"label_smoothing": -0.1}, "label_smoothing"),
        ({"end": 0}, "pad and end"),
        ({"end": 50}, "pad and end"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        DecoderConfig(**{"vocabulary": 50, **changes})
