"""A plan against what then is measured: kept bytes, optimiser, parameters, bytes on disk."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lichen.data.dataset import Dataset
from lichen.data.inputs import TextInputs
from lichen.errors import InputError
from lichen.features.config import CODECS, StoreConfig
from lichen.features.preflight import passed, reader_of
from lichen.heads.given import Given
from lichen.memory import memory_report
from lichen.side.config import CONFIGS as SIDES
from lichen.side.config import UniPTConfig
from lichen.training import pipeline
from lichen.training.comparing.arena import padded
from lichen.training.comparing.methods import parse_methods
from lichen.training.comparing.peers import PeerModel
from lichen.training.engine.order import Updates
from lichen.training.engine.trainer import LichenTrainer
from lichen.training.pipeline import Batches, prepare, train
from lichen.training.planning import batches as plan_batches
from lichen.training.planning import sources as plan_sources
from lichen.training.planning.batches import planned_batches
from lichen.training.planning.plan import PEERS_SHOWN, Plan, default_methods, make_plan, prepare_without_weights
from lichen.training.planning.sources import FirstPass, StoreShape
from lichen.training.planning.speed import machine_speed
from lichen.training.recipe import Recipe, StoreChoice
from lichen.training.sources import load_backbone

from ..tiny_recipes import classify, retrieve, write_texts

SPEED = machine_speed(0.01)
WEIGHTS = "model.safetensors"
RUNS: list[Any] = [
    ("bert", "sherl", {"store": {"codec": "int8"}}),
    ("vit", "unipt", {"store": {"live": True, "views": 2}}),
]
MORE_RUNS: list[Any] = [
    ("efficientnet-lite", "pooled", {"head": {"balanced": True}}),
    ("bert", "pooled", {}),
    ("bert", "unipt", {}),
    ("bert", "lst", {"store": {"codec": "pca", "rank": 4}}),
    ("bert", "probe", {"head": {"pooling": "gpo"}}),
    ("bert", "sherl", {"store": {"live": True}}),
    ("bert", "pooled", {"store": {"tokens": "cls+pooled"}}),
    ("bert", "unipt", {"store": {"tokens": "every-3"}, "train": {"accumulate": 2, "steps": None, "epochs": 1.5}}),
    ("bert", "sherl", {"train": {"precision": "bfloat16"}}),
    ("llama", "unipt", {"seed": 3, "train": {"buckets": False}}),
    ("vit", "unipt", {"store": {"layers": [1, 2]}, "side": {"layers": [1, 2]}}),
    ("vit", "sherl", {"store": {"views": 2}}),
    ("efficientnet-lite", "unipt", {"store": {"codec": "int8-channel"}}),
    ("resnet", "unipt", {"store": {"live": True}}),
]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores lie in the current folder."""
    monkeypatch.chdir(tmp_path)


@contextmanager
def weights_away(recipe: Recipe) -> Iterator[None]:
    """The backbones' weights are absent inside the block."""
    files = [Path(config.name, WEIGHTS) for config in recipe.backbones.values()]
    for file in files:
        shutil.move(file, file.with_suffix(".away"))
    try:
        yield
    finally:
        for file in files:
            shutil.move(file.with_suffix(".away"), file)


def planned(recipe: Recipe, *methods: str) -> Plan:
    with weights_away(recipe):
        return make_plan(recipe, parse_methods(methods) if methods else None, SPEED)


