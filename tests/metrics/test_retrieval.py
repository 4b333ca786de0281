"""Retrieval metrics: golden cases by hand, ties, blocks, and a plain sort on anything hypothesis comes up with."""

from __future__ import annotations

import statistics

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lichen.errors import InputError
from lichen.metrics.retrieval import ranks, retrieval


def rank_by_sorting(scores: list[float], right: list[bool]) -> int:
    """The worst place, among all orders of equals, of the best right answer; right answers do not block each other."""
    best = max((score for score, is_right in zip(scores, right, strict=True) if is_right), default=None)
    if best is None:
        return 0
    wrong = sorted((s for s, r in zip(scores, right, strict=True) if not r), reverse=True)
    return 1 + len([score for score in wrong if score >= best])


def test_golden_with_two_captions_a_picture() -> None:
    """Three pictures on the axes, two captions each; the scores are the captions' own coordinates."""
    pictures = torch.eye(3)
    captions = torch.tensor(
        [[5.0, 1, 0], [1, 9, 2], [3, 4, 7], [6, 2, 1], [0, 0, 8], [4, 3, 0]]
    )  # of pictures 0, 0, 1, 1, 2, 2
    found = retrieval(pictures, captions, torch.arange(3), torch.tensor([0, 0, 1, 1, 2, 2]))
    # Pictures: 0 sees 5 1 | 3 6 | 0 4: its best, 5, comes second. 1 sees 1 9 | 4 2 | 0 3: 4 second. 2 sees 8 first.
    # Captions: own coordinate against the others': 1, 3 (of 9 and 2), 2, 2, 1, 3.
    assert found == {
        "image_to_text/r1": pytest.approx(1 / 3),
        "image_to_text/r5": 1.0,
        "image_to_text/r10": 1.0,
        "image_to_text/median_rank": 2.0,
        "image_to_text/mean_rank": pytest.approx(5 / 3),
        "image_to_text/left_out": 0.0,
        "text_to_image/r1": pytest.approx(2 / 6),
        "text_to_image/r5": 1.0,
        "text_to_image/r10": 1.0,
        "text_to_image/median_rank": 2.0,
        "text_to_image/mean_rank": pytest.approx(12 / 6),
        "text_to_image/left_out": 0.0,
        "rsum": pytest.approx(100 * (1 / 3 + 1 + 1 + 1 / 3 + 1 + 1)),
    }


def test_cuts_are_inclusive() -> None:
    """Answer n scores 12 - n; the right one stands at rank n + 1."""
    answers = torch.arange(12.0, 0.0, -1.0)[:, None]
    for rank, r1, r5, r10 in ((1, 1, 1, 1), (2, 0, 1, 1), (5, 0, 1, 1), (6, 0, 0, 1), (10, 0, 0, 1), (11, 0, 0, 0)):
        query_group, answer_group = torch.tensor([rank - 1]), torch.arange(12)
        found = retrieval(torch.ones(1, 1), answers, query_group, answer_group, names=("query", "answer"))
        assert [found[f"query_to_answer/{key}"] for key in ("r1", "r5", "r10", "mean_rank")] == [r1, r5, r10, rank]


def test_perfect_retrieval_is_six_hundred() -> None:
    found = retrieval(torch.eye(20), torch.eye(20), torch.arange(20), torch.arange(20))
    assert found["rsum"] == 600.0 and found["text_to_image/median_rank"] == 1.0


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_a_model_that_says_the_same_of_all_ranks_last(dtype: torch.dtype) -> None:
    vector = torch.randn(1, 384, generator=torch.Generator().manual_seed(0))
    first, second = (vector / vector.norm()).to(dtype).repeat(40, 1), (vector / vector.norm()).to(dtype).repeat(41, 1)
    group = torch.arange(41)
    assert ranks(first, second, group[:40], group, cells=7 * 41).tolist() == [41] * 40
    # Nor does rounding help: the same likeness by other sums.
    order = torch.randperm(384, generator=torch.Generator().manual_seed(1))
    second[20:] = second[20:, order]
    first = torch.ones_like(first)
    assert ranks(first, second, group[:40], group).tolist() == [41] * 40


