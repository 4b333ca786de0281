"""Methods side by side: the same batches in turn, the end of `lichen train`, choices on dev, and who cannot serve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lichen.errors import InputError
from lichen.memory import MemoryReport
from lichen.training.comparing import compare as module
from lichen.training.comparing.arena import Arena, check_method, open_arena, padded, shapes_of
from lichen.training.comparing.compare import TUNING_SEED, best_recipe, compare, train_together
from lichen.training.comparing.contenders import Contender, make_contender
from lichen.training.comparing.methods import parse_methods
from lichen.training.comparing.results import Comparison, rows_of
from lichen.training.engine.order import Updates
from lichen.training.pipeline import train
from lichen.training.recipe import Recipe

from .arenas import classify, retrieve


def arena_of(recipe: Recipe, methods: str) -> Arena:
    outlines = {part: shape.outline() for part, shape in shapes_of(recipe).items()}
    readings = {method: check_method(method, recipe, outlines) for method in parse_methods([methods])}
    return open_arena(recipe, readings, None)


def run(recipe: Recipe, methods: str, **more: Any) -> tuple[Comparison, dict[str, dict[str, Tensor]]]:
    """The comparison, and by method the weights after the last seed."""
    weights: dict[str, dict[str, Tensor]] = {}

    def keep(comparison: Comparison, contenders: Sequence[Contender]) -> None:
        for each in contenders:
            weights[each.method.name] = {name: value.clone() for name, value in each.answering.state_dict().items()}

    return compare(recipe, parse_methods([methods]), after_seed=keep, **more), weights


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


Whole = tuple[Path, Comparison, dict[str, dict[str, Tensor]]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """One comparison with all that is measured, its folder, and the weights after its second seed."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, *run(classify(folder, train={"steps": 5}, compare={"seeds": 2}), "pooled,pooled@live,lora,full")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the fixture above has measured for real is left out elsewhere."""
    monkeypatch.setattr(module, "LOOKS", 2)
    monkeypatch.setattr(Contender, "cost", lambda self, batch: MemoryReport(1, 1, 1, 1, 1, 1))


def test_a_side_network_ends_where_lichen_train_ends_stored_or_live_alone_or_not(whole: Whole) -> None:
    folder, found, weights = whole
    recipe = classify(folder, train={"steps": 5, "lr": 1e-2})
    trained = train(replace(recipe, seed=1), folder / "run", quiet=True)
    assert equal(weights["pooled"], dict(trained.model.state_dict()))
    assert equal(weights["pooled"], weights["pooled@live"])
    trial = found.seeds[1]["pooled"]
    assert trial.metrics["test"] == trained.facts["metrics"]["test"]
    assert trial.points[-1].value == trained.facts["metrics"]["dev"]["accuracy"]
    alone, _ = run(recipe, "pooled")
    assert alone.seeds[0]["pooled"].losses == found.seeds[0]["pooled"].losses != trial.losses


def test_dropout_draws_from_a_stream_of_its_own(tmp_path: Path) -> None:
    recipe = classify(tmp_path, side={"dropout": 0.5}, head={"dropout": 0.5})
    together, _ = run(recipe, "probe,pooled")
    alone, _ = run(recipe, "pooled")
    assert together.seeds[0]["pooled"].losses == alone.seeds[0]["pooled"].losses
    still, _ = run(classify(tmp_path), "pooled")
    assert still.seeds[0]["pooled"].losses != alone.seeds[0]["pooled"].losses
    arena = arena_of(recipe, "pooled")
    contender = make_contender(arena.methods[0], arena, 1e-3, 0, 2)
    start, outside = contender._random, torch.get_rng_state()
    train_together(arena, [contender], 0, 1, 1, module.Watch())
    assert not torch.equal(contender._random, start) and torch.equal(torch.get_rng_state(), outside)


def test_results_say_what_each_method_needs(whole: Whole) -> None:
    _, found, _ = whole
    costs = found.costs
    assert list(found.seeds) == [0, 1] and found.seeds[0]["lora"].losses != found.seeds[1]["lora"].losses
    assert costs["pooled"]["kept_bytes"] == costs["pooled@live"]["kept_bytes"] < costs["lora"]["kept_bytes"]
    assert costs["lora"]["kept_bytes"] < costs["full"]["kept_bytes"] < costs["full"]["peak_bytes"]
    assert costs["full"]["trained_parameters"] > 5 * costs["lora"]["trained_parameters"]
    rows = {row.method: row for row in rows_of(found)}
    assert rows["pooled"].feature_seconds == found.feature_seconds > 0 == rows["pooled@live"].feature_seconds
    assert rows["lora"].step_ratio == 1.0
    assert found.examples == {"train": 24, "dev": 8, "test": 8} and found.split == "test"
    assert [point.step for point in found.seeds[0]["lora"].points] == [1, 2, 3, 4, 5]
    seconds = [point.seconds for point in found.seeds[0]["lora"].points]
    assert seconds == sorted(seconds) and seconds[-1] == pytest.approx(found.seeds[0]["lora"].seconds)