def check_against_training(recipe: Recipe, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan, train, compare."""
    plan = planned(recipe, method + ("@live" if recipe.store.live else ""))
    (found,) = plan.methods
    trainers: list[LichenTrainer] = []
    make = pipeline.make_trainer

    def noting(*args: Any) -> LichenTrainer:
        trainers.append(make(*args))
        return trainers[-1]

    monkeypatch.setattr(pipeline, "make_trainer", noting)
    run = train(recipe, Path("run"), quiet=True)
    states = trainers[0].optimizer.state.values()
    moments = sum(value.nbytes for state in states for value in state.values() if value.ndim)
    assert found.problem is None
    assert found.kept_bytes == run.facts["kept_bytes"]
    assert found.trained_parameters == sum(parameter.numel() for parameter in run.model.parameters())
    assert found.optimiser_bytes == pytest.approx(moments, rel=0.1)
    assert (plan.updates, plan.examples) == (run.facts["steps"], run.facts["examples"])


@pytest.mark.parametrize(("family", "method", "tables"), RUNS)
def test_plan_counts_what_training_then_measures(family, method, tables, tmp_path, monkeypatch):
    check_against_training(classify(tmp_path, family, method, **tables), method, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "method", "tables"), MORE_RUNS)
def test_plan_counts_what_training_then_measures_everywhere(family, method, tables, tmp_path, monkeypatch):
    check_against_training(classify(tmp_path, family, method, **tables), method, monkeypatch)


@pytest.mark.parametrize("method", ["pooled", pytest.param("sherl", marks=pytest.mark.slow)])
def test_both_towers_of_a_retrieval_are_counted(method, tmp_path, monkeypatch):
    recipe = retrieve(tmp_path, side={"method": method})
    check_against_training(recipe, method, monkeypatch)
    parts = {part.part: part for part in make_plan(recipe, parse_methods(["probe"]), SPEED).parts}
    assert (parts["image"].kind, parts["image"].picture_size, parts["image"].tokens_mean) == ("image", 32, None)
    assert (parts["text"].kind, parts["text"].samples, parts["text"].picture_size) == ("text", 27, None)


@pytest.mark.parametrize(
    ("family", "store"),
    [
        ("bert", {}),
        pytest.param("vit", {"views": 2, "layers": [0, 3]}, marks=pytest.mark.slow),
        pytest.param("bert", {"tokens": "every-2", "shard": 7}, marks=pytest.mark.slow),
        pytest.param("resnet", {}, marks=pytest.mark.slow),
        pytest.param("vit", {"tokens": "pooled"}, marks=pytest.mark.slow),
    ],
)
def test_stores_take_the_bytes_that_were_planned(family, store, tmp_path):
    recipe = classify(tmp_path, family, "unipt", store={"rank": 8, **store})
    if "layers" in store:
        recipe = replace(recipe, sides={"input": UniPTConfig(layers=tuple(store["layers"]))})
    plans = {store.codec: store for store in planned(recipe, "probe").stores}
    assert tuple(plans) == CODECS
    for codec, plan in plans.items():
        choice = replace(recipe.store, codec=codec)
        made = prepare(replace(recipe, store=choice)).sources["input"].store
        assert plan.layers == made.indices
        assert plan.bytes == pytest.approx(made.nbytes, rel=0.02), codec
        assert plan.bytes_per_sample == round(plan.bytes / len(made))
        assert plan.chosen == (codec == "float32")


FAMILIES = ("bert", "llama", "vit", "convnext", "clip", pytest.param("swin", marks=pytest.mark.slow))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_planned_store_holds_what_a_real_one_would(family, tmp_path):
    part = {"backbone": {"part": "vision"}} if family == "clip" else {}
    recipe = classify(tmp_path, family, **part)
    source = prepare_without_weights(recipe).sources["input"]
    shape = StoreShape(FirstPass(source.backbone, source.inputs), StoreConfig())
    batch = shape.store(shape.lengths(source.inputs))[[0, 1]]
    samples = [source.inputs[0], source.inputs[1]]
    if "pixel_values" in samples[0]:
        # Of a black picture some outputs are equal by chance.
        samples = [{"pixel_values": torch.rand(3, 32, 32)} for _ in samples]
    reader = reader_of(load_backbone(recipe.backbones["input"]), recipe.backbones["input"].part, samples[0])
    real = passed(reader, samples, StoreConfig())
    assert shape.record.final_is_last == (real.final is real.states[-1])
    assert [state.shape for state in batch.states] == [state.shape for state in real.states]
    assert batch.final.shape == real.final.shape
    assert batch.grid == real.grid
    assert batch.mask is real.mask is None or torch.equal(batch.mask, real.mask)
    assert (batch.pooled is None) == (real.pooled is None)


def test_first_batch_is_found_from_few_lengths(tmp_path, monkeypatch):
    recipe = classify(tmp_path, "bert", train={"batch": 2}, data={"holdout": 0.0})
    recipe = replace(recipe, data=replace(recipe.data, train=write_texts(tmp_path / "many.csv", 700)))
    for module in (plan_sources, plan_batches):
        monkeypatch.setattr(module, "LOOKED_AT", 40)
    for seed in range(3):
        recipe = replace(recipe, seed=seed)
        prepared = prepare_without_weights(recipe)
        source, examples = prepared.sources["input"], prepared.examples("train")
        found = planned_batches(examples, prepared.sources, recipe)
        assert len(source.inputs._found) < 250
        every = TextInputs(source.inputs.texts, source.inputs.ids, source.inputs.tokenizer, source.inputs.max_tokens)
        rows = Batches(examples, {"input": replace(source, inputs=every)}, {}, prepared.task.told).dataset()
        batches = Updates(rows, 2, seed=seed).positions().view(-1, 2)
        lengths = every.lengths()[batches].amax(1)
        assert list(found.first) == batches[0].tolist()
        assert (found.first_tokens, found.updates) == (2 * lengths[0], 2)
        assert found.mean_tokens == pytest.approx(2 * float(lengths.double().mean()), rel=0.25)
        assert found.longest_tokens > 1.5 * found.mean_tokens


def test_default_methods_begin_with_the_recipes_own(tmp_path):
    recipe = classify(tmp_path, "bert", "lst")
    names = [method.name for method in default_methods(recipe)]
    assert names[:4] == ["lst", "lst@live", "unipt", "unipt@live"]
    assert names == list(dict.fromkeys(names))
    assert {name.removesuffix("@live") for name in names} == {*SIDES, *PEERS_SHOWN}
    live = replace(recipe, store=StoreChoice(live=True))
    assert [method.name for method in default_methods(live)][:2] == ["lst@live", "lst"]
    mixed = replace(recipe, sides={"image": SIDES["lst"](), "text": SIDES["pooled"]()})
    assert [method.name for method in default_methods(mixed)][:4] == ["lst+pooled", "lst+pooled@live", *names[2:4]]


def test_costs_are_in_the_order_that_methods_promise(tmp_path):
    recipe = classify(tmp_path, "bert", "unipt", seed=1)
    plan = planned(recipe, "unipt", "unipt@live", "lora-checkpointed", "full")
    assert [method.problem for method in plan.methods] == [None] * 4
    stored, live, lora, full = plan.methods
    assert plan.longest is not None and plan.longest.kept_bytes > stored.kept_bytes
    assert stored.feature_seconds > live.feature_seconds == 0
    assert stored.feature_seconds == sum(store.seconds for store in plan.stores if store.chosen)
    assert stored.run_seconds == pytest.approx(stored.feature_seconds + plan.updates * stored.step_seconds)
    assert live.peak_bytes > stored.peak_bytes
    assert live.step_seconds > stored.step_seconds
    assert full.optimiser_bytes > 5 * lora.optimiser_bytes
    assert lora.kept_bytes < full.kept_bytes
    assert [method.features for method in plan.methods] == ["store", "live", "tuned", "tuned"]
    assert json.loads(json.dumps(plan.to_dict()))["methods"][0]["method"] == "unipt"


def test_a_peer_keeps_what_it_was_planned_to(tmp_path):
    recipe = classify(tmp_path, "bert", train={"batch": 4})
    (found,) = planned(recipe, "lora:rank=4").methods
    prepared = prepare_without_weights(recipe)
    examples = prepared.examples("train")
    batch = examples.take(torch.tensor(planned_batches(examples, prepared.sources, recipe).first))
    backbone, source = load_backbone(recipe.backbones["input"]), prepared.sources["input"]
    inputs = padded(backbone, [source.inputs[row] for row in batch.rows["input"].tolist()])
    head = prepared.task.make_head({"input": Given.of(source.outline)}, prepared.dataset)
    model = PeerModel({"input": backbone}, "lora", head, rank=4)
    real = memory_report(model, {"inputs": {"input": inputs}, "targets": dict(batch.targets)})
    assert (found.kept_bytes, found.trained_parameters) == (real.kept_bytes, real.trained_parameters)


def test_what_cannot_serve_is_said_and_the_rest_is_planned(tmp_path):
    recipe = classify(tmp_path, "efficientnet-lite")
    lst, pooled = planned(recipe, "lst", "pooled").methods
    assert "LST is a ladder" in lst.problem and lst.kept_bytes is None
    assert pooled.problem is None
    with pytest.raises(InputError, match="LST is a ladder"):
        planned(replace(recipe, sides={"input": SIDES["lst"]()}), "lst")
    narrow = replace(recipe, store=replace(recipe.store, layers=(2, 3)), sides={"input": UniPTConfig(layers=(2, 3))})
    unipt, pooled = planned(narrow, "unipt", "pooled").methods
    assert unipt.problem is None
    assert "holds the hidden states [2, 3]" in pooled.problem


def test_no_picture_is_opened(tmp_path, monkeypatch, unchecked):
    recipe = classify(tmp_path, "vit", store={"views": 3})

    def refuse(*args: Any, **settings: Any) -> None:
        raise AssertionError("a picture was opened")

    monkeypatch.setattr(Dataset, "picture", refuse)
    plan = planned(recipe, "pooled")
    assert plan.parts[0].samples == 60
    assert plan.examples == 3 * plan.splits["train"]
    assert plan.longest is None


def test_a_full_disk_is_foreseen(tmp_path, monkeypatch):
    recipe = classify(tmp_path, "bert", store={"folder": "elsewhere/deep"})
    seen = []

    def usage(path: Path) -> Any:
        seen.append(path)
        return namedtuple("Usage", "total used free")(10**9, 10**9 - 100, 100)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    disk = planned(recipe, "probe").disk
    assert (disk.folder, disk.free_bytes, disk.fits) == ("elsewhere/deep", 100, False)
    assert seen == [tmp_path]
    assert disk.needed_bytes > 1000
    live = replace(recipe, store=replace(recipe.store, live=True))
    assert planned(live, "probe").disk.needed_bytes == 0
