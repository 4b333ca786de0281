"""Vectors of pictures and pairs."""

from __future__ import annotations

from dataclasses import replace

import torch

from lichen.heads.hoi.layers import ImageVector, PairVectors, related_logits

from ...families import shake
from .tiny import make_inputs

INPUTS = make_inputs()


def test_a_vector_in_the_space_of_the_texts_starts_as_it_is() -> None:
    layer = ImageVector(8, 8, 16)
    torch.testing.assert_close(layer(INPUTS.image), INPUTS.image)
    assert not torch.allclose(shake(layer)(INPUTS.image), INPUTS.image)
    assert ImageVector(8, 5, 16)(INPUTS.image).shape == (4, 5)


@torch.no_grad()
def test_a_layer_on_boxes_is_one_on_vectors_side_by_side() -> None:
    layer = PairVectors(6, 5, 16, ("human", "object", "union", "places"))
    found = layer(INPUTS)
    places = torch.cat([INPUTS.places[:, :18], INPUTS.places[:, 18:] / 10], 1)
    side = torch.cat([INPUTS.boxes[INPUTS.pairs].flatten(1), INPUTS.unions, layer.parts["places"][:-1](places)], 1)
    last = layer.parts["places"][-1]
    together = [layer.parts[name] for name in ("human", "object", "union")] + [last]
    weight = torch.cat([each.weight for each in together], 1)
    hidden = side @ weight.T + sum(each.bias for each in together)
    torch.testing.assert_close(found, layer.last(hidden))


@torch.no_grad()
def test_each_part_is_read_and_no_other() -> None:
    moved = {
        "human": replace(INPUTS, boxes=INPUTS.boxes + (INPUTS.regions.labels == 0)[:, None].float()),
        "union": replace(INPUTS, unions=INPUTS.unions + 1),
        "places": replace(INPUTS, places=INPUTS.places + 1),
    }
    for part in moved:
        layer = PairVectors(6, 5, 16, (part,))
        for name, inputs in moved.items():
            assert torch.allclose(layer(inputs), layer(INPUTS)) == (name != part), (part, name)
    # Person and object have layers of their own: a pair of people is another one the other way round.
    both = PairVectors(6, 5, 16, ("human", "object"))
    turned = replace(INPUTS, pairs=INPUTS.pairs.flip(1))
    assert not torch.allclose(both(turned), both(INPUTS))


def test_no_pairs() -> None:
    none = make_inputs(((1, 0, 0), (0, 1, 1)))
    assert PairVectors(6, 5, 16, ("human", "object", "union", "places"))(none).shape == (0, 5)
    assert related_logits(10, 4)(torch.zeros(0, 10)).shape == (0, 1)
