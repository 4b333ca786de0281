"""Film recipes from the first line to a clip on the command line: stages, freezing, resuming, what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lichen.cli.main import main
from lichen.errors import CheckpointError, InputError, LichenError
from lichen.scene.clips import read_clip
from lichen.training.filming import pipeline
from lichen.training.filming.pipeline import open_film, train_film
from lichen.training.filming.recipe import FilmRecipe, load_film
from lichen.training.recipe import load_recipe
from lichen.training.recipe_files import FILMS, is_film
from lichen.video.base import VideoBase
from lichen.video.storage import saved_adapter

from ...video.tiny import tiny_base

NAMES = sorted(file.stem for file in FILMS.glob("*.toml"))
SMALL = """
[data]
train = 4
test = 2
frames = 2
[train]
steps = 2
batch = 2
precision = "float32"
save_every = 1
log_every = 1
[sample]
steps = 2
text_scale = 2.0
"""
MOTION = '[motion]\nslots = 2\ngates = "open"\nraster = true\n'
IMAGE = '[image]\nchannels = [8]\nblocks = 1\ngates = "open"\n'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a base model, the recipes of both stages, and the run of the first."""
    folder = tmp_path_factory.mktemp("films")
    tiny_base().save(folder / "base")
    for stage, tables, run in (
        ("motion", MOTION, ""),
        ("image", IMAGE, 'run = "runs/motion"\n'),
        ("joint", MOTION + IMAGE, ""),
    ):
        text = f'task = "film"\nstage = "{stage}"\n[base]\nname = "base"\n{run}{tables}{SMALL}'
        (folder / f"{stage}.toml").write_text(text)
    train_film(load_film(str(folder / "motion.toml")), folder / "runs" / "motion", quiet=True)
    return folder


def recipe(place: Path, stage: str, *changes: str) -> FilmRecipe:
    return load_film(str(place / f"{stage}.toml"), changes)


def test_a_run_holds_all_that_is_promised(place: Path) -> None:
    run = place / "runs" / "motion"
    names = {"recipe.toml", "environment.json", "metrics.jsonl", "curves.png", "model.safetensors", "lichen.json"}
    assert names | {"README.md", "manifest.json", "samples.png"} <= {path.name for path in run.iterdir()}
    facts = saved_adapter(run).facts
    assert facts["steps"] == 2 and facts["stage"] == "motion" and facts["kept_bytes"] > 0
    assert set(facts["metrics"]) == {"text + boxes", "text", "real clips"}
    assert {"ao", "sr50", "sr75", "psnr", "ssim", "clip_similarity", "playground_clip_distance"} <= set(
        facts["metrics"]["text + boxes"]
    )
    assert set(facts["gates"]) == {"motion.alpha_attn", "motion.alpha_dense"}
    # Two frames of two clips: too few to say more of the tracker than that it sees them.
    assert facts["metrics"]["real clips"]["ao"] > 0.7
    assert "lichen predict" in (run / "README.md").read_text()
    again = load_film(str(run / "recipe.toml"), root=place)
    assert again == recipe(place, "motion")


def test_the_second_stage_takes_the_first_over_and_leaves_it_alone(place: Path, tmp_path: Path) -> None:
    train_film(recipe(place, "image"), tmp_path / "image", quiet=True)
    before, after = (open_film(folder)[0].adapter for folder in (place / "runs" / "motion", tmp_path / "image"))
    assert before is not None and after is not None and after.added.image is not None
    own = before.state_dict()
    assert own and all(torch.equal(value, after.state_dict()[name]) for name, value in own.items())
    base = VideoBase.from_pretrained(place / "base")
    changed = [key for key, value in after.tuned.items() if not torch.equal(value, base.unet.get_parameter(_name(key)))]
    assert changed and set(saved_adapter(tmp_path / "image").facts["metrics"]) == {
        "text + boxes + image",
        "text + image",
        "real clips",
    }
    with pytest.raises(InputError, match=r"has an image module already"):
        train_film(recipe(place, "image", f"base.run={tmp_path / 'image'}"), tmp_path / "more", quiet=True)


def _name(key: str) -> str:
    return key.replace("/", ".")


@pytest.mark.slow
def test_joint_training_and_one_that_was_cut_short(place: Path, tmp_path: Path) -> None:
    whole = train_film(recipe(place, "joint"), tmp_path / "joint", quiet=True)
    run = tmp_path / "cut"
    shutil.copytree(tmp_path / "joint", run)
    for name in ("lichen.json", "model.safetensors", "manifest.json"):
        (run / name).unlink()
    with pytest.raises(InputError, match=r"holds an unfinished training"):
        train_film(recipe(place, "joint"), run, quiet=True)
    again = train_film(load_film(str(run / "recipe.toml"), root=place), run, resume=True, quiet=True)
    assert again["steps"] == whole["steps"] == 2
    one, two = (open_film(folder)[0].adapter for folder in (tmp_path / "joint", run))
    assert one is not None and two is not None
    for name, value in one.state_dict().items():
        torch.testing.assert_close(two.state_dict()[name], value, rtol=0, atol=0)


