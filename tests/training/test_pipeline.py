"""From a recipe to a trained run on tiny backbones: what is trained, on which examples, and what is left behind."""

from __future__ import annotations

import gc
import json
import resource
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import TrainerCallback

from lichen.errors import CheckpointError, InputError
from lichen.features.record import UnfinishedStore
from lichen.features.store import FeatureStore
from lichen.side.config import PooledConfig, SHERLConfig, SideConfig, UniPTConfig
from lichen.tasks.task import HeadConfig
from lichen.training import pipeline, sources
from lichen.training.batches import Batches
from lichen.training.opening import environment
from lichen.training.pipeline import Prepared, evaluate, fit, make_trainer, prepare, train
from lichen.training.recipe import BackboneConfig, Recipe, TrainConfig, from_dict, load_recipe
from lichen.training.run import Run

from ..families import make_trunk
from ..features.stores import assert_equal
from . import tiny_recipes

# Every training begins with a full garbage collection; what is loaded by now need not be looked through each time.
gc.freeze()
FILES = {"recipe.toml", "environment.json", "metrics.jsonl", "model.safetensors", "lichen.json", "README.md"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recipe]:
    """Recipes whose data and backbones lie in one folder."""
    root = tmp_path_factory.mktemp("place")
    store = {"shard": 8, "folder": str(root / "stores")}
    found: dict[str, Recipe] = {}
    for name, make in (("texts", "bert"), ("pictures", "vit")):
        (root / name).mkdir()
        found[name] = tiny_recipes.classify(root / name, make, store=store)
    chance = np.random.default_rng(0)
    for path in (root / "pictures" / "pictures").rglob("*.png"):
        Image.fromarray(chance.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(path)
    (root / "pairs").mkdir()
    found["pairs"] = tiny_recipes.retrieve(root / "pairs", store=store)
    return found


@pytest.fixture(autouse=True)
def without_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than these trainings."""
    monkeypatch.setattr(pipeline, "DrawCurves", lambda *args: TrainerCallback())


def with_side(recipe: Recipe, side: SideConfig, **train_settings: Any) -> Recipe:
    return replace(recipe, sides=dict.fromkeys(recipe.sides, side), train=replace(recipe.train, **train_settings))


def with_store(recipe: Recipe, **settings: Any) -> Recipe:
    return replace(recipe, store=replace(recipe.store, **settings))


def weights(run: Run) -> dict[str, torch.Tensor]:
    return dict(run.model.state_dict())


def equal(one: Run, other: Run) -> bool:
    mine, theirs = weights(one), weights(other)
    return mine.keys() == theirs.keys() and all(torch.equal(value, theirs[name]) for name, value in mine.items())


@pytest.mark.parametrize(
    ("data", "side"),
    [
        ("texts", PooledConfig()),
        ("texts", SHERLConfig(reduction=4)),
        ("pictures", UniPTConfig(reduction=4)),
        ("pairs", PooledConfig(rank=4)),
    ],
)
def test_a_run_that_is_opened_again_gives_what_was_recorded(
    data: str, side: SideConfig, place: dict[str, Recipe], tmp_path: Path
) -> None:
    recipe = with_side(place[data], side, lr=1e-2)
    told: list[tuple[str, int, int]] = []
    run = train(recipe, tmp_path / "run", quiet=True, report=lambda *args: told.append(args))
    assert {path.name for path in (tmp_path / "run").iterdir()} >= FILES
    assert {part for part, done, total in told if done == total} == set(recipe.backbones)
    facts = run.facts
    assert (facts["steps"], facts["skipped"], facts["seed"]) == (2, 0, 0) and facts["kept_bytes"] > 0
    assert facts["examples"] == len(prepare(recipe).examples("train"))
    opened = Run.open(tmp_path / "run")
    assert equal(opened, run) and opened.facts == run.facts and opened.task == run.task
    assert not any(module.training for module in opened.model.modules())
    assert evaluate(opened, recipe) == facts["metrics"] and facts["metrics"]["dev"]
    again = load_recipe(str(tmp_path / "run" / "recipe.toml"))
    assert again == recipe
    if data == "texts":
        assert evaluate(opened, with_store(again, live=True), ["dev"]) == {"dev": facts["metrics"]["dev"]}
        assert list(evaluate(opened, again, ["train"])) == ["train"]


def test_late_layers_are_trained_alike_from_a_store_and_live(place: dict[str, Recipe], tmp_path: Path) -> None:
    recipe = with_side(place["texts"], SHERLConfig(), lr=1e-2)
    stored = train(recipe, tmp_path / "stored", quiet=True)
    live = train(with_store(recipe, live=True), tmp_path / "live", quiet=True)
    assert equal(stored, live) and stored.facts["metrics"] == live.facts["metrics"]


def test_fresh_networks_follow_from_the_seed_alone(place: dict[str, Recipe]) -> None:
    recipe = with_side(place["texts"], SHERLConfig())
    states = []
    for prepared in (prepare(recipe), prepare(with_store(recipe, live=True))):
        torch.rand(3)
        states.append(fit(prepared, 3)[0].state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    other = fit(prepare(recipe), 4)[0].state_dict()
    assert any(not torch.equal(value, other[name]) for name, value in states[0].items())


@pytest.fixture(scope="module")
def trained(place: dict[str, Recipe], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on texts."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "DrawCurves", lambda *args: TrainerCallback())
        train(place["texts"], folder, quiet=True)
    return folder


def test_another_backbone_is_refused(place: dict[str, Recipe], trained: Path, tmp_path: Path) -> None:
    run = Run.open(trained)
    exchanged = BackboneConfig(tiny_recipes.save_backbone(tmp_path / "bert", "bert"), max_tokens=64)
    make_trunk("bert", seed=1).save_pretrained(tmp_path / "bert")
    other = with_store(replace(place["texts"], backbones={"input": exchanged}), folder=str(tmp_path / "stores"))
    for given in (other, with_store(other, live=True)):
        with pytest.raises(CheckpointError, match=r"of 'input' come from another backbone\. weights: expected"):
            evaluate(run, given)
    run.parts["input"] = replace(run.parts["input"], backbone=exchanged)
    with pytest.raises(CheckpointError, match=r"This run was trained beside another .*bert'\. weights: expected"):
        run.backbone("input")


def test_data_that_pose_another_question_are_refused_before_the_frozen_pass(
    place: dict[str, Recipe], trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.csv").write_text("text,label\n" + "good film,high\nbad film,low\n" * 10)
    recipe = place["texts"]
    other = replace(recipe, data=replace(recipe.data, train=str(tmp_path / "other.csv")))
    monkeypatch.setattr(pipeline, "open_source", None)
    with pytest.raises(InputError, match="classes: expected down, up, got high, low"):
        evaluate(Run.open(trained), other)


# Views ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("live", [False, True])
def test_training_sees_every_view_and_dev_the_first(live: bool, place: dict[str, Recipe]) -> None:
    plain = prepare(place["pictures"])
    prepared = prepare(with_store(place["pictures"], views=2, live=live))
    source = prepared.sources["input"]
    assert len(source.inputs) == 2 * len(prepared.dataset)
    assert source.store is None if live else len(source.store or ()) == len(source.inputs)
    rows = torch.tensor(prepared.dataset.rows("train"))
    train_side, dev = prepared.examples("train"), prepared.examples("dev")
    assert sorted(train_side.rows["input"].tolist()) == sorted([*(2 * rows).tolist(), *(2 * rows + 1).tolist()])
    assert dev.rows["input"].tolist() == [2 * row for row in prepared.dataset.rows("dev")]
    assert len(train_side) == 2 * len(plain.examples("train")) and len(dev) == len(plain.examples("dev"))
    labels = dict(zip(plain.examples("train").names, plain.examples("train").targets["labels"].tolist(), strict=True))
    assert train_side.targets["labels"].tolist() == [labels[name] for name in train_side.names]
    # The first view is the plain picture, the second is not.
    row, expected = int(rows[0]), plain.sources["input"].features([int(rows[0])], (1, 3))
    assert_equal(source.features([2 * row], (1, 3)), expected)
    assert not torch.equal(source.features([2 * row + 1], (1, 3)).final, expected.final)


def test_captions_have_no_views(place: dict[str, Recipe]) -> None:
    plain, prepared = prepare(place["pairs"]), prepare(with_store(place["pairs"], views=2))
    assert len(prepared.sources["image"].inputs) == 2 * len(prepared.dataset)
    assert len(prepared.sources["text"].inputs) == len(plain.sources["text"].inputs)
    one, two = plain.examples("train"), prepared.examples("train")
    assert two.rows["text"].tolist() == one.rows["text"].repeat_interleave(2).tolist()
    assert two.rows["image"].tolist() == [2 * row + view for row in one.rows["image"].tolist() for view in (0, 1)]
    assert two.targets["group"].tolist() == one.targets["group"].repeat_interleave(2).tolist()
    dev = prepared.examples("dev")
    assert dev.rows["image"].tolist() == [2 * row for row in plain.examples("dev").rows["image"].tolist()]


def test_views_of_texts_are_refused_before_the_frozen_pass(
    place: dict[str, Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "open_source", None)
    with pytest.raises(InputError, match="views are of pictures, and this recipe reads texts alone"):
        prepare(with_store(place["texts"], views=2))


# Samples that cannot be used ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("views", [1, 2])
def test_bad_pictures_leave_training_and_are_listed(views: int, tmp_path: Path) -> None:
    recipe = tiny_recipes.classify(tmp_path, "vit", store={"folder": str(tmp_path / "stores"), "views": views})
    whole = prepare(with_store(recipe, live=True))
    bad = whole.dataset.rows("train")[3]
    name = whole.dataset.ids[bad]
    path = Path(str(whole.dataset.scenes[bad].image))
    path.write_bytes(path.read_bytes()[:40])
    prepared = prepare(recipe)
    assert len(prepared.examples("train")) == len(whole.examples("train")) - views
    assert name not in prepared.examples("train").names and len(prepared.examples("dev")) == len(whole.examples("dev"))
    skipped = {name} if views == 1 else {f"{name}@0", f"{name}@1"}
    assert set(prepared.skipped) == skipped
    if views == 1:
        run = train(recipe, tmp_path / "run", quiet=True)
        assert set(json.loads((tmp_path / "run" / "skipped.json").read_text())) == skipped
        assert run.facts["skipped"] == 1 and run.facts["examples"] == len(prepared.examples("train"))


def test_a_bad_caption_takes_its_example_along(place: dict[str, Recipe]) -> None:
    before = prepare(place["pairs"]).examples("train")
    prepared = prepare(place["pairs"])
    text, image = prepared.sources["text"], prepared.sources["image"]
    text.skipped[text.inputs.ids[int(before.rows["text"][2])]] = "made up"
    assert prepared.examples("train").names == (*before.names[:2], *before.names[3:])
    prepared = prepare(place["pairs"])
    prepared.sources["image"].skipped |= dict.fromkeys(image.inputs.ids, "made up")
    with pytest.raises(InputError, match="No usable sample is left in the 'train' split"):
        prepared.examples("train")


# Classes --------------------------------------------------------------------------------------------------------------


def test_several_labels_a_sample(place: dict[str, Recipe], tmp_path: Path) -> None:
    lines = ["text,label", *("good film,up|new" if row % 3 else "bad film,down" for row in range(24))]
    (tmp_path / "several.csv").write_text("\n".join(lines))
    data = replace(place["texts"].data, train=str(tmp_path / "several.csv"), multi_label=True)
    recipe = replace(place["texts"], data=data, head=HeadConfig(balanced=True))
    run = train(recipe, tmp_path / "run", quiet=True)
    assert run.task.settings() == {"classes": ["down", "new", "up"], "several": True}
    opened = Run.open(tmp_path / "run")
    assert opened.task.headline == "mean_average_precision"
    assert evaluate(opened, recipe) == run.facts["metrics"]
    assert 0 <= run.facts["metrics"]["dev"]["mean_average_precision"] <= 1


def test_balanced_classes_weigh_in_training(place: dict[str, Recipe], tmp_path: Path) -> None:
    lines = ["text,label", *("good film,up" if row % 4 else "bad film,down" for row in range(24))]
    (tmp_path / "uneven.csv").write_text("\n".join(lines))
    data = replace(place["texts"].data, train=str(tmp_path / "uneven.csv"), holdout=0.0)
    recipe = replace(place["texts"], data=data, head=HeadConfig(balanced=True))
    model, _ = fit(prepare(recipe), 0)
    assert model.head.classifier.class_weights.tolist() == pytest.approx([2.0, 2 / 3])  # type: ignore[union-attr]


# Folders --------------------------------------------------------------------------------------------------------------


def test_a_folder_with_checkpoints_of_another_training_is_left_alone(place: dict[str, Recipe], tmp_path: Path) -> None:
    recipe = with_side(place["texts"], PooledConfig(), save_every=1, steps=1)
    train(recipe, tmp_path / "run", quiet=True)
    with pytest.raises(InputError, match=r"holds an unfinished training\. Go on: lichen train --resume"):
        train(recipe, tmp_path / "run", quiet=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError):
        train(recipe, tmp_path / "file" / "run", quiet=True)


def test_weights_are_safe_before_they_are_measured(
    place: dict[str, Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "score", stop)
    with pytest.raises(KeyboardInterrupt):
        train(place["texts"], tmp_path / "run", quiet=True)
    monkeypatch.undo()
    opened = Run.open(tmp_path / "run")
    assert opened.facts["metrics"] == {} and opened.facts["steps"] == 2
    assert evaluate(opened, place["texts"]).keys() == {"dev"}


def test_room_for_the_weights_is_taken_before_training(
    place: dict[str, Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def look(*args: Any, **options: Any) -> Any:
        sizes.append((tmp_path / "run" / ".reserved").stat().st_size)
        return make_trainer(*args, **options)

    monkeypatch.setattr(pipeline, "make_trainer", look)
    run = train(place["texts"], tmp_path / "run", quiet=True)
    assert sizes[0] > sum(value.nbytes for value in weights(run).values())
    assert not (tmp_path / "run" / ".reserved").exists()


def test_a_full_disk_is_noticed_before_training(place: dict[str, Recipe], tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    prepare(place["texts"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**19, hard))
    try:
        with pytest.raises(InputError, match=r"has no room for the 1\.\d MiB that this training will leave"):
            train(place["texts"], tmp_path / "run", quiet=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert not (tmp_path / "run" / ".reserved").exists()


def test_measuring_other_data_reads_no_more_than_is_measured(
    place: dict[str, Recipe], trained: Path, tmp_path: Path
) -> None:
    recipe, run = place["texts"], Run.open(trained)
    test = tiny_recipes.write_texts(tmp_path / "test.csv", rows=8, seed=5)
    stores = tmp_path / "stores"
    other = with_store(replace(recipe, data=replace(recipe.data, test=test)), folder=str(stores))
    found = evaluate(run, other, ["test"])
    assert [len(FeatureStore.open(folder)) for folder in stores.iterdir()] == [8]
    assert found == evaluate(run, with_store(other, live=True), ["test"])
    with pytest.raises(InputError, match="has no 'test' split"):
        evaluate(run, with_store(recipe, folder=str(tmp_path / "none")), ["test"])
    assert not (tmp_path / "none").exists()


def test_a_share_of_the_frozen_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tiny_recipes.classify(tmp_path, "bert", store={"folder": str(tmp_path / "stores"), "shard": 8})
    with pytest.raises(UnfinishedStore):
        prepare(recipe, share=(1, 2))
    assert prepare(recipe, share=(0, 2)).sources["input"].store is not None
    monkeypatch.setattr(sources, "load_backbone", None)
    prepare(recipe)


def test_stores_hold_the_states_that_are_read(place: dict[str, Recipe], monkeypatch: pytest.MonkeyPatch) -> None:
    class Enough(Exception):
        pass

    def stop(*args: Any) -> None:
        raise Enough(args[0].store.layers)

    def wanted(recipe: Recipe, **options: Any) -> Any:
        with pytest.raises(Enough) as caught:
            prepare(recipe, **options)
        return caught.value.args[0]

    monkeypatch.setattr(pipeline, "open_source", stop)
    recipe = with_side(place["texts"], UniPTConfig(layers=2))
    assert wanted(recipe) == (2, 3)
    assert wanted(with_side(recipe, SHERLConfig())) == (0, 1, 2)
    assert wanted(recipe, layers={"input": (0, 3)}) == (0, 3)
    # Where the recipe says what to keep, that holds.
    assert wanted(with_store(recipe, layers=1)) == 1
    with pytest.raises(InputError, match="late_layers=3 is too many"):
        prepare(with_side(recipe, SHERLConfig(late_layers=3)))


# Two towers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("live", [False, True])
def test_the_tower_that_reads_the_inputs_is_taken(live: bool, tmp_path: Path) -> None:
    folder = Path(tiny_recipes.save_backbone(tmp_path / "clip", "clip"))
    tokens = tiny_recipes.make_tokenizer(longest=20)
    tokens.save_pretrained(folder)
    data = tiny_recipes.write_texts(tmp_path / "texts.csv", rows=12)
    values: dict[str, Any] = {
        "task": "classify",
        "data": {"kind": "table", "path": data},
        "backbone": {"name": str(folder), "max_tokens": 16},
        "side": {"method": "unipt"},
        "store": {"folder": str(tmp_path / "stores"), "live": live},
    }
    prepared = prepare(from_dict(values, "tower", tmp_path))
    source = prepared.sources["input"]
    assert source.config.part == "text"
    assert source.outline.model_type == "clip_text_model" and source.outline.projected
    _, records = fit(prepared, 0)
    features = source.features([0, 1], records["input"].layers)
    assert features.anchor is not None and features.grid is None and features.pooled.shape == (2, 12)  # type: ignore[union-attr]


# What reaches the trainer ---------------------------------------------------------------------------------------------


def test_settings_reach_the_trainer(place: dict[str, Recipe], tmp_path: Path) -> None:
    settings = TrainConfig(
        steps=7,
        batch=3,
        accumulate=2,
        lr=0.02,
        weight_decay=0.3,
        warmup=0.25,
        schedule="cosine",
        clip=0.7,
        log_every=4,
        eval_every=5,
        save_every=6,
        keep=1,
    )
    prepared = prepare(replace(place["texts"], train=settings, seed=9))
    args = trainer_of(prepared, tmp_path).args
    assert (args.max_steps, args.per_device_train_batch_size, args.gradient_accumulation_steps) == (7, 3, 2)
    assert (args.learning_rate, args.weight_decay, args.warmup_steps, args.max_grad_norm) == (0.02, 0.3, 0.25, 0.7)
    assert (args.lr_scheduler_type, args.seed, args.logging_steps) == ("cosine", 9, 4)
    assert (args.eval_strategy, args.eval_steps, args.save_strategy, args.save_steps) == ("steps", 5, "steps", 6)
    assert args.save_total_limit == 1 and args.report_to == []
    args = trainer_of(prepare(replace(place["texts"], train=TrainConfig())), tmp_path).args
    assert (args.max_steps, args.num_train_epochs, args.eval_strategy, args.save_strategy) == (-1, 3.0, "no", "no")


def trainer_of(prepared: Prepared, folder: Path) -> Any:
    model, records = fit(prepared, 0)
    layers = {part: record.layers for part, record in records.items()}
    train_side, dev = (
        Batches(prepared.examples(split), prepared.sources, layers, prepared.task.told) for split in ("train", "dev")
    )
    return make_trainer(prepared, model, train_side, dev, folder, quiet=True)


def test_the_environment_names_versions() -> None:
    found = environment()
    assert found["torch"] == torch.__version__.partition("+")[0] or found["torch"] == torch.__version__
    assert found["lichen"] and found["cores"] >= 1 and found["threads"] >= 1