def test_the_frozen_pass_is_timed_again_where_the_store_was_there(tmp_path: Path) -> None:
    recipe = classify(tmp_path)
    first, second = arena_of(recipe, "probe"), arena_of(recipe, "probe")
    assert first.timed_on is None and first.feature_seconds == first.prepared.seconds
    assert second.timed_on == 40 and second.feature_seconds > second.prepared.seconds


def test_all_take_a_step_before_any_takes_the_next(tmp_path: Path) -> None:
    arena = arena_of(classify(tmp_path), "pooled,lora")
    contenders = [make_contender(method, arena, 1e-3, 0, 6) for method in arena.methods]
    seen: list[tuple[str, tuple[int, ...]]] = []
    for each in contenders:
        real = each.step

        def step(batches: Any, epoch: float, name: str = each.method.name, real: Any = real) -> None:
            seen.extend((name, batch.rows) for batch in batches)
            real(batches, epoch)

        each.step = step  # type: ignore[method-assign]
    train_together(arena, contenders, 3, 6, 2, module.Watch())
    assert [name for name, _ in seen] == ["pooled", "lora"] * 6
    assert [rows for _, rows in seen[::2]] == [rows for _, rows in seen[1::2]]
    order = Updates(arena.order(3).dataset, 8, seed=3)
    wanted = order.positions().tolist()
    order.set_epoch(1)
    assert [row for _, rows in seen[::2] for row in rows] == wanted + order.positions().tolist()
    assert all(len(each.points) == 2 and each.model.training for each in contenders)


def test_accumulated_batches_are_one_update(tmp_path: Path) -> None:
    large, weights = run(classify(tmp_path, train={"steps": 3}), "pooled")
    parts, halves = run(classify(tmp_path, train={"steps": 3, "batch": 4, "accumulate": 2}), "pooled")
    assert parts.batch == large.batch == 8
    for name, value in weights["pooled"].items():
        torch.testing.assert_close(halves["pooled"][name], value, rtol=1e-3, atol=1e-5)


def test_rates_are_chosen_on_dev_with_a_seed_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, float, int, int]] = []
    looked: list[tuple[float, str]] = []

    def make(method: Any, arena: Any, rate: float, seed: int, steps: int) -> Contender:
        contender = make_contender(method, arena, rate, seed, steps)
        made.append((method.name, rate, seed, steps))
        real = contender.look
        contender.look = lambda split: (looked.append((rate, split)), real(split))[1]  # type: ignore[method-assign]
        return contender

    monkeypatch.setattr(module, "make_contender", make)
    factors = {"factors": [1.0, 0.1, 1e-12], "tune_steps": 4, "rates": {"pooled": 0.05, "probe": 0.5}}
    found, _ = run(classify(tmp_path, compare=factors), "pooled,probe")
    trials = [(name, rate, steps) for name, rate, seed, steps in made if seed == TUNING_SEED and steps == 4]
    assert trials == [(n, r * f, 4) for f in (1e-12, 0.1, 1.0) for n, r in (("pooled", 0.05), ("probe", 0.5))]
    assert len(looked) == 6 + 2 * (2 + 1), "once a trial; twice on dev and once on test for what counts"
    assert all(split == "dev" for _, split in looked[:6])
    for name, choice in found.choices.items():
        values = [value for _, value in choice.tried]
        assert dict(choice.tried)[choice.rate] == max(values, key=lambda value: value or 0.0)
        assert found.seeds[0][name].rate == choice.rate
    assert module._best([(0.1, 0.5), (1.0, 0.5), (10.0, None)], 2.0) == 1.0


def test_a_method_that_diverges_is_told_and_holds_up_nobody(tmp_path: Path) -> None:
    rates = {"pooled": 1e-2, "lora": 1e38, "probe": 1e-2}
    found, _ = run(classify(tmp_path, train={"warmup": 0.0}, compare={"rates": rates}), "pooled,lora,probe")
    lost = found.seeds[0]["lora"]
    assert lost.diverged is not None and 0 < lost.diverged < 6 and lost.metrics == {}
    assert found.seeds[0]["pooled"].diverged is None and len(found.seeds[0]["pooled"].step_seconds) == 6
    row = next(row for row in rows_of(found) if row.method == "lora")
    assert row.diverged == 1 and row.mean is None


