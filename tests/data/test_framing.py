"""A framed picture is what the processor itself would make of it, where that is one square size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil
from transformers.models.detr.image_processing_pil_detr import DetrImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from lichen.data.dataset import Dataset
from lichen.data.framing import Framing
from lichen.data.inputs import ImageInputs
from lichen.errors import InputError
from lichen.scene import Scene

PROCESSORS: dict[str, Any] = {
    "squeezed": ViTImageProcessorPil(size={"height": 32, "width": 32}),
    "cropped": CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
    "cropped with a margin": BitImageProcessorPil(
        size={"shortest_edge": 37}, crop_size={"height": 32, "width": 32}, do_center_crop=True, resample=3
    ),
    "squeezed, then cropped": BitImageProcessorPil(
        size={"height": 40, "width": 40}, crop_size={"height": 32, "width": 32}, do_center_crop=True
    ),
    "crop percentage": ConvNextImageProcessorPil(size={"shortest_edge": 32}, crop_pct=0.875),
}


def inputs(processor: Any, shape: tuple[int, int], size: int | None = None) -> tuple[Image.Image, ImageInputs]:
    pixels = np.random.default_rng(0).integers(0, 256, (1, *shape, 3), dtype=np.uint8)
    dataset = Dataset((Scene("a"),), {"train": (0,)}, pixels=pixels)
    return Image.fromarray(pixels[0]), ImageInputs(dataset, [0], processor, size)


@pytest.mark.parametrize("shape", [(50, 90), (90, 50), (32, 32), (33, 32), (20, 400), (7, 5)])
@pytest.mark.parametrize("name", PROCESSORS)
def test_equals_the_processor(name: str, shape: tuple[int, int]) -> None:
    processor = PROCESSORS[name]
    picture, samples = inputs(processor, shape)
    expected = processor(images=picture, return_tensors="pt")["pixel_values"][0]
    assert torch.equal(samples[0]["pixel_values"], expected)


@pytest.mark.parametrize("name", PROCESSORS)
def test_another_size_keeps_the_proportions(name: str) -> None:
    own, other = Framing.of(PROCESSORS[name]), Framing.of(PROCESSORS[name], 64)
    assert other.size == 64
    assert abs((other.short or other.squeezed) - 2 * (own.short or own.squeezed)) <= 1
    assert inputs(PROCESSORS[name], (50, 90), 64)[1][0]["pixel_values"].shape == (3, 64, 64)


def test_processors_that_keep_the_shape_give_squares() -> None:
    processor = DetrImageProcessorPil(size={"shortest_edge": 32, "longest_edge": 64})
    for shape in ((50, 90), (90, 50), (1, 32), (1, 1)):
        samples = inputs(processor, shape)[1]
        assert samples[0]["pixel_values"].shape == (3, 32, 32)
    assert samples[0]["pixel_values"].dtype == torch.float32
    # The middle is kept: a picture that is red there comes out red everywhere.
    wide = Image.new("RGB", (90, 30), "blue")
    wide.paste("red", (28, 0, 62, 30))
    assert set(Framing.of(processor).apply(wide).get_flattened_data()) == {(255, 0, 0)}


def test_no_single_size_needs_one_given() -> None:
    processor = DetrImageProcessorPil(size={"max_height": 32, "max_width": 64})
    with pytest.raises(InputError, match=r"many shapes.*Give the size in pixels"):
        Framing.of(processor)
    assert Framing.of(processor, 48).size == 48
    with pytest.raises(InputError, match="at least 1 pixel"):
        Framing.of(processor, 0)
