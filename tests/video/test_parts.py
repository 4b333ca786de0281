"""Codec, text vectors, and the faster ways on a CPU."""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet3DConditionModel

from lichen.errors import InputError
from lichen.video.codec import PixelCodec, to_frames, to_pixels
from lichen.video.quick import quicken
from lichen.video.texts import BackboneTexts

from .tiny import texts


def test_pixels_come_back_as_they_were() -> None:
    pixels = torch.randint(0, 256, (2, 3, 8, 12, 3), dtype=torch.uint8)
    for patch in (1, 2, 4):
        codec = PixelCodec(patch)
        latents = codec.encode(to_frames(pixels))
        assert latents.shape == (2, codec.channels, 3, 8 // patch, 12 // patch)
        assert torch.equal(to_pixels(codec.decode(latents)), pixels)
    with pytest.raises(InputError, match=r"patch must be at least 1"):
        PixelCodec(0)


def test_prompts_have_one_length_and_names_end_where_they_end() -> None:
    words = texts()
    assert isinstance(words, BackboneTexts)
    found = words.prompts(["a dog", "a striped red ball bounces to the left", ""])
    assert found.shape == (3, 24, words.width)
    lengths = [len(each["input_ids"]) for each in words.inputs(["a dog", ""])]
    assert found[0, lengths[0] - 1].any() and not found[0, lengths[0] :].any()
    torch.testing.assert_close(words.names(["a dog", ""]), torch.stack([found[0, lengths[0] - 1], found[2, 1]]))
    alone = words.prompts(["a dog"])
    assert torch.equal(alone[0], found[0])
    long = words.prompts(["a red dog and " * 20])
    assert long.shape == (1, 24, words.width)


def test_the_faster_ways_change_no_result() -> None:
    unet = UNet3DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=16,
        attention_head_dim=8,
        down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
        up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
    ).eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for value in unet.parameters():
            value.add_(torch.randn_like(value) * 0.05)
        x, text = torch.randn(2, 4, 3, 8, 8), torch.randn(2, 5, 16)
        before = unet(x, 3, text).sample
        names = list(unet.state_dict())
        quicken(unet)
        torch.testing.assert_close(unet(x, 3, text).sample, before, rtol=1e-4, atol=1e-4)
    assert list(unet.state_dict()) == names
