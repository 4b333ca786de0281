"""Against values that the authors' code gave: box code, object tokens, gated units, a whole block, picture tokens."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers.models.attention import BasicTransformerBlock, GatedSelfAttentionDense
from diffusers.models.embeddings import GLIGENTextBoundingboxProjection
from torch import Tensor

from lichen.regions.fourier import fourier_embedding
from lichen.video.encoder import PictureEncoder
from lichen.video.objects import Objects, ObjectTokens
from lichen.video.units import ImageUnit, MotionUnit, ParallelUnits, Shape

from .golden import CASES, check, inp, load, parameters

SHAPE = Shape(16, 2, 8)
GIVEN = CASES["smcd.object_tokens"]["inputs"]
BOXES = torch.tensor(next(value for name, value in GIVEN.items() if name.startswith("boxes")), dtype=torch.float64)
PRESENT = torch.tensor(GIVEN["masks"]).bool()


def objects() -> Objects:
    """Six frames as clips of one frame each, so that every frame has names of its own, as in the file."""
    return Objects(BOXES[:, None], PRESENT[:, None], inp(81, 6, 3, 10))


def tokens() -> Tensor:
    found: Tensor = load(ObjectTokens(10, 12), "position")(objects())
    return found


def test_box_code() -> None:
    boxes = torch.tensor(CASES["smcd.fourier"]["boxes"], dtype=torch.float64)
    check("smcd.fourier", "", fourier_embedding(boxes))


@torch.no_grad()
def test_object_tokens() -> None:
    check("smcd.object_tokens", "tokens", tokens())


@torch.no_grad()
def test_motion_unit() -> None:
    unit = load(MotionUnit(SHAPE, 12), "gates_object", "object.")
    check("smcd.gates.object", "visual_tokens", unit(inp(80, 6, 12, 16), tokens()))


@torch.no_grad()
def test_motion_unit_then_image_unit() -> None:
    motion = load(MotionUnit(SHAPE, 12), "gates_object_then_image", "object.")
    image = load(ImageUnit(SHAPE, 14), "gates_object_then_image", "image.")
    x = image(motion(inp(80, 6, 12, 16), tokens()), inp(82, 6, 4, 14))
    check("smcd.gates.object_then_image", "visual_tokens", x)


@torch.no_grad()
def test_parallel_units() -> None:
    motion = load(MotionUnit(SHAPE, 12), "gates_parallel", "object.")
    image = load(ImageUnit(SHAPE, 14), "gates_parallel", "image.")
    both = ParallelUnits().double()
    with torch.no_grad():
        both.beta_object.copy_(parameters("gates_parallel")["beta_object"])
        both.beta_image.copy_(parameters("gates_parallel")["beta_image"])
    x = inp(80, 6, 12, 16)
    check("smcd.gates.parallel", "visual_tokens", both(x, motion(x, tokens()), image(x, inp(82, 6, 4, 14))))


@torch.no_grad()
def test_a_block_of_diffusers_with_both_units_in_its_slot() -> None:
    block: Any = BasicTransformerBlock(16, 2, 8, cross_attention_dim=11).double().eval()
    own = {name: value for name, value in parameters("block").items() if not name.startswith("gates.")}
    block.load_state_dict(own)
    motion = load(MotionUnit(SHAPE, 12), "block", "gates.object.")
    image = load(ImageUnit(SHAPE, 14), "block", "gates.image.")
    block.fuser = lambda x, told: image(motion(x, told[0]), told[1])
    x, caption = inp(80, 6, 12, 16), inp(83, 6, 5, 11)
    told = {"gligen": {"objs": (tokens(), inp(82, 6, 4, 14))}}
    check("smcd.block", "with_conditions", block(x, encoder_hidden_states=caption, cross_attention_kwargs=told))
    check("smcd.block", "without_conditions", block(x, encoder_hidden_states=caption))


@torch.no_grad()
def test_picture_encoder() -> None:
    encoder = load(PictureEncoder(4, (4, 6, 8, 8), 3), "image_encoder")
    check("smcd.image_encoder", "tokens", encoder(inp(84, 2, 4, 16, 16)))


@torch.no_grad()
def test_weights_of_gligen_give_what_diffusers_gives() -> None:
    ours, theirs = ObjectTokens(10, 12), GLIGENTextBoundingboxProjection(10, 12)
    theirs.load_state_dict(ours.state_dict())
    given = objects()
    boxes, present, names = given.boxes[:, 0].float(), given.present[:, 0].float(), given.names.float()
    found = ours(Objects(boxes[:, None], given.present, names))
    torch.testing.assert_close(found, theirs(boxes, present, names), rtol=1e-4, atol=1e-5)
    unit, dense = MotionUnit(SHAPE, 12), GatedSelfAttentionDense(16, 12, 2, 8)
    with torch.no_grad():
        unit.alpha_attn.fill_(0.6), unit.alpha_dense.fill_(-0.4)
    dense.load_state_dict(unit.state_dict())
    x = inp(80, 6, 12, 16).float()
    torch.testing.assert_close(unit(x, found), dense(x, found), rtol=0, atol=0)


@pytest.mark.parametrize("gate", ["alpha_attn", "alpha_dense"])
def test_half_strength_is_half_the_change(gate: str) -> None:
    unit = load(MotionUnit(SHAPE, 12), "gates_object", "object.")
    x, objects = inp(80, 6, 12, 16), tokens()
    with torch.no_grad():
        for name in ("alpha_attn", "alpha_dense"):
            if name != gate:
                getattr(unit, name).zero_()
        whole, half = unit(x, objects) - x, unit(x, objects, 0.5) - x
    torch.testing.assert_close(half, whole / 2, rtol=0, atol=1e-12)
