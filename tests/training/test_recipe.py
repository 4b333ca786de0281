"""Recipes: what ships loads, TOML and back, changes from the command line, wrong settings at every level."""

from __future__ import annotations

import math
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lichen.data.config import DataConfig
from lichen.errors import InputError
from lichen.features.config import StoreConfig
from lichen.side.config import CONFIGS, LSTConfig, PooledConfig, SHERLConfig, UniPTConfig
from lichen.tasks import TASKS
from lichen.tasks.task import HeadConfig
from lichen.training.recipe import (
    BackboneConfig,
    CompareConfig,
    Recipe,
    StoreChoice,
    TrainConfig,
    find,
    from_dict,
    load_recipe,
)
from lichen.training.recipe_files import SHIPPED

NAMES = sorted(path.stem for path in SHIPPED.glob("*.toml"))
PLAIN = """
task = "classify"
[data]
kind = "table"
path = "texts.csv"
[backbone]
name = "embedded:minilm"
[side]
method = "unipt"
reduction = 4
[train]
epochs = 2
[smoke]
"train.batch" = 2
"side.reduction" = 8
"""
PAIRS = """
task = "retrieve"
[data]
kind = "image-pairs"
path = "pairs.csv"
[backbones.image]
name = "embedded:dinov2-small"
size = 56
[backbones.text]
name = "embedded:minilm"
[side]
method = "pooled"
"""


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    (tmp_path / "plain.toml").write_text(PLAIN)
    return tmp_path / "plain.toml"


def load(path: Path, *changes: str, **options: Any) -> Recipe:
    return load_recipe(str(path), changes, **options)


