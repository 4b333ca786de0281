"""Learning rates for `lichen demo`, chosen for every method among the same number of candidates on held-out samples.

    python benchmarks/digits.py [--steps 150] [--factors 0.5 1 2 4] [--seeds 3] [--only UniPT …]

A fifth of the demo's training digits is held out and scored; the test digits are not looked at.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import torch
import transformers
from rich.progress import Progress

from lichen.cli.demo import BATCH, RATES, prepare
from lichen.data.digits import load_digits
from lichen.training.compare import draw_batches, train_together

FIRST_SEED = 1000


def main() -> None:
    """Measure and print one row a method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--factors", type=float, nargs="*", default=[0.5, 1.0, 2.0, 4.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=list(RATES), default=list(RATES))
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    digits = load_digits()
    held, kept = digits.train[::5], digits.train[torch.arange(len(digits.train)) % 5 != 0]
    digits = replace(digits, train=kept, test=held)
    rows: dict[str, list[str]] = {name: [] for name in options.only}
    features = None
    for factor in options.factors:
        right: dict[str, list[float]] = {name: [] for name in options.only}
        for seed in range(FIRST_SEED, FIRST_SEED + options.seeds):
            torch.manual_seed(seed)
            with Progress(disable=True) as progress:
                _, features, every = prepare(digits, progress, factor, features)
            contenders = [each for each in every if each.name in options.only]
            train_together(contenders, draw_batches(kept, BATCH, options.steps, seed))
            for each in contenders:
                right[each.name].append((each.predict(held) == digits.labels[held]).double().mean().item())
        for name, values in right.items():
            rows[name].append(f"{factor * RATES[name]:.2g}: {100 * sum(values) / len(values):.1f}")
        print(f"factor {factor} done", file=sys.stderr)
    print(f"accuracy on {len(held)} held-out digits, mean of {options.seeds} seeds, by learning rate")
    for name, cells in rows.items():
        print(f"{name:<8} " + "   ".join(cells))


if __name__ == "__main__":
    main()
