"""One recipe, many methods, several seeds, in one process: what each needs and what it reaches.

All contenders take step i before any takes step i + 1, so that a busy machine slows each alike and the ratios of their
step times hold. Every method tries the same number of learning rates on the dev side, with a seed of its own; the best
is then trained with every seed. The test side takes no part in any choice.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import InputError, MissingPackageError
from ..opening import environment
from ..pipeline import Report
from ..recipe import Recipe
from .arena import Arena, check_method, check_splits, open_arena, shapes_of
from .contenders import Contender, make_contender
from .methods import Method, check_rates
from .results import Choice, Comparison, rows_of

TUNING_SEED = 1000
"""Of the learning-rate trials; the seeds that count start from the recipe's, which is 0."""
LOOKS = 10
"""How often the dev side is measured during a training."""
Readings = Mapping[Method, Mapping[str, tuple[int, ...]]]


class Watch:
    """Told how far a comparison is. Does nothing; the command line shows it."""

    def begin(self, steps: int) -> None:
        """So many steps lie ahead, in all stages together."""

    def stage(self, name: str, steps: int) -> None:
        """A training of all methods begins."""

    def step(self) -> None:
        """All methods have taken a step."""


def compare(
    recipe: Recipe,
    methods: Sequence[Method],
    *,
    lenient: bool = False,
    report: Report | None = None,
    watch: Watch | None = None,
    after_seed: Callable[[Comparison, Sequence[Contender]], Any] | None = None,
) -> Comparison:
    """Train and measure all methods.

    Args:
        recipe: data, backbones, head, training and learning rates.
        methods: what to compare.
        lenient: leave out methods that cannot serve the backbone, and tell so, instead of refusing them.
        report: told of the frozen passes.
        watch: told of the steps.
        after_seed: called with all results so far and the trained contenders of this seed, which are given up then.

    Raises:
        InputError: wrong settings or data, or a method that cannot serve the backbone.
    """
    watch = watch or Watch()
    check_rates(recipe)
    readings, left_out = fitting(recipe, methods, lenient)
    arena = open_arena(recipe, readings, report)
    factors = recipe.compare.factors
    split = check_splits(arena.prepared, choosing=len(factors) > 1)
    steps = arena.steps()
    trial_steps = recipe.compare.tune_steps or steps
    costs = measure_costs(arena, lenient, left_out)
    result = _blank(arena, recipe, split, steps)
    result.costs, result.left_out = costs, left_out
    watch.begin((len(factors) * trial_steps if len(factors) > 1 else 0) + recipe.compare.seeds * steps)
    result.choices = choose_rates(arena, trial_steps, watch)
    for seed in seeds_of(recipe):
        watch.stage(f"seed {seed} (until {seeds_of(recipe)[-1]})", steps)
        contenders = [
            make_contender(each, arena, result.choices[each.name].rate, seed, steps) for each in arena.methods
        ]
        result.preparing_seconds[seed] = train_together(arena, contenders, seed, steps, LOOKS, watch)
        _look_at_test(contenders)
        result.seeds[seed] = {each.method.name: each.trial() for each in contenders}
        if after_seed is not None:
            after_seed(result, contenders)
        del contenders
        gc.collect()
    return result


def _look_at_test(contenders: Sequence[Contender]) -> None:
    for contender in contenders:
        if "test" in contender.arena.examples:
            contender.look("test")


def seeds_of(recipe: Recipe) -> range:
    """The seeds that count: as many as [compare] says, from the recipe's own on."""
    return range(recipe.seed, recipe.seed + recipe.compare.seeds)


def fitting(recipe: Recipe, methods: Sequence[Method], lenient: bool) -> tuple[Readings, dict[str, str]]:
    """The methods that can serve the backbones, with the states that they read, and why others cannot.

    Raises:
        InputError: one cannot, and we are not lenient; or none can.
    """
    readings: dict[Method, Mapping[str, tuple[int, ...]]] = {}
    left_out: dict[str, str] = {}
    outlines = {part: shape.outline(recipe.backbones[part].part) for part, shape in shapes_of(recipe).items()}
    for method in methods:
        if recipe.store.live and method.is_stored:
            method = replace(method, live=True)
        try:
            readings[method] = check_method(method, recipe, outlines)
        except MissingPackageError:
            raise
        except InputError as error:
            if not lenient:
                raise InputError(f"{method.name} cannot be compared here: {error}") from error
            left_out[method.name] = str(error)
    if not readings:
        raise InputError(f"No method can serve this recipe. {' '.join(left_out.values())}")
    return readings, left_out