def again(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe that its TOML file gives."""
    (folder / "again.toml").write_text(recipe.to_toml(), "utf-8")
    return load(folder / "again.toml")


@pytest.mark.parametrize("smoke", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_shipped_recipes_load_and_are_written_as_they_are(name: str, smoke: bool, tmp_path: Path) -> None:
    recipe = load_recipe(name, smoke=smoke, root=tmp_path)
    assert recipe.name == name and recipe.task in TASKS
    assert (
        set(recipe.backbones)
        == set(recipe.sides)
        == set(TASKS[recipe.task].parts(recipe.data, tuple(recipe.backbones)))
    )
    assert again(recipe, tmp_path) == recipe
    if smoke:
        small, whole = recipe.train, load_recipe(name, root=tmp_path).train
        assert (small.steps or 0) * small.batch + (small.epochs or 0) < (whole.steps or 0) * whole.batch + (
            whole.epochs or 0
        )


def test_every_shipped_recipe_says_what_it_is_for() -> None:
    assert set(NAMES) >= {"digits", "sst2", "cola", "trec"}
    for name in NAMES:
        assert "Command:" in load_recipe(name).about


def test_tables_become_settings(plain: Path) -> None:
    recipe = load(plain)
    assert recipe == Recipe(
        name="plain",
        task="classify",
        data=DataConfig("table", path=str(plain.parent / "texts.csv")),
        backbones={"input": BackboneConfig("embedded:minilm")},
        sides={"input": UniPTConfig(reduction=4)},
        head=HeadConfig(),
        store=StoreChoice(),
        train=TrainConfig(epochs=2.0),
        compare=CompareConfig(),
    )


def test_smoke_is_applied_when_asked_for_and_before_the_changes(plain: Path) -> None:
    assert load(plain).train.batch == 16
    small = load(plain, smoke=True)
    assert (small.train.batch, small.sides["input"]) == (2, UniPTConfig(reduction=8))
    assert load(plain, "train.batch=5", smoke=True).train.batch == 5
    dotted = plain.read_text().replace('"train.batch" = 2', "train.batch = 3")
    plain.write_text(dotted)
    assert load(plain, smoke=True).train.batch == 3


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("train.lr=0.01", 0.01),
        ("train.lr=1e-4", 1e-4),
        ("train.lr=1", 1.0),
        ("train.steps=7", 7),
        ("train.schedule=cosine", "cosine"),
        ('train.schedule="cosine"', "cosine"),
        ("train.buckets=false", False),
        ('train.trackers=["tensorboard", "wandb"]', ("tensorboard", "wandb")),
        ("store.layers=[1, -1]", (1, -1)),
        ("store.layers=2", 2),
        ("store.folder=a b/c", "a b/c"),
        ("store.live=true", True),
        ("data.label=the label", "the label"),
        ("data.label = x=y ", "x=y"),
        ("data.classes=['up', 'down']", ("up", "down")),
        ("head.balanced=true", True),
        ("compare.rates.lora=2e-3", {"lora": 2e-3}),
        ("compare.factors=[1]", (1.0,)),
        ("seed=3", 3),
        ("about=two words", "two words"),
    ],
)
def test_changes_of_the_command_line(change: str, expected: Any, plain: Path) -> None:
    found: Any = load(plain, change)
    for name in change.partition("=")[0].strip().split(".")[:2]:
        found = getattr(found, name)
    assert found == expected and type(found) is type(expected)


def test_steps_take_the_place_of_epochs_and_the_other_way_round(plain: Path) -> None:
    train = load(plain, "train.steps=5").train
    assert (train.steps, train.epochs) == (5, None)
    train = load(plain, "train.steps=5", "train.epochs=0.5").train
    assert (train.steps, train.epochs) == (None, 0.5)
    with pytest.raises(InputError, match="takes steps or epochs, not both"):
        TrainConfig(steps=1, epochs=1.0)


def test_another_method_leaves_the_settings_of_the_old_one_behind(plain: Path) -> None:
    assert load(plain, "side.method=pooled").sides["input"] == PooledConfig()
    assert load(plain, "side.method=sherl").sides["input"] == SHERLConfig(reduction=4)
    assert load(plain, "side.method=lst", "side.reduction=2").sides["input"] == LSTConfig(reduction=2)


def test_changes_of_all_parts_and_of_one(tmp_path: Path) -> None:
    (tmp_path / "pairs.toml").write_text(PAIRS)
    recipe = load(tmp_path / "pairs.toml", "backbone.max_tokens=9", "backbones.image.size=28", "side.method=unipt")
    assert recipe.backbones["image"] == BackboneConfig("embedded:dinov2-small", size=28, max_tokens=9)
    assert recipe.backbones["text"] == BackboneConfig("embedded:minilm", max_tokens=9)
    assert set(recipe.sides.values()) == {UniPTConfig()}
    recipe = load(tmp_path / "pairs.toml", "sides.text.method=sherl")
    assert recipe.sides == {"image": PooledConfig(), "text": SHERLConfig()}
    assert again(recipe, tmp_path) == replace(recipe, name="pairs")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("", "--set takes key=value, such as train.lr=0.01; got ''"),
        ("train.lr", "--set takes key=value"),
        ("=3", "--set takes key=value"),
        ("train..lr=3", "--set takes key=value"),
        ("trian.lr=3", "no table or setting 'trian'. Did you mean 'train'?"),
        ("train.lr.x=3", "[train] lr must be a number; got {'x': 3}"),
        ("train=3", "[train] must be a table of settings; got 3"),
        ("task=clasify", "Unknown task 'clasify'. Did you mean 'classify'?"),
        ("task=3", "task must be text; got 3"),
        ("seed=-1", "seed must lie in 0 to"),
        ("seed=1.5", "seed must be a whole number; got 1.5"),
        ("name=a/b", "must be a plain one; got 'a/b'"),
        ("data.knid=folder", "[data] has no setting 'knid'. Did you mean 'kind'?"),
        ("data.kind=tabel", "Did you mean 'table'?"),
        ("data.captions=x.json", "data.captions means nothing for kind = 'table'"),
        ("backbone.nmae=x", "[backbone] has no setting 'nmae'. Did you mean 'name'?"),
        ("backbone.size=0", "[backbone] size must lie in 1 to"),
        ("backbone.max_tokens=0", "[backbone] max_tokens must be at least 1"),
        ("backbone.name=", "[backbone] name is empty"),
        ("backbone.revision=main", "'main' is of a hub repository, and"),
        ("side.method=unpit", "'unpit'. Did you mean 'unipt'?"),
        ("side.redction=2", "[side] has no setting 'redction'. Did you mean 'reduction'?"),
        ("side.reduction=0", "[side] reduction must be a whole number of at least 1; got 0"),
        ("side.reduction=two", "[side] reduction must be a whole number; got 'two'"),
        ("side.layers=all", "[side] layers = 'all' does not fit"),
        ("side.form=cnnn", "[side] form = 'cnnn' is not known. Did you mean 'cnn'?"),
        ("head.poling=mean", "[head] has no setting 'poling'. Did you mean 'pooling'?"),
        ("head.pooling=men", "[head] pooling = 'men' is not known. Did you mean 'mean'?"),
        ("head.dropout=1", "[head] dropout must lie in [0, 1); got 1.0"),
        ("store.codec=int9", "[store] codec = 'int9' is not known. Did you mean 'int8'?"),
        ("store.tokens=some", "[store] tokens"),
        ("store.batch=0", "[store] batch must be at least 1"),
        ("store.views=0", "[store] views must be a whole number of at least 1"),
        ("train.lr=nan", "[train] lr must be above 0; got nan"),
        ("train.lr=inf", "[train] lr must be above 0; got inf"),
        ("train.epochs=0", "[train] epochs must be above 0"),
        ("train.batch=0", "[train] batch must be at least 1"),
        ("train.warmup=1", "[train] warmup is a share of the steps, from 0 to below 1; got 1.0"),
        ("train.clip=-1", "[train] clip must be 0 or more"),
        ("train.workers=-1", "[train] workers must be 0 or more"),
        ("train.precision=float16", "[train] precision = 'float16' is not known"),
        ("compare.seeds=0", "[compare] needs at least one seed and one factor"),
        ("compare.factors=[]", "[compare] needs at least one seed and one factor"),
        ("compare.rates.lora=0", "must be above 0"),
        ("compare.rates=3", "[compare] rates must be a table; got 3"),
        ("backbones.image.name=x", "[backbones.image] is for tasks that read several inputs"),
        ("lr=3", "A recipe has no table or setting 'lr'. It belongs in [train]."),
    ],
)
def test_wrong_settings_are_told_with_the_nearest_right_one(change: str, message: str, plain: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(plain, change)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        ('task = "classify"', "lacks task, such as"),
        ('[data]\nkind = "table"\npath = "texts.csv"', "lacks data, such as"),
        ('kind = "table"', "[data] lacks kind."),
        ('[backbone]\nname = "embedded:minilm"', "The recipe lacks [backbone]."),
        ('name = "embedded:minilm"', "[backbone] lacks name."),
        ('[side]\nmethod = "unipt"\nreduction = 4', "The recipe lacks [side]."),
        ('method = "unipt"', "[side] lacks method: unipt, sherl, lst, pooled or probe."),
    ],
)
def test_what_is_missing_is_told(removed: str, message: str, plain: Path) -> None:
    assert removed in PLAIN
    plain.write_text(PLAIN.replace(removed, ""))
    with pytest.raises(InputError) as caught:
        load(plain)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PAIRS.replace("[backbones.text]", "[backbones.txet]"), "part in [backbones] 'txet'. Did you mean 'text'?"),
        (PAIRS.replace('[backbones.text]\nname = "embedded:minilm"', ""), "lacks [backbones.text], or one [backbone]"),
        (PAIRS.replace("[backbones.image]", "[other]").replace("[backbones.text]", "[another]"), "'other'"),
        (PAIRS + "[train]\nbatch = 1", "[train] batch must be at least 2 to retrieve"),
        (PAIRS.replace("retrieve", "classify"), "classify learns from data of the kinds"),
        (PLAIN.replace("classify", "retrieve"), "retrieve learns from pairs"),
        ('backbones = 3\ntask = "classify"\nside = 3\n[data]\nkind = "digits"', "must be a table for a part; got"),
        ('side = 3\ntask = "classify"\n[data]\nkind = "digits"\n[backbone]\nname = "x"', "[side] must be a table"),
        ("smoke = 3\n" + PLAIN.partition("[smoke]")[0], "[smoke] must be a table of settings"),
        (PLAIN + '"train.stpes" = 1', "[train] has no setting 'stpes'. Did you mean 'steps'?"),
    ],
)
def test_tables_that_do_not_go_together(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        load(tmp_path / "wrong.toml", smoke=True)
    assert message in str(caught.value)


def test_files_that_are_no_recipes(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("task = classify")
    with pytest.raises(InputError, match="cannot be read as TOML"):
        load(tmp_path / "broken.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no text in UTF-8"):
        load(tmp_path / "bytes.toml")
    with pytest.raises(InputError, match=r"no such file\. Did you mean 'digits'\?"):
        find("digit")
    with pytest.raises(InputError, match="is a folder"):
        find(str(tmp_path))


def test_relative_paths_start_at_the_recipe_or_where_the_caller_says(plain: Path, tmp_path: Path) -> None:
    assert load(plain).data.path == str(tmp_path / "texts.csv")
    other = tmp_path / "elsewhere"
    assert load(plain, root=other).data.path == str(other / "texts.csv")
    assert load(plain, "data.path=/data/x.csv", root=other).data.path == "/data/x.csv"
    assert load(plain, "data.images=pictures").data.images == str(tmp_path / "pictures")
    assert load(plain).data.images is None


def test_a_backbone_beside_the_recipe_is_known_by_its_whole_path(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bert").mkdir()
    assert load(plain, "backbone.name=bert").backbones["input"].name == str(tmp_path / "bert")
    assert load(plain, "backbone.name=owner/bert").backbones["input"].name == "owner/bert"
    monkeypatch.chdir(tmp_path)
    assert load(plain, "backbone.name=bert", root=Path("/")).backbones["input"].name == str(tmp_path / "bert")


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
SIDES = st.sampled_from(
    [*(config() for config in CONFIGS.values()), UniPTConfig(layers=(0, -1), residual=False), SHERLConfig(dropout=0.25)]
)


@settings(max_examples=40, deadline=None)
@example(about="", seed=0, rate=1.0, layers=None, side=SHERLConfig(), label="\r\n")
@given(
    about=TEXT,
    seed=st.integers(0, 2**32 - 1),
    rate=st.floats(1e-12, 1e6),
    layers=st.none() | st.integers(1, 4) | st.lists(st.integers(-3, 3), min_size=1, max_size=3, unique=True),
    side=SIDES,
    label=TEXT.filter(bool),
)
def test_toml_and_back(about: str, seed: int, rate: float, layers: Any, side: Any, label: str) -> None:
    recipe = from_dict(
        {
            "task": "classify",
            "about": about,
            "seed": seed,
            "data": {"kind": "table", "path": "/x.csv", "label": label},
            "backbone": {"name": "embedded:minilm", "size": 64},
            "side": {name: value for name, value in side.to_dict().items() if value is not None},
            "store": {"live": True} if layers is None else {"layers": layers},
            "train": {"lr": rate, "trackers": [about]},
            "compare": {"rates": {"lora": rate}},
        },
        "made up",
        Path("/"),
    )
    assert recipe.sides["input"] == side
    assert from_dict(tomllib.loads(recipe.to_toml()), "other", Path("/elsewhere")) == recipe


def test_what_is_unset_is_left_out_of_the_file(plain: Path) -> None:
    written = tomllib.loads(load(plain).to_toml())
    assert "steps" not in written["train"] and "layers" not in written["sides"]["input"]
    assert written["train"]["epochs"] == 2.0 and written["sides"]["input"]["method"] == "unipt"


def test_a_store_is_described_by_its_own_settings_alone() -> None:
    choice = StoreChoice(codec="int8", layers=2, folder="x", batch=3, views=2)
    assert choice.config() == StoreConfig(codec="int8", layers=2, views=2)
    assert type(choice.config()) is StoreConfig


def test_numbers_must_be_finite() -> None:
    for name in ("lr", "epochs", "clip", "weight_decay"):
        with pytest.raises(InputError, match=f"TrainConfig.{name} must be"):
            TrainConfig(**{name: math.inf})


def test_a_cosine_may_fall_several_times() -> None:
    assert TrainConfig(schedule="cosine").scheduler == ("cosine", {})
    assert TrainConfig(schedule="cosine", cycles=2).scheduler == ("cosine_with_restarts", {"num_cycles": 2})
    with pytest.raises(InputError, match=r'cycles is of schedule = "cosine"'):
        TrainConfig(cycles=2)
