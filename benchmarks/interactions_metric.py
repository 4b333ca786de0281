"""How long HICO-DET's mean average precision takes: the library, beside the official loop over detections.

    python benchmarks/interactions_metric.py [--classes 600] [--pictures 10000] [--detections 100] [--subset 60]

Pictures hold three annotated pairs on average, as HICO-DET's test side does, and so many detections each, of which
about a third lie near an annotated pair and carry its class. Boxes, classes and scores are random. Both settings,
Default and Known Object, are measured. Single precision goes in, as from a head; one thread.

The loop is the official tool's, in Python: for each class it sorts its detections and goes through them, looking at
every annotated pair of the picture. It runs on the first `--subset` classes, all pictures, and must agree to 1e-9; its
time for all classes is that times the share of detections. Ratios are by the clock, and by the CPU seconds of this
process, which a busy machine does not distort. `--small` takes seconds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
import torch

from lichen.metrics.hoi import HoiScores, InteractionBoxes, interaction_precision

GOAL, AGREE, TRUE, SHARE, SHAKEN = 120.0, 1e-9, 3, 0.3, 12.0
"""Seconds; difference; annotated pairs a picture; detections near one; pixels that these are off by."""
Boxes = np.ndarray


def random_boxes(draw: np.random.Generator, count: int) -> Boxes:
    low = draw.random((count, 2)) * (440, 280)
    return np.concatenate([low, low + 20 + draw.random((count, 2)) * 180], 1).astype(np.float32)


def make(classes: int, pictures: int, detections: int) -> tuple[InteractionBoxes, InteractionBoxes, np.ndarray]:
    """Detections, annotations, and which picture counts for which class with known objects."""
    draw = np.random.default_rng(0)
    rows = pictures * TRUE
    truth = InteractionBoxes(
        np.repeat(np.arange(pictures), TRUE),
        draw.integers(classes, size=rows),
        random_boxes(draw, rows),
        random_boxes(draw, rows),
    )
    count = pictures * detections
    picture = np.repeat(np.arange(pictures), detections)
    source = picture * TRUE + draw.integers(TRUE, size=count)
    near = draw.random(count) < SHARE
    sides = []
    for own in (truth.humans, truth.objects):
        shaken = own[source] + draw.normal(0, SHAKEN, (count, 4)).astype(np.float32)
        sides.append(np.where(near[:, None], shaken, random_boxes(draw, count)))
    category = np.where(near, truth.category[source], draw.integers(classes, size=count))
    found = InteractionBoxes(picture, category, sides[0], sides[1], draw.random(count).astype(np.float32))
    return found, truth, draw.random((pictures, classes)) < 0.1


def loop(
    found: InteractionBoxes, truth: InteractionBoxes, known: np.ndarray, subset: int
) -> tuple[list[float], list[float]]:
    """Average precision of the first classes in both settings, detection by detection."""
    default, knowing = [], []
    for category in range(subset):
        own = np.flatnonzero(found.category == category)
        order = own[np.argsort(-found.scores[own], kind="stable")].tolist()
        pairs: dict[int, list[int]] = {}
        for row in np.flatnonzero(truth.category == category).tolist():
            pairs.setdefault(int(truth.picture[row]), []).append(row)
        count = sum(map(len, pairs.values()))
        for result, rows in (
            (default, order),
            (knowing, [row for row in order if known[found.picture[row], category]]),
        ):
            result.append(walk(found, truth, rows, pairs, count))
    return default, knowing


def walk(
    found: InteractionBoxes, truth: InteractionBoxes, rows: list[int], pairs: dict[int, list[int]], count: int
) -> float:
    hits = np.zeros(len(rows), bool)
    taken = set()
    for place, row in enumerate(rows):
        most, best = -1.0, -1
        for other in pairs.get(int(found.picture[row]), ()):
            value = min(iou(found.humans[row], truth.humans[other]), iou(found.objects[row], truth.objects[other]))
            if value > most:
                most, best = value, other
        hits[place] = most >= 0.5 and best not in taken
        if hits[place]:
            taken.add(best)
    true = hits.cumsum()
    precision = true / np.arange(1, len(rows) + 1)
    return sum(float(precision[10 * true >= k * count].max(initial=0.0)) / 11 for k in range(11))


def iou(first: Boxes, second: Boxes) -> float:
    a, b = first.tolist(), second.tolist()
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height)


def main(given: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=600)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--detections", type=int, default=100, help="of a picture")
    parser.add_argument("--subset", type=int, default=60, help="classes that the loop goes through")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="sizes that take seconds, to see that it runs")
    args = parser.parse_args(given)
    if args.small:
        args.classes, args.pictures, args.detections, args.subset = 6, 30, 20, 3
    torch.set_num_threads(1)
    found, truth, known = make(args.classes, args.pictures, args.detections)
    print(f"{args.classes} classes, {args.pictures} pictures, {len(found)} detections, {len(truth)} annotated pairs")
    times = []
    scores: HoiScores | None = None
    for _ in range(args.rounds):
        start, used = time.perf_counter(), time.process_time()
        scores = interaction_precision(found, truth, args.classes, known)
        times.append((time.perf_counter() - start, time.process_time() - used))
    own = sorted(times)[len(times) // 2]
    start, used = time.perf_counter(), time.process_time()
    looped = loop(found, truth, known, args.subset)
    spent = time.perf_counter() - start, time.process_time() - used
    apart = max(
        float(np.nanmax(np.abs(np.array(mine[: args.subset]) - theirs)))
        for mine, theirs in zip((scores.precision, scores.known_precision), looped, strict=True)
    )
    if not apart <= AGREE:
        raise SystemExit(f"The loop's average precision differs by {apart:.1e}, more than {AGREE:g}.")
    share = float((found.category < args.subset).mean())
    print(f"mAP {scores.summary()['mAP']:.3f}, known {scores.summary()['mAP_known']:.3f}\n")
    print(
        "| way | classes | seconds | CPU seconds | all classes, seconds | times lichen | by CPU | largest difference |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    print(f"| lichen | {args.classes} | {own[0]:.2f} | {own[1]:.2f} | {own[0]:.2f} | 1 | 1 | 0 |")
    whole = [each / share for each in spent]
    print(
        f"| loop over detections | {args.subset} | {spent[0]:.2f} | {spent[1]:.2f} | {whole[0]:.1f} "
        f"| {whole[0] / own[0]:.1f} | {whole[1] / own[1]:.1f} | {apart:.1e} |"
    )
    print(f"\nGoal: at most {GOAL:.0f} s on one core; {'reached' if own[0] <= GOAL else 'missed'}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