def test_what_cannot_serve_is_refused_by_name_and_left_out_otherwise(tmp_path: Path) -> None:
    recipe = retrieve(tmp_path, "resnet", train={"steps": 1, "batch": 6})
    with pytest.raises(InputError, match=r"lst cannot be compared here: .*gives maps"):
        run(recipe, "probe,lst")
    found, _ = run(recipe, "probe,lst,lora-checkpointed", lenient=True)
    assert list(found.seeds[0]) == ["probe"] and set(found.left_out) == {"lst", "lora-checkpointed"}
    with pytest.raises(InputError, match="No method can serve this recipe"):
        run(recipe, "lst", lenient=True)


def test_what_fails_at_the_first_step_is_found_before_any_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = classify(tmp_path, train={"steps": 1})
    real = Contender.cost

    def cost(self: Contender, batch: Any) -> Any:
        if self.method.base == "unipt":
            raise InputError("A map of 7 x 7 does not divide.")
        return real(self, batch)

    monkeypatch.setattr(Contender, "cost", cost)
    found, _ = run(recipe, "probe,unipt", lenient=True)
    assert found.left_out == {"unipt": "A map of 7 x 7 does not divide."} and list(found.seeds[0]) == ["probe"]
    with pytest.raises(InputError, match="unipt cannot be compared here"):
        run(recipe, "probe,unipt")


def test_two_backbones_are_trained_beside_their_side_networks(tmp_path: Path) -> None:
    found, weights = run(retrieve(tmp_path), "pooled@live,sherl,lora")
    assert found.headline == "rsum" and found.unit == "points" and found.queries["image"] == 5
    assert all(0 < trial.metrics["test"]["rsum"] <= 600 for trial in found.seeds[0].values())
    moved = [name for name in weights["lora"] if "lora_B" in name and weights["lora"][name].abs().max() > 0]
    assert any("image" in name for name in moved) and any("text" in name for name in moved)


def test_without_a_dev_side_there_is_no_choice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="chosen on a dev side, which these data lack"):
        run(classify(tmp_path, data={"holdout": 0.0}, compare={"factors": [1.0, 2.0]}), "probe")
    found, _ = run(classify(tmp_path, data={"holdout": 0.0}), "probe,lora-last")
    assert found.seeds[0]["probe"].points == () and "test" in found.seeds[0]["probe"].metrics
    assert rows_of(found)[0].reached_seconds is None


def test_a_recipe_without_stores_runs_side_networks_live(tmp_path: Path) -> None:
    recipe = classify(tmp_path, store={"live": True}, train={"steps": 1})
    found, _ = run(recipe, "pooled")
    assert list(found.seeds[0]) == ["pooled@live"] and found.feature_seconds == 0
    assert not (tmp_path / "features").exists()


def test_the_best_side_network_comes_as_a_recipe(tmp_path: Path) -> None:
    recipe = classify(tmp_path, train={"steps": 1}, compare={"rates": {"unipt": 0.25}})
    methods = parse_methods(["pooled,unipt:reduction=4@live,lora"])
    found = compare(recipe, methods)
    end = found.seeds[0]["unipt:reduction=4@live"]
    found.seeds[0]["unipt:reduction=4@live"] = replace(end, points=(replace(end.points[-1], value=2.0),))
    name, best = best_recipe(recipe, found, methods) or ("", recipe)
    assert name == "unipt:reduction=4@live" and best.train.lr == 0.25 and best.store.live
    assert best.sides["input"].to_dict()["reduction"] == 4
    assert best_recipe(recipe, found, methods[2:]) is None


def test_samples_are_padded_as_the_backbone_expects(tmp_path: Path) -> None:
    shape = shapes_of(classify(tmp_path))["input"]
    shape.model.config.pad_token_id = 9
    ids = [torch.tensor([1, 5, 2]), torch.tensor([1, 2])]
    batch = padded(shape, [{"input_ids": each, "attention_mask": torch.ones_like(each)} for each in ids])
    assert batch["input_ids"].tolist() == [[1, 5, 2], [1, 2, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]


def test_no_weight_decay_on_biases_and_norms(tmp_path: Path) -> None:
    arena = arena_of(classify(tmp_path, train={"weight_decay": 0.3}), "full")
    contender = make_contender(arena.methods[0], arena, 1e-3, 0, 4)
    decayed, plain = (set(map(id, group["params"])) for group in contender.optimiser.param_groups)
    assert [group["weight_decay"] for group in contender.optimiser.param_groups] == [0.3, 0.0]
    for name, value in contender.model.named_parameters():
        assert id(value) in (plain if "bias" in name or "LayerNorm" in name else decayed), name


def test_pictures_are_prepared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arena = arena_of(retrieve(tmp_path), "lora")
    inputs = arena.prepared.sources["image"].inputs
    read: list[int] = []
    real = type(inputs)._sample
    monkeypatch.setattr(type(inputs), "_sample", lambda self, place: (read.append(place), real(self, place))[1])
    for _ in range(3):
        arena.batch([0, 1, 2])
    assert sorted(read) == sorted(set(read)) and len(read) == 3
