"""The table of a comparison as text, Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict

from ...memory import MIB
from .results import REACHED, Comparison, Row, reference_of, rows_of, standard_error

NONE = "–"


def _figures(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Heads and cells, the first column being the method."""
    reference = reference_of(comparison)
    rival = reference or "LoRA"
    heads = ["method", "trained", "kept MiB", "peak MiB", f"step/{rival}", "train + feat. s", f"time/{rival}"]
    heads += [f"to {100 * REACHED:.0f} %, s", headline_of(comparison), "rate"]
    return heads, [_cells(row, comparison.unit) for row in rows_of(comparison)]


def headline_of(comparison: Comparison) -> str:
    """The metric with its unit and its side."""
    name = comparison.headline.replace("_", " ")
    return f"{comparison.split} {name}{', %' if comparison.unit == 'share' else ''}"


def scaled(value: float, unit: str) -> float:
    """A metric as it is shown: shares in percent."""
    return 100 * value if unit == "share" else value


def _cells(row: Row, unit: str) -> list[str]:
    features = f" + {row.feature_seconds:.1f}" if row.feature_seconds else ""
    reached = NONE if row.mean is None else f"{scaled(row.mean, unit):.2f}"
    if row.spread is not None:
        reached += f" ± {scaled(row.spread, unit):.2f}"
    if row.diverged:
        reached += f" ({row.diverged} of {row.diverged + len(row.values)} diverged)"
    return [
        row.method,
        f"{row.trained_parameters:,}",
        f"{row.kept_bytes / MIB:,.2f}",
        f"{row.peak_bytes / MIB:,.2f}",
        NONE if row.step_ratio is None else f"{row.step_ratio:.3f}",
        f"{row.training_seconds:.1f}{features}",
        NONE if row.time_ratio is None else f"{row.time_ratio:.3f}",
        NONE if row.reached_seconds is None else f"{row.reached_seconds:.1f}",
        reached,
        f"{row.rate:.2g}{'*' if row.at_end else ''}",
    ]


def to_text(comparison: Comparison) -> str:
    """For a terminal, with what the columns mean."""
    heads, cells = _figures(comparison)
    widths = [max(len(line[column]) for line in [heads, *cells]) for column in range(len(heads))]

    def line(words: Sequence[str]) -> str:
        first, *others = zip(words, widths, strict=True)
        return "  ".join([first[0].ljust(first[1]), *(word.rjust(width) for word, width in others)])

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([line(heads), rule, *map(line, cells), "", *notes(comparison)])


def to_markdown(comparison: Comparison) -> str:
    """For a document."""
    heads, cells = _figures(comparison)
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *cells]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\n{' '.join(notes(comparison))}\n"


def to_csv(comparison: Comparison) -> str:
    """For programs: one line a method, bytes and seconds unrounded, metrics as they are, by seed too."""
    rows = rows_of(comparison)
    text = io.StringIO()
    names = [name for name in asdict(rows[0]) if name != "values"] if rows else []
    seeds = [f"seed_{seed}" for seed in comparison.seeds]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*names, *seeds])
    for row in rows:
        values = asdict(row)
        trials = [trials[row.method] for trials in comparison.seeds.values()]
        reached = [trial.metrics.get(comparison.split, {}).get(comparison.headline) for trial in trials]
        writer.writerow([*(values[name] for name in names), *reached])
    return text.getvalue()


def notes(comparison: Comparison) -> list[str]:
    """What the figures are, in sentences."""
    tried = next(iter(comparison.choices.values())).tried if comparison.choices else ()
    chosen = "learning rates as the recipe says"
    if len(tried) > 1:
        chosen = f"{len(tried)} learning rates a method tried on dev with a seed of their own"
    sizes = ", ".join(f"{count:,} {split}" for split, count in comparison.examples.items())
    found = [
        f"{comparison.recipe}: {sizes} examples; {comparison.steps:,} steps of {comparison.batch}; {chosen}; seeds "
        f"{', '.join(map(str, comparison.seeds))}; torch {comparison.environment.get('torch')}, threads "
        f"{comparison.environment.get('threads')}.",
        _on_errors(comparison),
        "kept: bytes that autograd holds for the backward pass of the largest batch. peak: batch, activations and "
        "gradients of that step, without weights and optimiser.",
        *_on_times(comparison),
    ]
    ends = [f"{name} ({choice.at_end})" for name, choice in comparison.choices.items() if choice.at_end]
    if ends:
        found.append(f"* the best rate is the end of those tried, a better one may lie beyond: {', '.join(ends)}.")
    found += [f"Left out: {name}. {reason}" for name, reason in comparison.left_out.items()]
    return found


def _on_times(comparison: Comparison) -> list[str]:
    found, reference = [], reference_of(comparison)
    if comparison.stored:
        how = "" if comparison.timed_on is None else f", projected from {comparison.timed_on:,} samples"
        found.append(
            f"feat.: one frozen pass over all samples, {comparison.feature_seconds:.1f} s{how}; time and "
            f"{100 * REACHED:.0f} % include it."
        )
    if reference is not None:
        found.append(
            "step: median over all steps of the time on the same batch, all methods taking turns. to "
            f"{100 * REACHED:.0f} %: until that share of the final dev value of {reference} is first reached (mean of "
            "the seeds, ten looks off the clock)."
        )
    return found


def _on_errors(comparison: Comparison) -> str:
    error, unit = standard_error(comparison), comparison.unit
    spread = "±: standard deviation over seeds." if len(comparison.seeds) > 1 else "One seed: no spread is known."
    if comparison.split == "dev" and any(len(choice.tried) > 1 for choice in comparison.choices.values()):
        spread += " There is no test side: figures are from the dev side, on which the rates were chosen."
    if error is None:
        return spread
    most = "about" if comparison.headline == "accuracy" else "at most"
    return (
        f"{spread} Standard error from the size of the {comparison.split} side: {most} {scaled(error, unit):.1f} "
        "points; methods closer than that are not told apart by one set of samples."
    )