def test_right_answers_do_not_block_each_other() -> None:
    answers = torch.tensor([[3.0], [2.0], [1.0]])
    assert ranks(torch.ones(1, 1), answers, torch.tensor([0]), torch.tensor([0, 0, 1])).tolist() == [1]
    # Only the wrong one stands before the best right one, whatever follows.
    assert ranks(torch.ones(1, 1), answers, torch.tensor([0]), torch.tensor([1, 0, 0])).tolist() == [2]


def test_queries_without_an_answer_are_left_out_and_counted() -> None:
    groups = torch.tensor([0, 1, 2]), torch.tensor([0, 2])
    found = retrieval(torch.eye(3), torch.eye(3)[[0, 2]], *groups)
    assert found["image_to_text/left_out"] == 1.0 and found["text_to_image/left_out"] == 0.0
    assert found["image_to_text/r1"] == 1.0 and found["image_to_text/mean_rank"] == 1.0


def small_integers(rows: int) -> st.SearchStrategy[list[list[int]]]:
    return st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), min_size=rows, max_size=rows)


problems = st.tuples(st.integers(1, 6), st.integers(1, 8)).flatmap(
    lambda sizes: st.tuples(
        small_integers(sizes[0]),
        small_integers(sizes[1]),
        st.lists(st.integers(0, 3), min_size=sizes[0], max_size=sizes[0]),
        st.lists(st.integers(0, 3), min_size=sizes[1], max_size=sizes[1]),
    )
)


@settings(max_examples=150, deadline=None)
@given(problems, st.sampled_from([1, 5, 16, 10**6]))
def test_any_problem_against_a_plain_sort(problem: tuple, cells: int) -> None:
    first, second = (torch.tensor(rows).float() for rows in problem[:2])
    groups = [torch.tensor(group) for group in problem[2:]]

    def wanted(queries: Tensor, answers: Tensor, query_group: list[int], answer_group: list[int]) -> list[int]:
        return [
            rank_by_sorting((answers @ query).tolist(), [group == own for group in answer_group])
            for query, own in zip(queries, query_group, strict=True)
        ]

    there, back = wanted(first, second, *problem[2:]), wanted(second, first, *problem[:1:-1])
    assert ranks(first, second, *groups, cells=cells).tolist() == there
    assert ranks(second, first, *groups[::-1], cells=cells).tolist() == back
    if not any(there):
        with pytest.raises(InputError, match="their groups never meet"):
            retrieval(first, second, *groups)
        return
    found, total = retrieval(first, second, *groups, names=("a", "b")), 0.0
    for way, listed in (("a_to_b", there), ("b_to_a", back)):
        valid = [rank for rank in listed if rank]
        assert found[f"{way}/median_rank"] == pytest.approx(statistics.median(valid))
        assert found[f"{way}/mean_rank"] == pytest.approx(statistics.mean(valid))
        assert found[f"{way}/left_out"] == len(listed) - len(valid)
        for cut in (1, 5, 10):
            share = sum(rank <= cut for rank in valid) / len(valid)
            assert found[f"{way}/r{cut}"] == pytest.approx(share)
            total += 100 * share
    assert found["rsum"] == pytest.approx(total)


def test_blocks_change_nothing() -> None:
    random = torch.Generator().manual_seed(0)
    first, second = torch.randn(50, 16, generator=random), torch.randn(90, 16, generator=random)
    groups = torch.arange(50), torch.arange(90) % 50
    whole = ranks(first, second, *groups)
    for cells in (1, 90, 1000):
        assert torch.equal(ranks(first, second, *groups, cells=cells), whole)


def test_input_that_cannot_be_used() -> None:
    group = torch.arange(2)
    with pytest.raises(InputError, match=r"one width are expected; got \[2, 3\] and \[0, 3\]"):
        retrieval(torch.ones(2, 3), torch.ones(0, 3), group, group[:0])
    broken = torch.tensor([[1.0, float("nan")], [0.0, 1.0]])
    with pytest.raises(InputError, match="not finite"):
        retrieval(broken, torch.ones(2, 2), group, group)


def test_widths_that_differ(unchecked: None) -> None:
    with pytest.raises(InputError, match=r"got \[2, 3\] and \[2, 4\]"):
        retrieval(torch.ones(2, 3), torch.ones(2, 4), torch.arange(2), torch.arange(2))
