"""What is added to a UNet: the identity at the start, what it looks at, what learns and what stays frozen."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from diffusers import UNet3DConditionModel, UNetMotionModel
from PIL import Image
from torch.nn.functional import conv2d

from lichen.errors import CheckpointError, InputError
from lichen.video.adapter import STAGES, Adapter
from lichen.video.config import AdapterConfig, Arrangement, ImageConfig, Integration, MotionConfig
from lichen.video.insert import Slot, insert, remove
from lichen.video.objects import Objects, coverage
from lichen.video.storage import load_adapter, save_adapter, saved_adapter

from .tiny import config, inputs, shake, tiny_base

INTEGRATIONS, ARRANGEMENTS = get_args(Integration), get_args(Arrangement)


def answer(adapter: Adapter, base: Any, objects: Any = ..., first: Any = ..., **options: Any) -> torch.Tensor:
    sample, times, text, things = inputs()
    things = things if objects is ... else objects
    picture = sample[:, :, 0] if first is ... else first
    with torch.no_grad():
        return adapter(base.unet, sample, times, text, things, picture, **options)


def plain(base: Any) -> torch.Tensor:
    sample, times, text, _ = inputs()
    with torch.no_grad():
        found: torch.Tensor = base.unet(sample, times, text).sample
    return found


def alive(settings: AdapterConfig | None = None) -> tuple[Any, Adapter]:
    """A base and an adapter whose gates are open."""
    base = tiny_base()
    adapter = Adapter.of(base, settings or config(raster=True))
    torch.manual_seed(2)
    for name, child in adapter.named_children():
        if name != "tuned":
            shake(child)
    return base, adapter


@pytest.mark.parametrize("integration", INTEGRATIONS)
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_a_fresh_adapter_is_exactly_the_identity(integration: str, arrangement: str) -> None:
    base = tiny_base()
    bare = plain(base)
    for gates in ("closed", "open"):
        adapter = Adapter.of(base, config(integration, arrangement, gates, raster=True))
        assert torch.equal(answer(adapter, base), bare), gates


def test_a_unet_with_slots_runs_and_is_saved_as_before() -> None:
    base = tiny_base()
    bare, names = plain(base), list(base.unet.state_dict())
    insert(base.unet)
    assert torch.equal(plain(base), bare)
    assert list(base.unet.state_dict()) == names and not any("fuser" in name for name in names)
    remove(base.unet)
    assert not any(isinstance(getattr(module, "fuser", None), Slot) for module in base.unet.modules())


def test_trained_modules_change_the_answer_and_strength_nothing_does_not() -> None:
    base, adapter = alive(AdapterConfig(MotionConfig(slots=4, raster=True)))
    bare = plain(base)
    assert (answer(adapter, base) - bare).abs().max() > 1e-3
    assert torch.equal(answer(adapter, base, strength=0.0), bare)
    assert torch.equal(answer(adapter, base, objects=None), bare)


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_every_arrangement_sees_boxes_and_picture(arrangement: str) -> None:
    base, adapter = alive(config("attention", arrangement, raster=True))
    sample, _, _, things = inputs()
    whole = answer(adapter, base)
    moved = Objects(things.boxes.flip(1), things.present, things.names)
    assert (answer(adapter, base, objects=moved) - whole).abs().max() > 1e-4
    assert (answer(adapter, base, first=sample[:, :, 1]) - whole).abs().max() > 1e-4


@pytest.mark.parametrize("integration", [name for name in INTEGRATIONS if name != "none"])
def test_every_integration_sees_the_picture(integration: str) -> None:
    base, adapter = alive(config(integration))
    assert (answer(adapter, base, first=inputs(seed=5)[0][:, :, 0]) - answer(adapter, base)).abs().max() > 1e-4


def test_absent_objects_are_the_same_wherever_their_boxes_lie() -> None:
    base, adapter = alive()
    things = inputs()[3]
    elsewhere = torch.where(things.present[..., None], things.boxes, 0.9 - things.boxes / 2)
    assert not torch.equal(elsewhere, things.boxes)
    assert torch.equal(
        answer(adapter, base, objects=Objects(elsewhere, things.present, things.names)), answer(adapter, base)
    )


def test_missing_slots_are_absent_objects() -> None:
    base, adapter = alive()
    things = inputs()[3]
    torch.testing.assert_close(answer(adapter, base, objects=things.padded(4)), answer(adapter, base))
    with pytest.raises(InputError, match=r"5 things in a clip, and this model has 4 slots"):
        answer(adapter, base, objects=things.padded(5))


def test_boxes_of_one_clip_leave_the_others_alone() -> None:
    base, adapter = alive()
    things = inputs()[3]
    boxes = things.boxes.clone()
    boxes[1] = boxes[1].flip(0)
    changed = answer(adapter, base, objects=Objects(boxes, things.present, things.names))
    whole = answer(adapter, base)
    torch.testing.assert_close(changed[0], whole[0], rtol=0, atol=1e-5)
    assert (changed[1] - whole[1]).abs().max() > 1e-3


def test_tokens_of_a_frame_depend_on_its_own_boxes() -> None:
    _, adapter = alive()
    things = inputs()[3]
    boxes = things.boxes.clone()
    boxes[0, 1] += 0.1
    assert adapter.tokens is not None
    before, after = adapter.tokens(things), adapter.tokens(Objects(boxes, things.present, things.names))
    changed = (before != after).flatten(1).any(1).tolist()
    assert changed == [False, True, False, False]


def test_the_picture_enters_as_through_a_widened_convolution() -> None:
    base, adapter = alive(config("input"))
    first, enter = base.unet.conv_in, adapter.enter
    assert enter is not None
    x, picture = torch.randn(4, 12, 16, 16), torch.randn(2, 12, 16, 16)
    repeated = picture.repeat_interleave(2, 0)
    weight = torch.cat([first.weight, enter.weight], 1)
    widened = conv2d(torch.cat([x, repeated], 1), weight, first.bias, padding=1)
    from lichen.video.adapter import _entering

    with _entering(first, enter(picture), 2):
        torch.testing.assert_close(first(x), widened, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(first(x), conv2d(x, first.weight, first.bias, padding=1))


def test_coverage_is_the_share_of_a_cell_that_lies_in_the_box() -> None:
    boxes = torch.tensor([[0.25, 0.0, 0.75, 0.5], [0.0, 0.0, 1.0, 1.0], [0.3, 0.3, 0.3, 0.3]])
    found = coverage(boxes, 2, 2)
    assert found.tolist() == [[0.5, 0.5, 0.0, 0.0], [1.0] * 4, [0.0] * 4]
    assert coverage(boxes, 4, 8).sum(1).tolist() == pytest.approx([0.25 * 32, 32.0, 0.0])


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_trains_its_own_half_alone(stage: Any, arrangement: str) -> None:
    base, adapter = alive(config("both", arrangement))
    adapter.stage(stage)
    halves = {half: {id(value) for value in values} for half, values in adapter.parts().items()}
    assert not halves["motion"] & halves["image"]
    everything = {**dict(adapter.named_parameters()), **{f"unet.{n}": v for n, v in base.unet.named_parameters()}}
    before = {name: value.detach().clone() for name, value in everything.items()}
    sample, times, text, things = inputs()
    trained = [value for value in everything.values() if value.requires_grad]
    optimiser = torch.optim.AdamW({id(value): value for value in trained}.values(), lr=0.01, weight_decay=0.5)
    adapter(base.unet, sample, times, text, things, sample[:, :, 0]).square().mean().backward()
    optimiser.step()
    chosen = set().union(*(values for half, values in halves.items() if stage in (half, "joint")))
    moved = {id(value) for name, value in everything.items() if not torch.equal(value, before[name])}
    assert moved <= chosen and len(moved) > 0.9 * len(chosen)


def test_what_is_tuned_of_the_base_is_the_first_convolution_and_temporal_attention() -> None:
    base = tiny_base()
    adapter = Adapter.of(base, config())
    names = {key.replace("/", ".") for key in adapter.tuned}
    own = dict(base.unet.named_parameters())
    assert names <= set(own) and {"conv_in.weight", "conv_in.bias"} <= names
    assert all(own[name] is adapter.tuned[name.replace(".", "/")] for name in names)
    others = names - {"conv_in.weight", "conv_in.bias"}
    assert others and all("temp_attentions" in name and ".transformer_blocks." in name for name in others)
    assert not any("norm" in name or "transformer_in" in name or "proj_in" in name for name in others)
    bare = Adapter.of(base, AdapterConfig(None, ImageConfig(tune=False, channels=(8,), blocks=1)))
    assert not len(bare.tuned)


def test_an_adapter_comes_back_from_its_folder(tmp_path: Path) -> None:
    base, adapter = alive()
    told = {"name": "tiny", "digest": tiny_base().digest()}
    with torch.no_grad():
        adapter.tuned["conv_in/bias"].add_(0.5)
    save_adapter(adapter, told, tmp_path, {"steps": 3})
    fresh = tiny_base()
    again = load_adapter(tmp_path, fresh)
    assert saved_adapter(tmp_path).facts == {"steps": 3} and again.added == adapter.added
    assert torch.equal(answer(again, fresh), answer(adapter, base))
    assert not any(value.requires_grad for value in again.parameters())
    with pytest.raises(CheckpointError, match=r"trained beside another base model"):
        load_adapter(tmp_path, fresh)
    (tmp_path / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(CheckpointError, match=r"altered or truncated"):
        load_adapter(tmp_path, tiny_base())


def test_the_second_stage_begins_where_the_first_ended(tmp_path: Path) -> None:
    base, motion = alive(AdapterConfig(MotionConfig(slots=4)))
    save_adapter(motion, {"digest": base.digest()}, tmp_path)
    both = AdapterConfig(MotionConfig(slots=4), ImageConfig(channels=(8, 16), blocks=1))
    grown = load_adapter(tmp_path, base, both)
    assert torch.equal(answer(grown, base), answer(motion, base))


def test_other_unets_of_diffusers_take_an_adapter() -> None:
    unet: Any = UNetMotionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=16,
        num_attention_heads=2,
        motion_num_attention_heads=2,
        motion_max_seq_length=4,
        use_motion_mid_block=False,
        down_block_types=("CrossAttnDownBlockMotion", "DownBlockMotion"),
        up_block_types=("UpBlockMotion", "CrossAttnUpBlockMotion"),
    ).eval()
    adapter = Adapter(unet, 16, 4, config())
    x, text = torch.randn(2, 4, 3, 8, 8), torch.randn(2, 5, 16)
    things = Objects(torch.rand(2, 3, 2, 4), torch.ones(2, 3, 2).bool(), torch.randn(2, 2, 16))
    with torch.no_grad():
        bare = unet(x, torch.tensor(5), encoder_hidden_states=text.repeat_interleave(3, 0)).sample
        assert torch.equal(adapter(unet, x, torch.tensor(5), text, things, x[:, :, 0]), bare)
        shake(adapter)
        assert (adapter(unet, x, torch.tensor(5), text, things, x[:, :, 0]) - bare).abs().max() > 1e-3


def test_what_has_no_place_is_refused() -> None:
    unet: Any = UNet3DConditionModel(
        sample_size=8,
        block_out_channels=(8,),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=16,
        attention_head_dim=8,
        down_block_types=("DownBlock3D",),
        up_block_types=("UpBlock3D",),
    )
    unet.mid_block = None
    with pytest.raises(InputError, match=r"no spatial transformer blocks"):
        Adapter(unet, 16, 4, config())
    with pytest.raises(InputError, match=r"neither boxes nor a first picture"):
        AdapterConfig(None, None)
    with pytest.raises(InputError, match=r"needs a motion module"):
        AdapterConfig(None, ImageConfig(arrangement="parallel"))
    base = tiny_base()
    with pytest.raises(InputError, match=r"trains nothing: the adapter has no image module"):
        Adapter.of(base, AdapterConfig(MotionConfig())).stage("image")


def test_a_narrower_feed_forward_is_smaller_and_still_the_identity() -> None:
    base = tiny_base()
    bare = plain(base)
    narrow = AdapterConfig(MotionConfig(slots=4, feed=1), ImageConfig(channels=(8,), blocks=1, feed=1))
    wide = AdapterConfig(MotionConfig(slots=4), ImageConfig(channels=(8,), blocks=1))
    small, large = (Adapter.of(base, settings) for settings in (narrow, wide))
    assert torch.equal(answer(small, base), bare)
    count = [sum(value.numel() for value in adapter.parameters()) for adapter in (small, large)]
    assert count[0] < count[1]
    with pytest.raises(InputError, match=r"feed must be at least 1"):
        MotionConfig(feed=0)


@pytest.mark.parametrize("arrangement", ["after", "merged"])
def test_tokens_of_a_vision_backbone_in_place_of_the_latents(arrangement: Any, tmp_path: Path) -> None:
    image = ImageConfig("attention", arrangement, tokens="embedded:playground-clip", tune=False)
    base = tiny_base()
    bare = plain(base)
    adapter = Adapter.of(base, AdapterConfig(MotionConfig(slots=4), image))
    sight = adapter.sight
    assert sight is not None and adapter.encoder is None
    assert not any("sight" in name for name in adapter.state_dict())
    chance = np.random.default_rng(0)
    pictures = [Image.fromarray(chance.integers(0, 255, (32, 32, 3), np.uint8)) for _ in range(4)]
    seen, other = sight(pictures[:2]), sight(pictures[2:])
    assert seen.shape[2] == sight.width and torch.equal(sight(pictures[:1])[0], seen[0])
    assert torch.equal(answer(adapter, base, seen=seen), bare)
    torch.manual_seed(2)
    shake(adapter)
    whole = answer(adapter, base, seen=seen)
    assert (answer(adapter, base, seen=other) - whole).abs().max() > 1e-4
    blank = torch.ones(2).bool()
    assert torch.equal(answer(adapter, base, seen=seen, without_tokens=blank), answer(adapter, base, seen=0 * seen))
    save_adapter(adapter, {"digest": base.digest()}, tmp_path)
    assert torch.equal(answer(load_adapter(tmp_path, base), base, seen=seen), whole)
