"""What people get wrong in recipes, data and backbones: each failure is one message that says what to do."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lichen.training.recipe import load_recipe

from .shapes import PICTURES, TEXTS, Lichen, write_pictures

pytest.importorskip("matplotlib", reason="matplotlib, which draws the curves, is not installed")


# Recipes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", 'lacks task, such as: task = "classify"'),
        (b'task = "classify"', "lacks data, such as: a table [data]"),
        (b"\x00\xff\xfe\x80", "is no text in UTF-8"),
        ("task = 1".encode("utf-16"), "is no text in UTF-8"),
        (b"task = classify", "cannot be read as TOML: Invalid value (at line 1, column 8). Text needs quotes"),
        (b"# x\n" * 300_000, "is too long for a recipe"),
    ],
)
def test_files_that_are_no_recipes(contents: bytes, message: str, place: Path, lichen: Lichen) -> None:
    Path("mine.toml").write_bytes(contents)
    assert message in lichen.wrong("train", "mine.toml")
    assert not Path("runs").exists()


def test_recipes_that_are_not_there(place: Path, lichen: Lichen) -> None:
    Path("folder.toml").mkdir()
    assert "'folder.toml' is a folder. Give a recipe" in lichen.wrong("train", "folder.toml")
    assert "Did you mean 'pictures.toml'?" in lichen.wrong("cache", "picture.toml")
    assert "Did you mean 'digits'?" in lichen.wrong("train", "digit")
    assert "Shipped: cifar10-dinov2" in lichen.wrong("train", "zzz")
    assert "takes a recipe, or --resume RUN" in lichen.wrong("train")


def test_a_byte_order_mark_is_no_error(place: Path) -> None:
    Path("mine.toml").write_bytes(b"\xef\xbb\xbf" + PICTURES.encode())
    assert load_recipe("mine.toml").task == "classify"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[train]", "[trian]", "no table or setting 'trian'. Did you mean 'train'?"),
        ("steps = 2", "stpes = 2", "[train] has no setting 'stpes'. Did you mean 'steps'?"),
        ("steps = 2", 'steps = "2"', "[train] steps must be a whole number; got '2'"),
        ("steps = 2", "steps = true", "[train] steps must be a whole number; got True"),
        ("steps = 2", "steps = 0", "[train] steps must be above 0; got 0"),
        ("[side]", "[side]\nlr = 0.1", "[side] has no setting 'lr'. It belongs in [train]."),
        ("[side]", "[side.train]\nlr = 1\n[side]", "[side] has no setting 'train'. It belongs in a table of its own"),
        (
            "[side]\n",
            'side = "pooled"\n',
            "[backbone] has no setting 'side'. It belongs in a table of its own, [side].",
        ),
        ('"pooled"', '"poold"', "Unknown [side] method 'poold'. Did you mean 'pooled'?"),
        ('"pooled"', "3", "[side] method must be text; got 3"),
        ('method = "pooled"', "rank = 3", "[side] lacks method: unipt, sherl, lst, pooled or probe"),
        ('"pooled"', '"pooled"\nrank = 1.5', "[side] rank must be a whole number"),
        ('"pooled"', '"pooled"\nlayers = "all"', "[side] layers = 'all' does not fit"),
        ('"pooled"', '"pooled"\nlayers = [0, 99]', "Hidden state 99 does not exist. The model has 3"),
        ('"pooled"', '"unipt"\nreduction = 1000', "Give a reduction of at most 16"),
        ('"pooled"', '"sherl"\nlate_layers = 9', "late_layers=9 is too many"),
        ("[side]", "[sides.image]", "[sides.image] is for tasks that read several inputs. This one reads one: [side]."),
        ('[side]\nmethod = "pooled"\n', "", "The recipe lacks [side]. A whole recipe: lichen train --help"),
        ("task = ", "sides = 3\ntask = ", "must be a table for a part; got sides = 3"),
        ("task = ", "smoke = 3\ntask = ", "[smoke] must be a table"),
        ("task = ", 'name = "../up"\ntask = ', "so it must be a plain one; got '../up'"),
        ("task = ", "seed = -1\ntask = ", "seed must lie in 0 to 4294967295; got -1"),
        ('"classify"', '"clasify"', "Unknown task 'clasify'. Did you mean 'classify'?"),
        ('"classify"', '"retrieve"', "retrieve learns from pairs"),
        ('"folder"', '"foldr"', "Unknown kind of data 'foldr'. Did you mean 'folder'?"),
        ('"pictures"', '"pictrues"', "there is no file or folder"),
        ('"pictures"', '"pictures.toml"', "is no folder that can be read: Not a directory"),
        ('"vit"', '"vitt"', "There is no folder 'vitt' here, and no model of this id could be had"),
        ('"vit"', '"embedded:dino"', "Unknown embedded model 'dino'"),
        ('"vit"', '""', "[backbone] name is empty. Give a folder, a hub id, or embedded:minilm"),
        ('"vit"', '"vit"\nsize = 5000000', "[backbone] size must lie in 1 to 4096 pixels; got 5000000"),
        ('"vit"', '"vit"\nsize = 17', "ViTModel cannot read a picture of 17 x 17 pixels"),
        ('"vit"', '"bert"', "Pictures need an image processor; got"),
    ],
)
def test_wrong_settings(old: str, new: str, message: str, place: Path, lichen: Lichen) -> None:
    assert old in PICTURES
    Path("mine.toml").write_text(PICTURES.replace(old, new, 1), "utf-8")
    assert message in lichen.wrong("train", "mine.toml", "--smoke", "--quiet")
    assert not Path("runs/mine").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("train.lr", "--set takes key=value, such as train.lr=0.01; got 'train.lr'"),
        ("=3", "--set takes key=value"),
        ("train..lr=1", "--set takes key=value"),
        ("lr=0.1", "A recipe has no table or setting 'lr'. It belongs in [train]."),
        ("train=3", "[train] must be a table of settings; got 3"),
        ("train.lr=", "[train] lr must be a number; got ''"),
        ("train.lr=nan", "[train] lr must be above 0; got nan"),
        ("train.lr=inf", "[train] lr must be above 0; got inf"),
        ("train.clip=-1", "[train] clip must be 0 or more; got -1"),
        ("train.workers=-1", "[train] workers must be 0 or more"),
        ("train.save_every=-1", "[train] save_every must be 0 or more"),
        ('train.trackers="tensorboard"', 'must be a list, such as ["tensorboard"]'),
        ('train.trackers=["wanb"]', "Unknown [train] tracker 'wanb'. Did you mean 'wandb'?"),
        ("train.precision=float16", "[train] precision = 'float16' is not known. Did you mean 'bfloat16'?"),
        ("backbone.max_tokens=0", "[backbone] max_tokens must be at least 1"),
        ("backbone.part=nose", "Unknown part 'nose'"),
        ("store.codec=float8", "[store] codec = 'float8' is not known"),
        ("store.tokens=some", "Unknown [store] tokens 'some'"),
        ("store.batch=0", "[store] batch must be at least 1"),
        ("store.live=yes", "[store] live must be true or false; got 'yes'"),
        ("store.folder=texts.csv", "Cannot write to folder 'texts.csv/"),
        ("data.holdout=1.0", "data.holdout is a share from 0 to below 1"),
        ("data.limit=0", "data.limit is a number of samples, at least 1"),
        ("data.limit=1", "data.limit = 1 leaves training samples of one class only"),
        ("data.text=words", "data.text means nothing for kind = 'folder'"),
        ("head.dropout=2", "[head] dropout must lie in [0, 1); got 2"),
        ("head.pooling=maxx", "[head] pooling = 'maxx' is not known"),
        ("compare.seeds=0", "[compare] needs at least one seed"),
        ("compare.factors=[0.0]", "all must be above 0"),
    ],
)
def test_wrong_changes(change: str, message: str, place: Path, lichen: Lichen) -> None:
    assert message in lichen.wrong("train", "pictures.toml", "--quiet", "--out", "out", "--set", change)
    assert not Path("out").exists()


def test_changes_reach_every_part_and_leave_no_setting_of_another_method(place: Path) -> None:
    recipe = load_recipe("pairs.toml", ["backbone.max_tokens=9", "side.rank=5"])
    assert [config.max_tokens for config in recipe.backbones.values()] == [9, 9]
    assert {recipe.sides[part].to_dict()["rank"] for part in ("image", "text")} == {5}
    # As the copy in a run folder holds them: all settings of the first method, by part.
    Path("copy.toml").write_text(recipe.to_toml(), "utf-8")
    changed = load_recipe("copy.toml", ["side.method=unipt", "side.reduction=4"])
    assert {(side.method, side.to_dict()["reduction"]) for side in changed.sides.values()} == {("unipt", 4)}


def test_a_pair_needs_another_pair(place: Path, lichen: Lichen) -> None:
    assert "[train] batch must be at least 2 to retrieve" in lichen.wrong(
        "train", "pairs.toml", "--set", "train.batch=1"
    )
    text = Path("pairs.toml").read_text().replace("[backbones.image]", "[backbones.picture]")
    Path("mine.toml").write_text(text)
    assert "Unknown part in [backbones] 'picture'. Choose one of: image, text." in lichen.wrong("train", "mine.toml")


# Data ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("", "is empty: expected a first line with the names of the columns"),
        ("text,label\n", "holds no rows"),
        ("text,lable\ngood,up\n", "has no column 'label'. Did you mean 'lable'?"),
        ("words,label\ngood,up\n", "has neither a column 'text' nor 'image'"),
        ("text;label\ngood;up\n", "has semicolons between its columns"),
        ("text,label\ngood,up\n", "The only training sample of"),
        ("text,label\n" + "good,up\n" * 9, "Every one of the 9 training samples of"),
        ("text,label\ngood,up\nbad,down,x\n", "line 3: 3 fields where the header has 2"),
        (
            "text,label\n" + "good,up\nbad,down\n" * 5 + ",up\n",
            "At least 1 of 11 samples cannot be used, more than 5 %",
        ),
        ("text,label\ng\x00od,up\n", "line 2: a NUL byte"),
    ],
)
def test_wrong_tables(contents: str, message: str, place: Path, lichen: Lichen) -> None:
    Path("mine.csv").write_text(contents, "utf-8")
    words = ("--set", "data.path=mine.csv", "--out", "out")
    assert message in lichen.wrong("train", "texts.toml", *words)
    assert not Path("out").exists()


def test_a_label_unseen_in_training(place: Path, lichen: Lichen) -> None:
    Path("dev.csv").write_text("text,label\ngood,upp\n")
    message = lichen.wrong("train", "texts.toml", "--set", "data.dev=dev.csv")
    assert "The label 'upp' ('dev.csv:2' of" in message and "Did you mean 'up'?" in message


def own_pictures(change: Callable[[Path], Any]) -> Path:
    write_pictures(Path("own"))
    change(Path("own"))
    return Path("own")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda own: (own / "none").mkdir(), "own/none' holds no picture"),
        (lambda own: shutil.rmtree(own / "disc"), "has the label 'square', but a classifier needs at least two"),
        (lambda own: [shutil.rmtree(own / name) for name in ("disc", "square")], "holds no class folders"),
        (
            lambda own: [(own / "disc" / f"{n}.jpg").write_bytes(b"") for n in range(2)],
            "disc/0.jpg: is empty (0 bytes)",
        ),
    ],
)
def test_wrong_folders(change: Callable[[Path], Any], message: str, place: Path, lichen: Lichen) -> None:
    own_pictures(change)
    assert message in lichen.wrong("train", "pictures.toml", "--quiet", "--set", "data.path=own")


def test_a_corrupt_picture_among_good_ones_is_left_out_and_listed(place: Path, lichen: Lichen) -> None:
    def change(own: Path) -> None:
        (own / "disc" / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut short")

    own_pictures(change)
    words = ("pictures.toml", "--set", "data.path=own", "--set", "train.steps=1", "--set", "train.batch=1000")
    out, err = lichen("train", *words, "--out", "out", "--quiet")
    assert re.search(r"2[123] examples, 1 step in", out)
    assert "lichen: 1 sample was left out: disc/bad.jpg: " in err and "All: out/skipped.json" in err
    assert set(json.loads(Path("out/skipped.json").read_text())) == {"disc/bad.jpg"}
    assert "disc/bad.jpg" in lichen("cache", *words)[1]
    assert list(json.loads(lichen("cache", *words, "--json")[0])["skipped"]) == ["disc/bad.jpg"]


def test_nothing_to_measure_is_said(place: Path, lichen: Lichen) -> None:
    out, _ = lichen("train", "pictures.toml", "--set", "data.holdout=0.0", "--out", "out", "--quiet")
    assert "No dev or test samples, so nothing was measured." in out and "lichen evaluate" not in out
    assert "have no dev and no test samples. Measure with --split train" in lichen("evaluate", "out", code=2)[1]
    assert "accuracy" in lichen("evaluate", "out", "--split", "train")[0]


def test_odd_pictures_are_read(place: Path, lichen: Lichen) -> None:
    def change(own: Path) -> None:
        Image.new("CMYK", (20, 20)).save(own / "disc" / "cmyk.jpg")
        Image.new("RGB", (1, 1)).save(own / "square" / "one.png")
        Image.new("1", (30_000, 30_000)).save(own / "square" / "gigantic.png")

    own_pictures(change)
    out, _ = lichen("cache", "pictures.toml", "--set", "data.path=own", "--json")
    assert json.loads(out)["stores"][0]["samples"] == 27
    assert "has 900 megapixels" in json.loads(out)["skipped"]["square/gigantic.png"]


# Backbones ----------------------------------------------------------------------------------------------------------


def copy_of(source: str, *without: str) -> None:
    shutil.copytree(source, "model", ignore=shutil.ignore_patterns(*without))


def test_backbone_folders_that_lack_something(place: Path, lichen: Lichen) -> None:
    copy_of("bert", "token*", "special*")
    told = lichen.wrong("train", "texts.toml", "--quiet", "--set", "backbone.name=model")
    assert "knows no words" in told or "No tokenizer" in told
    shutil.rmtree("model")
    copy_of("vit", "*.safetensors")
    told = lichen.wrong("train", "pictures.toml", "--quiet", "--set", "backbone.name=model")
    assert "No usable transformers model in folder" in told
    Path("model/config.json").write_text('{"model_type": "unheard-of"}')
    told = lichen.wrong("train", "pictures.toml", "--quiet", "--set", "backbone.name=model")
    assert "unheard-of" in told or "No tokenizer or image processor" in told


def test_texts_need_a_text_backbone(place: Path, lichen: Lichen) -> None:
    Path("mine.toml").write_text(TEXTS.replace('"bert"', '"vit"'))
    assert "These samples are texts, but" in lichen.wrong("train", "mine.toml")
    assert "max_tokens must lie in 3 to 64" in lichen.wrong("train", "texts.toml", "--set", "backbone.max_tokens=99")


def test_a_live_backbone_is_tried_before_the_first_step(place: Path, lichen: Lichen) -> None:
    words = ("--quiet", "--set", "store.live=true", "--set", "backbone.size=17")
    assert "cannot read a picture of 17 x 17" in lichen.wrong("train", "pictures.toml", *words)
    assert not Path("runs/pictures").exists()
