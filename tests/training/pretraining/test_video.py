"""`playground-video`: built, trained, cut short, gone on with, written and read back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lichen.errors import InputError
from lichen.training.filming.table import ClipTable, kept_latents
from lichen.training.pretraining.__main__ import main
from lichen.training.pretraining.video import clip_config, make_base, train_video
from lichen.video.base import VideoBase
from lichen.video.codec import PixelCodec

from ...video.tiny import SETTINGS, texts

WORDS = [
    "clips=6", "steps=2", "batch=2", "frames=2", "channels=[16, 32]", "head=8", "groups=4", "precision=float32",
    "save_every=1",
]  # fmt: skip


def test_a_model_is_trained_measured_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = [word for change in WORDS for word in ("--set", change)]
    assert main(["video", "--out", str(tmp_path / "base"), "--tested", "4", *changes]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["clips"] == 4 and told["error"] > 0
    base = VideoBase.from_pretrained(tmp_path / "base")
    assert (
        base.frames == 2 and base.size == (32, 32) and "playground-video" in (tmp_path / "base/README.md").read_text()
    )


def test_a_training_that_was_cut_short_goes_on(tmp_path: Path) -> None:
    settings = replace(SETTINGS, clips=6)
    straight, facts = train_video(settings, tmp_path / "straight", quiet=True)
    train_video(
        replace(settings, steps=1), tmp_path / "cut", quiet=True
    )  # its schedule is shorter, hence the tolerance
    resumed, more = train_video(settings, tmp_path / "cut", quiet=True)
    assert facts["steps"] == more["steps"] == 2
    for one, two in zip(straight.unet.parameters(), resumed.unet.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-4)


def test_sizes_must_fit() -> None:
    with pytest.raises(InputError, match=r"no multiple of patch"):
        train_video(replace(SETTINGS, size=33), Path("nowhere"))


def test_what_is_kept_equals_what_is_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lichen.data.playground.clips.dataset import PlaygroundClips
    from lichen.data.playground.clips.kept import kept_clips

    clips = kept_clips(PlaygroundClips(0, "val", 5, clip_config(SETTINGS)))
    kept, live = (ClipTable(clips.pixels, clips.scenes, PixelCodec(2), texts(), 2, live=flag) for flag in (False, True))
    one, two = (table([3, 1])["targets"] for table in (kept, live))
    assert torch.equal(one["latents"], two["latents"])
    assert torch.equal(one["text"], two["text"])
    assert torch.equal(one["objects"].names, two["objects"].names)
    assert one["objects"].present[0].any() and not one["objects"].present[:, :, 1].any()
    track = clips.scenes[3].tracks[0]
    wanted = torch.tensor(track.boxes[0]) / 32
    torch.testing.assert_close(one["objects"].boxes[0, 0, 0], wanted)
    made = kept_latents(PixelCodec(2), clips.pixels)
    assert torch.equal(made[[3, 1]], one["latents"]) and torch.equal(kept_latents(PixelCodec(2), clips.pixels), made)


def test_tokens_of_first_pictures_are_kept_as_they_are_live() -> None:
    from lichen.data.playground.clips.dataset import PlaygroundClips
    from lichen.data.playground.clips.kept import kept_clips
    from lichen.video.pictures import PictureTokens

    clips = kept_clips(PlaygroundClips(0, "val", 5, clip_config(SETTINGS)))
    sight = PictureTokens("embedded:playground-clip")
    kept, live = (
        ClipTable(clips.pixels, clips.scenes, PixelCodec(2), texts(), 2, live=flag, sight=sight)
        for flag in (False, True)
    )
    assert torch.equal(kept([3, 1])["targets"]["seen"], live([3, 1])["targets"]["seen"])
    with pytest.raises(InputError, match=r"reads no pictures"):
        PictureTokens("embedded:minilm")


def test_fresh_weights_follow_the_seed() -> None:
    one, two, other = (make_base(replace(SETTINGS, seed=seed)).digest() for seed in (0, 0, 1))
    assert one == two != other