def measure_costs(arena: Arena, lenient: bool, left_out: dict[str, str]) -> dict[str, dict[str, int]]:
    """What a step on the largest batch needs, by method: the fields of a `MemoryReport`.

    Methods that cannot take it are dropped from the arena and told in `left_out`, where we are lenient.

    Raises:
        InputError: one cannot, and we are not lenient; or none can.
    """
    batch = arena.batch(arena.largest())
    costs = {}
    for method in arena.methods:
        try:
            contender = make_contender(method, arena, method.rate(arena.recipe), TUNING_SEED, 1)
            costs[method.name] = contender.cost(batch).to_dict()
        except InputError as error:
            if not lenient:
                raise InputError(f"{method.name} cannot be compared here: {error}") from error
            left_out[method.name] = str(error)
    if not costs:
        raise InputError(f"No method can serve this recipe. {' '.join(left_out.values())}")
    arena.methods = tuple(method for method in arena.methods if method.name in costs)
    return costs


def choose_rates(arena: Arena, steps: int, watch: Watch) -> dict[str, Choice]:
    """The best of each method's learning rates on the dev side; without a trial where there is only one."""
    recipe = arena.recipe
    factors = sorted(recipe.compare.factors)
    base = {method.name: method.rate(recipe) for method in arena.methods}
    if len(factors) == 1:
        return {name: Choice(((rate * factors[0], None),), rate * factors[0]) for name, rate in base.items()}
    tried: dict[str, list[tuple[float, float | None]]] = {name: [] for name in base}
    headline = arena.prepared.task.headline
    for number, factor in enumerate(factors, 1):
        watch.stage(f"learning rates ({number} of {len(factors)})", steps)
        contenders = [
            make_contender(method, arena, base[method.name] * factor, TUNING_SEED, steps) for method in arena.methods
        ]
        train_together(arena, contenders, TUNING_SEED, steps, 1, watch)
        for each in contenders:
            reached = None if each.diverged is not None else each.metrics["dev"][headline]
            tried[each.method.name].append((each.rate, reached))
        del contenders
        gc.collect()
    return {name: Choice(tuple(pairs), _best(pairs, base[name])) for name, pairs in tried.items()}


def _best(pairs: Sequence[tuple[float, float | None]], base: float) -> float:
    """The rate that reached most; of several the one nearest to what the recipe says."""
    return max(pairs, key=lambda pair: (-math.inf if pair[1] is None else pair[1], -abs(math.log(pair[0] / base))))[0]


def train_together(
    arena: Arena, contenders: Sequence[Contender], seed: int, steps: int, looks: int, watch: Watch
) -> float:
    """Train all contenders, step by step in turn.

    Args:
        arena: where batches come from.
        contenders: fresh.
        seed: of the order of examples.
        steps: how many.
        looks: how often the dev side is measured, where there is one; the last time at the end.
        watch: told of each step.

    Returns:
        Seconds to prepare the batches, of which no contender's clock knows.
    """
    when = {max(1, round(steps * look / looks)) for look in range(1, looks + 1)} if "dev" in arena.examples else set()
    preparing = 0.0
    for step, (parts, epoch) in enumerate(arena.updates(seed, steps), 1):
        started = time.perf_counter()
        batches = [arena.batch(rows) for rows in parts]
        preparing += time.perf_counter() - started
        for contender in contenders:
            contender.step(batches, epoch)
        if step in when:
            for contender in contenders:
                contender.look("dev")
        watch.step()
    return preparing


def _blank(arena: Arena, recipe: Recipe, split: str, steps: int) -> Comparison:
    """A comparison before the first step."""
    task, examples = arena.prepared.task, arena.examples
    return Comparison(
        recipe=recipe.name,
        headline=task.headline,
        unit=task.headline_unit,
        split=split,
        examples={name: len(found) for name, found in examples.items()},
        queries={part: len(rows.unique()) for part, rows in examples[split].rows.items()},
        steps=steps,
        batch=min(recipe.train.batch * recipe.train.accumulate, len(examples["train"])),
        stored=tuple(method.name for method in arena.methods if method.is_stored),
        peers=tuple(method.name for method in arena.methods if method.is_peer),
        feature_seconds=arena.feature_seconds,
        timed_on=arena.timed_on,
        environment=environment(),
        toml=recipe.to_toml(),
    )


def best_recipe(recipe: Recipe, comparison: Comparison, methods: Sequence[Method]) -> tuple[str, Recipe] | None:
    """The side network that was best on dev (where there is none, in what was measured), and the recipe to train it.

    Returns:
        None where no side network was compared, or all diverged.
    """
    sides = {method.name: method for method in methods if not method.is_peer}
    rows = [row for row in rows_of(comparison) if row.method in sides and row.mean is not None]
    if not rows:
        return None
    row = max(rows, key=lambda row: comparison.final(row.method) or row.mean or 0.0)
    method = sides[row.method]
    store = replace(recipe.store, live=method.live)
    train = replace(recipe.train, lr=row.rate)
    return row.method, replace(recipe, sides=method.sides(recipe), train=train, store=store)
