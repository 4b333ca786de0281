"""From a prompt, a picture and boxes to frames: on the library's small base, and on a pipeline of diffusers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler
from PIL import Image

import lichen
from lichen.errors import CheckpointError, InputError
from lichen.scene.clips import read_clip
from lichen.training.filming.table import kept_latents
from lichen.training.pretraining.video import make_base
from lichen.video.adapter import Adapter
from lichen.video.base import VideoBase
from lichen.video.codec import to_frames
from lichen.video.config import AdapterConfig, ImageConfig, MotionConfig
from lichen.video.diffusion import Schedule
from lichen.video.pipeline import LichenVideoPipeline, framed_picture
from lichen.video.sampling import SampleConfig, Told, coefficients, guided, sample
from lichen.video.storage import save_adapter
from lichen.video.tracks import Tracks

from .tiny import SETTINGS, config, inputs, save_pipeline, shake, texts, tiny_base

BOXES = [[(2.0, 4.0, 20.0, 24.0)], [(8.0, 4.0, 26.0, 24.0)]]
PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8))


def make(settings: AdapterConfig | None = None) -> LichenVideoPipeline:
    base = tiny_base()
    adapter = Adapter.of(base, settings or config(raster=True))
    torch.manual_seed(3)
    for name, child in adapter.named_children():
        if name != "tuned":
            shake(child)
    return LichenVideoPipeline(base, adapter.eval(), SampleConfig(steps=2, text_scale=2.0))


def test_branches_add_up() -> None:
    assert coefficients([2.0]) == [-1.0, 2.0]
    assert coefficients([1.0, 1.0, 7.5]) == [0.0, 0.0, -6.5, 7.5]
    assert coefficients([1.5, 2.0, 3.0]) == [-0.5, -0.5, -1.0, 3.0]
    assert coefficients([1.0, 1.0, 1.0]) == [0.0, 0.0, 0.0, 1.0]


@torch.no_grad()
def test_guidance_is_the_nested_sum_and_scale_one_the_models_own_answer() -> None:
    pipe = make()
    adapter, unet = pipe.adapter, pipe.base.unet
    assert adapter is not None
    unet.double(), adapter.double()
    sample, _, text, things = inputs()
    sample, text = sample.double(), text.double()
    time, first, nothing = torch.tensor(400), sample[:, :, 1], texts().prompts([""])[0].double()
    told = Told(text, nothing, things, first)
    zero, gone = torch.zeros_like(first), things.without(torch.ones(2).bool())
    blank = nothing.expand_as(text)
    e0 = adapter(unet, sample, time, blank, gone, zero)
    e1 = adapter(unet, sample, time, blank, gone, first)
    e2 = adapter(unet, sample, time, blank, things, first)
    e3 = adapter(unet, sample, time, text, things, first)
    scales = SampleConfig(text_scale=3.0, boxes_scale=2.0, image_scale=1.5)
    found = guided(unet, adapter, sample, time, told, scales)
    wanted = e0 + 1.5 * (e1 - e0) + 2.0 * (e2 - e1) + 3.0 * (e3 - e2)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-8)
    ones = SampleConfig(text_scale=1.0)
    torch.testing.assert_close(guided(unet, adapter, sample, time, told, ones), e3, rtol=0, atol=1e-8)
    plain = guided(unet, None, sample, time, Told(text, nothing), SampleConfig(text_scale=3.0))
    bare = [unet(sample, time, words).sample for words in (blank, text)]
    torch.testing.assert_close(plain, bare[0] + 3.0 * (bare[1] - bare[0]), rtol=0, atol=1e-8)


def test_a_prompt_a_picture_and_boxes_become_frames(tmp_path: Path) -> None:
    pipe = make()
    out = pipe("a red dog walks", image=PICTURE, tracks=BOXES, labels=["dog"])
    assert len(out.frames) == 1 and len(out.frames[0]) == 2 and out.frames[0][0].size == (32, 32)
    again = pipe("a red dog walks", image=PICTURE, tracks=BOXES, labels=["dog"])
    assert torch.equal(out.pixels, again.pixels)
    other = pipe("a red dog walks", image=PICTURE, tracks=BOXES[::-1], labels=["dog"])
    assert not torch.equal(out.pixels, other.pixels)
    assert out.tracks[0].boxes == (tuple(frame[0] for frame in BOXES),)
    out.save(tmp_path / "clip.gif", boxes=True, scale=2)
    assert [frame.size for frame in read_clip(tmp_path / "clip.gif")] == [(64, 64)] * 2
    with pytest.raises(InputError, match=r"There are 1 clips"):
        out.save(tmp_path / "clip.gif", number=1)


def test_a_clip_is_the_same_alone_and_in_a_batch() -> None:
    pipe = make()
    tracks = Tracks.of_frames(BOXES, ["dog"], (32, 32))
    other = Tracks.of_frames([[None, (0.0, 0.0, 9.0, 9.0)]] * 2, ["cat", "ball"], (32, 32))
    both = pipe(["a dog", "a cat"], image=PICTURE, tracks=[tracks, other], seed=5).pixels
    alone = pipe("a cat", image=PICTURE, tracks=other, seed=6).pixels
    assert (both[1].int() - alone[0].int()).abs().max() <= 1
    seeds = pipe(["a dog", "a dog"], seed=[4, 4]).pixels
    assert (seeds[0].int() - seeds[1].int()).abs().max() <= 1
    assert not torch.equal(both[0], both[1])


def test_gates_work_in_the_first_share_of_the_steps() -> None:
    pipe = make(AdapterConfig(MotionConfig(slots=4, raster=True)))
    whole, none = (pipe("a dog", tracks=BOXES, labels=["dog"], gates=share).pixels for share in (1.0, 0.0))
    half = pipe("a dog", tracks=BOXES, labels=["dog"], gates=0.5).pixels
    assert torch.equal(none, pipe("a dog").pixels)
    assert not torch.equal(half, whole) and not torch.equal(half, none)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:diffusers")  # theirs, of how NumPy copies
@pytest.mark.parametrize("kind", [DPMSolverMultistepScheduler, EulerDiscreteScheduler])
def test_other_schedulers_sample_too(kind: Any) -> None:
    pipe = make()
    pipe.base.scheduler = kind.from_config(
        pipe.base.scheduler.config, beta_schedule="scaled_linear", rescale_betas_zero_snr=False
    )
    first, again = (pipe("a dog", tracks=BOXES, labels=["dog"], steps=3).pixels for _ in range(2))
    assert torch.equal(first, again)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:diffusers")  # theirs, of how NumPy copies
def test_a_scheduler_that_does_not_know_what_the_model_predicts_is_named() -> None:
    pipe = make()
    pipe.base.scheduler = EulerAncestralDiscreteScheduler.from_config(pipe.base.scheduler.config)
    with pytest.raises(
        InputError, match="EulerAncestralDiscreteScheduler cannot sample a model that predicts 'sample'"
    ):
        pipe("a dog", steps=3)


def test_tracks_follow_a_picture_of_another_shape() -> None:
    pipe = make()
    wide = PICTURE.resize((64, 32))
    squeezed = pipe("a dog", image=wide, tracks=[[(32.0, 0.0, 64.0, 32.0)]] * 2, labels=["dog"])
    assert squeezed.tracks[0].boxes[0][0] == (16.0, 0.0, 32.0, 32.0)
    cropped = pipe("a dog", image=wide, tracks=[[(32.0, 0.0, 64.0, 32.0)]] * 2, labels=["dog"], fit="crop")
    assert cropped.tracks[0].boxes[0][0] == (16.0, 0.0, 32.0, 32.0)
    assert framed_picture(wide, (32, 32), "crop").tobytes() == wide.crop((16, 0, 48, 32)).tobytes()


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"tracks": BOXES}, r"Boxes need labels"),
        ({"labels": ["dog"]}, r"labels and no tracks"),
        ({"tracks": BOXES, "labels": ["dog", "cat"]}, r"must list 2 boxes"),
        ({"tracks": BOXES * 3, "labels": ["dog"]}, r"tracks have 6 frames and the clip has 2"),
        ({"tracks": [[BOXES[0][0]] * 5] * 2, "labels": ["dog"] * 5}, r"5 things, and this model has 4 slots"),
        ({"tracks": [[None]] * 0, "labels": ["dog"]}, r"no frame"),
        ({"image": [PICTURE, PICTURE]}, r"1 prompts and 2 pictures"),
        ({"seed": [1, 2]}, r"1 clips and 2 seeds"),
        ({"fit": "crp"}, r"Did you mean 'crop'"),
        ({"stepz": 3}, r"Did you mean 'steps'"),
        ({"steps": 0}, r"steps must be at least 1"),
        ({"gates": 2.0}, r"gates must lie in 0 to 1"),
    ],
)
def test_what_does_not_fit_is_refused(told: dict[str, Any], message: str, unchecked: None) -> None:
    with pytest.raises(InputError, match=message):
        make()("a dog", **told)


def test_what_the_model_has_no_module_for_is_refused() -> None:
    bare = LichenVideoPipeline(tiny_base())
    with pytest.raises(InputError, match=r"no image module"):
        bare("a dog", image=PICTURE)
    with pytest.raises(InputError, match=r"no motion module"):
        bare("a dog", tracks=BOXES, labels=["dog"])
    with pytest.raises(InputError, match=r"Name a base model"):
        LichenVideoPipeline.from_pretrained()


def test_a_picture_seen_by_a_vision_backbone() -> None:
    image = ImageConfig("attention", tokens="embedded:playground-clip", tune=False)
    pipe = make(AdapterConfig(None, image))
    other = PICTURE.transpose(Image.Transpose.ROTATE_90)
    first, again, third = (pipe("a dog", image=picture).pixels for picture in (PICTURE, PICTURE, other))
    assert torch.equal(first, again) and not torch.equal(first, third)


def test_things_out_of_sight_in_some_frames_and_in_all() -> None:
    pipe = make()
    gone = [[None], [None]]
    absent = pipe("a dog", tracks=gone, labels=["dog"]).pixels
    outside = pipe("a dog", tracks=[[(40.0, 0.0, 50.0, 9.0)]] * 2, labels=["dog"]).pixels
    assert torch.equal(absent, outside)
    assert not torch.equal(absent, pipe("a dog", tracks=[BOXES[0], [None]], labels=["dog"]).pixels)


def test_base_and_adapter_come_back_from_folders(tmp_path: Path) -> None:
    base = tiny_base()
    base.save(tmp_path / "base")
    fresh = VideoBase.from_pretrained(tmp_path / "base")
    assert fresh.digest() == base.digest() and fresh.size == (32, 32) and fresh.guidance == 2.0
    adapter = Adapter.of(fresh, config())
    torch.manual_seed(4)
    for name, child in adapter.named_children():
        if name != "tuned":
            shake(child)
    told = {"name": str(tmp_path / "base"), "digest": fresh.digest()}
    save_adapter(adapter, told, tmp_path / "run", {"sample": {"steps": 2, "text_scale": 1.0}})
    pipe = lichen.LichenVideoPipeline.from_pretrained(motion=tmp_path / "run")
    assert pipe.config == SampleConfig(steps=2, text_scale=1.0)
    named = lichen.LichenVideoPipeline.from_pretrained(tmp_path / "base", motion=tmp_path / "run")
    told = {"image": PICTURE, "tracks": BOXES, "labels": ["dog"]}
    assert torch.equal(pipe("a dog", **told).pixels, named("a dog", **told).pixels)
    with pytest.raises(InputError, match=r"neither a video model of this library nor a pipeline"):
        VideoBase.from_pretrained(tmp_path / "nothing")
    (tmp_path / "base" / "unet.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"altered or truncated"):
        VideoBase.from_pretrained(tmp_path / "base")
    with pytest.raises(CheckpointError, match=r"holds no video adapter|not a folder that Lichen saved"):
        LichenVideoPipeline.from_pretrained(base, motion=tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_a_pipeline_of_diffusers_is_a_base(tmp_path: Path) -> None:
    folder = save_pipeline(tmp_path)
    base = VideoBase.from_pretrained(folder)
    assert base.codec.channels == 4 and base.texts.width == 16 and base.guidance == 7.5
    adapter = Adapter.of(base, config())
    shake(adapter.motion), shake(adapter.image)  # type: ignore[arg-type]
    save_adapter(adapter, {"name": str(folder), "digest": base.digest()}, tmp_path / "run")
    pipe = LichenVideoPipeline.from_pretrained(folder, motion=tmp_path / "run")
    told: dict[str, Any] = {"tracks": [[(0.0, 0.0, 4.0, 4.0)]] * 3, "labels": ["a dog"], "frames": 3, "steps": 2}
    out = pipe(["a dog", "a cat"], image=PICTURE, **told)
    assert out.pixels.shape == (2, 3, 8, 8, 3)
    frames = torch.rand(1, 3, 3, 8, 8) * 2 - 1
    assert base.codec.encode(frames).shape == (1, 4, 3, 8, 8)
    assert base.codec.decode(base.codec.encode(frames)).shape == frames.shape
    clips = torch.randint(0, 255, (3, 2, 8, 8, 3), dtype=torch.uint8)
    kept = kept_latents(base.codec, clips.numpy())
    torch.testing.assert_close(kept, base.codec.encode(to_frames(clips)), rtol=0, atol=1e-5)
    assert torch.equal(kept_latents(base.codec, clips.numpy()), kept)
    ends = base.texts.names(["ab", "abc"])
    torch.testing.assert_close(ends[0], base.texts.prompts(["ab"])[0, 3])
    torch.testing.assert_close(ends[1], base.texts.prompts(["abc"])[0, 4])
    with pytest.raises(InputError, match=r"Only models without a VAE"):
        base.save(tmp_path / "copy")


class Perfect:
    """A UNet that knows the clip and so tells its noise exactly."""

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, clean: torch.Tensor, schedule: Schedule) -> None:
        self.clean, self.schedule = clean, schedule

    def __call__(self, sample: torch.Tensor, times: torch.Tensor, encoder_hidden_states: Any) -> Any:
        where = times.expand(len(sample))
        clean = self.clean.expand(len(sample), *self.clean.shape[1:])
        signal, spread = self.schedule.levels(where)
        noise = (sample - signal * clean) / spread
        return SimpleNamespace(sample=self.schedule.wanted(clean, noise, where))


@pytest.mark.parametrize("target", ["sample", "v_prediction"])
def test_a_perfect_model_gives_its_clip_back(target: str) -> None:
    scheduler: Any = make_base(replace(SETTINGS, target=target)).scheduler
    clean = inputs(1)[0].clamp(-1, 1)
    text, nothing = inputs(1)[2], texts().prompts([""])[0]
    told = Told(text, nothing)
    found = sample(Perfect(clean, Schedule(scheduler)), None, scheduler, told, clean.shape[1:], SampleConfig(9), [0])
    torch.testing.assert_close(found, clean, rtol=0, atol=1e-3)