def test_a_frozen_weight_that_moves_stops_the_run(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = iter(["before", "after"])
    monkeypatch.setattr(pipeline, "digest_of", lambda tensors: next(digests))
    with pytest.raises(LichenError, match=r"must leave alone have changed"):
        train_film(recipe(place, "motion"), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run" / "lichen.json").exists()


def test_a_clip_on_the_command_line(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(place)
    assert main(["train", "image.toml", "--out", str(tmp_path / "image"), "--quiet"]) == 0
    told = capsys.readouterr().out
    assert "text + boxes + image" in told and "lichen predict" in told
    Image.fromarray(np.full((40, 40, 3), 180, np.uint8)).save(tmp_path / "first.png")
    boxes = {"labels": ["dog"], "frames": [[[4, 4, 20, 20]], [[12, 4, 28, 20]], [[20, 4, 36, 20]]]}
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    words = ["predict", str(tmp_path / "image"), "--image", str(tmp_path / "first.png")]
    words += ["--tracks", str(tmp_path / "boxes.json"), "--prompt", "a red dog"]
    out = str(tmp_path / "clip.gif")
    assert main([*words, "--out", out]) == 2
    assert "tracks have 3 frames and the clip has 2" in capsys.readouterr().err
    assert main([*words, "--out", out, "--resample", "--boxes", "--enlarge", "2", "--steps", "2"]) == 0
    assert [frame.size for frame in read_clip(out)] == [(64, 64)] * 2
    assert main([*words, "--out", str(tmp_path / "clip.mp4"), "--resample", "--steps", "2"]) == 0
    assert len(list(read_clip(tmp_path / "clip.mp4"))) == 2
    capsys.readouterr()
    for more, message in (
        (["--out", "clip.avi"], "--out"),
        ([], "A clip takes --prompt"),
        (["--out", out, "extra.png"], "takes no 'extra.png'"),
    ):
        assert main([*words, *more]) == 2
        assert message in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path / "image"), "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    saved = saved_adapter(tmp_path / "image").facts["metrics"]
    assert metrics["text + image"]["ao"] == pytest.approx(saved["text + image"]["ao"], abs=1e-6)
    assert main(["evaluate", str(tmp_path / "image"), "--split", "dev"]) == 2
    assert main(["train", "--resume", str(tmp_path / "image")]) == 2


def test_own_clips_are_cut_and_kept_apart(place: Path, tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    folder = tmp_path / "own" / "film"
    folder.mkdir(parents=True)
    frames = []
    for number in range(13):
        Image.fromarray(chance.integers(0, 255, (48, 96, 3), np.uint8)).save(folder / f"{number:02d}.png")
        frames.append({"file": f"{number:02d}.png", "box": [10 + number, 8, 24, 16]})
    told = {"name": "film", "width": 96, "height": 48, "object": "dog", "frames": frames}
    (folder / "track.json").write_text(json.dumps(told))
    from lichen.training.filming.clips import test_clips, training_clips

    config = recipe(place, "motion", "data.kind=clips", f"data.path={tmp_path / 'own'}").data
    train, test = training_clips(config, (32, 32)), test_clips(config, (32, 32))
    assert len(train) == 4 and len(test) == 1 and train.pixels.shape == (4, 2, 32, 32, 3)
    assert not {scene.id for scene in train.scenes} & {scene.id for scene in test.scenes}
    assert train.scenes[1].tracks[0].boxes[0] == pytest.approx((4.0, 8 * 2 / 3, 12.0, 16.0))
    assert train.scenes[0].captions == ("A dog.",)
    with pytest.raises(InputError, match=r"holds no clip of 64 frames"):
        training_clips(
            recipe(place, "motion", "data.kind=clips", f"data.path={tmp_path}", "data.frames=64").data, (32, 32)
        )


@pytest.mark.parametrize("name", NAMES)
def test_shipped_recipes_are_whole(name: str, tmp_path: Path) -> None:
    assert is_film(name)
    found = load_film(name, root=tmp_path)
    assert "Command:   lichen train" in found.about and found.name == name
    small = load_film(name, smoke=True, root=tmp_path)
    assert small.train.steps <= 2 and small.data.test <= 2
    with pytest.raises(InputError, match=r"cache, plan and compare do not"):
        load_recipe(name)


@pytest.mark.parametrize(
    ("stage", "changes", "message"),
    [
        ("motion", ["motion.slot=3"], r"Did you mean 'slots'"),
        ("motion", ["moton.slots=3"], r"Did you mean 'motion'"),
        ("motion", ["stage=movement"], r"stage = 'movement'"),
        ("motion", ["stage=image"], r"lacks the table \[image\]"),
        ("motion", ["stage=joint"], r"lacks the table \[image\]"),
        ("joint", ["stage=motion"], r"trains no image module"),
        ("joint", ["stage=image"], r"must be a trained one"),
        ("joint", ["base.run=x"], r"is for stage = \"image\""),
        ("motion", ["data.kind=clips"], r"path is needed"),
        ("motion", ["train.steps=0"], r"steps must be at least 1"),
        ("motion", ["data.test=0"], r"test must be at least 1"),
        ("motion", ["train.average=1.0"], r"average must lie in"),
    ],
)
def test_recipes_without_sense_are_refused(place: Path, stage: str, changes: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        recipe(place, stage, *changes)


def test_a_base_that_is_not_there(place: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"neither a video model of this library nor a pipeline"):
        train_film(recipe(place, "motion", "base.name=nowhere/there"), tmp_path / "run", quiet=True)
    with pytest.raises(CheckpointError, match=r"lacks its recipe.toml"):
        open_film(tmp_path)
