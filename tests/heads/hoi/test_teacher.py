"""The teacher's cosines: those of the model asked directly, kept by object, read back as they were."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import normalize

from lichen.backbones.backbone import Backbone
from lichen.errors import InputError
from lichen.heads.crops import embed_crops
from lichen.heads.hoi.teacher import ask_teacher, columns_of, compact, expand
from lichen.regions import Regions
from lichen.regions.crops import square_crops

from ...data.tiny import make_clip_processor, make_processor
from ...families import make_trunk
from .tiny import OBJECTS, make_inputs

PICTURES = [
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 60, 3), dtype=np.uint8)) for seed in range(3)
]
REGIONS = Regions.make(
    [[0.0, 0, 20, 30], [10, 5, 50, 20], [3, 3, 33, 40], [0, 0, 60, 40]],
    [(60.0, 40.0)] * 3,
    picture=[0, 0, 0, 2],
    labels=[0, 1, 2, 0],
)
PAIRS = torch.tensor([[0, 1], [0, 2]])
TEXTS = normalize(torch.randn(5, 12, generator=torch.Generator().manual_seed(0)), dim=1)


@pytest.fixture(scope="module")
def clip() -> Backbone:
    """A model of two towers with random weights, which looks at 32 by 32 pixels."""
    return Backbone(make_trunk("clip"), processor=make_clip_processor())


def test_columns_are_the_interactions_with_each_class() -> None:
    assert columns_of(OBJECTS).tolist() == [[4, -1], [0, 1], [2, 3]]
    none = torch.zeros(2, 3, dtype=torch.bool)
    assert columns_of(none).shape == (2, 0)
    assert columns_of(torch.cat([OBJECTS, torch.zeros(1, 5, dtype=torch.bool)]))[3].tolist() == [-1, -1]


def test_what_is_kept_comes_back() -> None:
    inputs = make_inputs()
    values = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    columns = columns_of(OBJECTS)[inputs.regions.labels[inputs.pairs[:, 1]]]
    kept = compact(values, columns)
    assert kept.shape == (6, 2)
    torch.testing.assert_close(expand(kept, columns, 5), values * inputs.compatible)
    nothing = torch.zeros(0, 2, dtype=torch.long)
    assert expand(compact(values[:0], nothing), nothing, 5).shape == (0, 5)


def directly(clip: Backbone, picture: Image.Image) -> torch.Tensor:
    """A unit vector of a picture by the model's own processor."""
    pooled = clip(layers=1, **clip.processor.image_processor(picture, return_tensors="pt")).pooled
    assert pooled is not None
    return normalize(pooled[0], dim=0)


def test_cosines_are_those_of_the_crops_themselves(clip: Backbone) -> None:
    image, union = ask_teacher(clip, PICTURES, REGIONS, PAIRS, TEXTS, columns_of(OBJECTS))
    assert image.shape == (3, 5) and union.shape == (2, 2)
    for number, picture in enumerate(PICTURES):
        (whole,) = square_crops(picture, [(0, 0, 60, 40)])
        torch.testing.assert_close(image[number], TEXTS @ directly(clip, whole), rtol=0, atol=1e-5)
    for row, (box, own) in enumerate((((0, 0, 50, 30), [0, 1]), ((0, 0, 33, 40), [2, 3]))):
        (crop,) = square_crops(PICTURES[0], [box])
        torch.testing.assert_close(union[row], TEXTS[own] @ directly(clip, crop), rtol=0, atol=1e-5)


def test_what_lies_around_may_be_seen(clip: Backbone) -> None:
    padded, plain = (
        ask_teacher(clip, PICTURES, REGIONS, PAIRS, TEXTS, columns_of(OBJECTS), padded=each) for each in (True, False)
    )
    assert not torch.allclose(padded[1], plain[1])
    around = embed_crops(clip, PICTURES[:1], Regions.make([[0.0, 0, 50, 30]], [(60.0, 40.0)]))
    torch.testing.assert_close(plain[1][0], TEXTS[:2] @ around[0])


def test_pictures_without_pairs_and_no_pair_at_all(clip: Backbone) -> None:
    none = torch.zeros(0, 2, dtype=torch.long)
    image, union = ask_teacher(clip, PICTURES, REGIONS, none, TEXTS, columns_of(OBJECTS))
    assert image.shape == (3, 5) and union.shape == (0, 2)
    bare = Regions.make([], [(60.0, 40.0)] * 3, picture=[])
    again, _ = ask_teacher(clip, PICTURES, bare, none, TEXTS, columns_of(OBJECTS), padded=False)
    assert again.shape == (3, 5)


def test_a_model_of_pictures_alone_cannot_teach() -> None:
    alone = Backbone(make_trunk("vit"), processor=make_processor(size=32))
    with pytest.raises(InputError, match="a model of pictures and texts"):
        ask_teacher(alone, PICTURES, REGIONS, PAIRS, TEXTS, columns_of(OBJECTS))
