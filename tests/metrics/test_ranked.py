"""Curves by hand, and against the plain loop of the field's code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.metrics.ranked import average_precisions, ranked


def test_area_under_the_envelope() -> None:
    # Right, wrong, right, wrong, right of four: recall 1/4, 1/2, 3/4 at precision 1, 2/3, 3/5.
    fit = np.array([0, -1, 1, -1, 2])
    score = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    answers = ranked(np.zeros(5, np.int64), score, fit, 2)
    got = average_precisions(answers, np.array([4, 0]))
    assert got.tolist() == pytest.approx([(1 + 2 / 3 + 3 / 5) / 4, 0.0])
    assert answers.true.tolist() == [3, 0]


def test_eleven_points() -> None:
    # The same: recall 0 to 0.2 at 1, 0.3 to 0.5 at 2/3, 0.6 and 0.7 at 3/5, nothing above.
    fit = np.array([0, -1, 1, -1, 2])
    answers = ranked(np.zeros(5, np.int64), np.linspace(0.9, 0.5, 5), fit, 1)
    got = average_precisions(answers, np.array([4]), "11 points")
    assert got.tolist() == pytest.approx([(3 * 1 + 3 * 2 / 3 + 2 * 3 / 5) / 11])


@pytest.mark.parametrize(
    ("found", "annotated", "exact", "matlab"),
    [
        (3, 10, 4, 3),
        (6, 20, 4, 3),
        (3, 5, 7, 7),
        (7, 10, 8, 8),
        (9, 10, 10, 10),
        (1, 10, 2, 2),
        (5, 5, 11, 11),
    ],
)
def test_recall_is_compared_in_whole_numbers_or_as_matlab_does(
    found: int, annotated: int, exact: int, matlab: int
) -> None:
    """hoi.md 3.2: of MATLAB's 0:0.1:1 only 0.3 is too large; numpy's arange has 0.6 and 0.7 too large as well."""
    answers = ranked(np.zeros(found, np.int64), np.linspace(1, 0, found), np.arange(found), 1)
    counts = np.array([annotated])
    # Precision is 1 throughout, so the average precision is the share of the eleven recalls that are reached.
    assert 11 * average_precisions(answers, counts, "11 points")[0] == pytest.approx(exact)
    assert 11 * average_precisions(answers, counts, "11 points, MATLAB")[0] == pytest.approx(matlab)


def test_the_first_of_equal_scores_is_right() -> None:
    answers = ranked(np.array([1, 0, 1, 1]), np.array([0.5, 0.2, 0.5, 0.9]), np.array([4, -1, 4, -1]), 3)
    assert answers.edges.tolist() == [0, 1, 4, 4]
    assert answers.right.tolist() == [False, False, True, False]


@pytest.mark.usefixtures("unchecked")
def test_unknown_curve() -> None:
    answers = ranked(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64), 1)
    with pytest.raises(InputError, match=r"Unknown curve 'points'.*11 points"):
        average_precisions(answers, np.array([1]), "points")  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 4)), max_size=25), st.integers(5, 30))
def test_against_a_loop(rows: list[tuple[int, int]], count: int) -> None:
    """The loop of VOC's and V-COCO's code, one category; scores with many ties."""
    score = np.array([row[0] / 3 for row in rows])
    fit = np.array([row[1] for row in rows], np.int64)
    taken: set[int] = set()
    hits = []
    for place in sorted(range(len(rows)), key=lambda place: -score[place]):
        hits.append(fit[place] >= 0 and fit[place] not in taken)
        taken.add(fit[place])
    true = np.cumsum(hits)
    recall = np.concatenate([[0.0], true / count, [1.0]])
    precision = np.concatenate([[0.0], true / np.arange(1, len(hits) + 1), [0.0]])
    for place in range(len(precision) - 1, 0, -1):
        precision[place - 1] = max(precision[place - 1], precision[place])
    steps = np.flatnonzero(recall[1:] != recall[:-1])
    area = ((recall[steps + 1] - recall[steps]) * precision[steps + 1]).sum()
    answers = ranked(np.zeros(len(rows), np.int64), score, fit, 1)
    assert average_precisions(answers, np.array([count]))[0] == pytest.approx(area, abs=1e-12)
