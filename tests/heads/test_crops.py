"""What CLIP makes of crops and of phrases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from lichen.backbones.backbone import Backbone
from lichen.errors import InputError
from lichen.heads.crops import embed_crops, embed_texts
from lichen.regions import Regions
from lichen.regions.crops import square_crops

PIXELS = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
BOXES = torch.tensor([[3.0, 5.0, 40.0, 20.0], [0.0, 0.0, 64.0, 48.0], [60.0, 40.0, 64.0, 48.0]])


@pytest.fixture(scope="module")
def clip() -> Backbone:
    return Backbone.from_pretrained("embedded:playground-clip")


def test_embeddings(clip: Backbone) -> None:
    pictures = [Image.fromarray(PIXELS), Image.fromarray(PIXELS[:40, :40])]
    regions = Regions.make(torch.cat([BOXES, BOXES[:1]]), [(64, 48), (40, 40)], picture=[0, 0, 0, 1])
    found = embed_crops(clip, pictures, regions)
    assert found.shape == (4, 128)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(4))
    torch.testing.assert_close(found, embed_crops(clip, pictures, regions, batch=2), rtol=0, atol=1e-5)
    # The processor and the sampler enlarge differently: a box that is the whole picture is nearly, not quite, the same.
    inputs = clip.processor.image_processor(pictures[1], return_tensors="pt")
    whole = Regions.make([[0.0, 0.0, 40.0, 40.0]], [(40, 40)])
    pooled = clip(layers=1, **inputs).pooled
    assert pooled is not None
    near = embed_crops(clip, pictures[1:], whole, margin=0.0) @ torch.nn.functional.normalize(pooled, dim=1).T
    assert float(near) > 0.9
    assert embed_crops(clip, [], Regions.make([], torch.zeros(0, 2), picture=[])).shape == (0, 128)


def test_pictures_without_boxes_are_passed_over(clip: Backbone) -> None:
    pictures = [Image.fromarray(PIXELS)] * 3
    regions = Regions.make(BOXES[:1], [(64, 48)] * 3, picture=[1])
    for padded in (False, True):
        found = embed_crops(clip, pictures, regions, batch=1, padded=padded)
        alone = embed_crops(clip, pictures[:1], Regions.make(BOXES[:1], [(64, 48)]), padded=padded)
        torch.testing.assert_close(found, alone)
        nothing = Regions.make([], [(64, 48)] * 3, picture=[])
        assert embed_crops(clip, pictures, nothing, padded=padded).shape == (0, 128)


def test_a_padded_crop_is_what_the_processor_makes_of_the_square(clip: Backbone) -> None:
    box = [3.0, 5.0, 40.0, 20.0]
    found = embed_crops(clip, [Image.fromarray(PIXELS)], Regions.make([box], [(64, 48)]), padded=True)
    (square,) = square_crops(Image.fromarray(PIXELS), [box])
    pooled = clip(layers=1, **clip.processor.image_processor(square, return_tensors="pt")).pooled
    assert pooled is not None
    torch.testing.assert_close(found, torch.nn.functional.normalize(pooled, dim=1), rtol=0, atol=1e-5)
    # Nothing around the box is seen.
    other = PIXELS.copy()
    other[20:], other[:, 40:] = 0, 0
    assert torch.equal(embed_crops(clip, [Image.fromarray(other)], Regions.make([box], [(64, 48)]), padded=True), found)


def test_texts(clip: Backbone) -> None:
    one, two = embed_texts(clip, ["dog", "red car"]), embed_texts(clip, ["dog", "red car"], ["a {}", "there is a {}"])
    assert one.shape == two.shape == (2, 128)
    torch.testing.assert_close(two.norm(dim=1), torch.ones(2))
    assert not torch.allclose(one, two)
    assert embed_texts(clip, []).shape == (0, 128)


def test_what_cannot_be_compared(clip: Backbone) -> None:
    with pytest.raises(InputError, match="1 pictures, but the regions are of 2"):
        embed_crops(clip, [Image.fromarray(PIXELS)], Regions.make([], [(4, 4), (4, 4)], picture=[]))
    with pytest.raises(InputError, match=r"has \{\} where the text goes"):
        embed_texts(clip, ["dog"], ["a dog"])
    alone = Backbone(clip.model.vision_model, processor=clip.processor.image_processor)
    with pytest.raises(InputError, match="a model of pictures and texts"):
        embed_texts(alone, ["dog"])
