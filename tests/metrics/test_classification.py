"""Classification metrics: golden cases by hand, and scikit-learn on anything that hypothesis comes up with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics as sk

from lichen.errors import InputError
from lichen.metrics.classification import average_precision, confusion, matthews, multi_label, single_label


def ints(*values: int) -> np.ndarray:
    return np.array(values)


def test_golden_single_label() -> None:
    targets, predictions = ints(0, 0, 0, 1, 1, 2), ints(0, 0, 1, 1, 0, 2)
    table = confusion(predictions, targets, 4)
    assert table.tolist() == [[2, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    found = single_label(predictions, targets, 4, names=["cat", "dog", "owl", "yak"])
    assert found == {
        "accuracy": pytest.approx(4 / 6),
        "balanced_accuracy": pytest.approx((2 / 3 + 1 / 2 + 1) / 3),
        # 2 tp / (real + claimed); the class that never occurs is left out
        "macro_f1": pytest.approx((4 / 6 + 2 / 4 + 1) / 3),
        # (4 * 6 - (9 + 4 + 1)) / sqrt((36 - 14) (36 - 14))
        "matthews": pytest.approx(10 / 22),
        "accuracy/cat": pytest.approx(2 / 3),
        "accuracy/dog": 0.5,
        "accuracy/owl": 1.0,
    }


def test_matthews_at_its_ends() -> None:
    assert single_label(ints(0, 1, 0, 1), ints(0, 1, 0, 1), 2)["matthews"] == 1.0
    assert single_label(ints(1, 0, 1, 0), ints(0, 1, 0, 1), 2)["matthews"] == -1.0
    assert single_label(ints(1, 1, 1, 1), ints(0, 1, 0, 1), 2)["matthews"] == 0.0
    assert single_label(ints(1, 1), ints(1, 1), 2)["matthews"] == 0.0


def test_matthews_of_many_samples_does_not_overflow() -> None:
    table = np.array([[3 * 10**9, 10**9], [10**9, 3 * 10**9]])
    assert matthews(table) == pytest.approx(0.5)


numbers = st.integers(1, 40).flatmap(
    lambda count: st.tuples(
        arrays.arrays(np.int64, count, elements=st.integers(0, 4)),
        arrays.arrays(np.int64, count, elements=st.integers(0, 4)),
    )
)


@pytest.mark.filterwarnings("ignore:A single label was found:UserWarning")
@settings(max_examples=60, deadline=None)
@given(numbers)
def test_single_label_agrees_with_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    predictions, targets = pair
    found = single_label(predictions, targets, 5)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(targets, predictions))
    wanted = sk.f1_score(targets, predictions, average="macro", zero_division=0)
    assert found["macro_f1"] == pytest.approx(wanted)
    assert found["matthews"] == pytest.approx(sk.matthews_corrcoef(targets, predictions), abs=1e-12)
    recalls = sk.recall_score(targets, predictions, labels=np.unique(targets), average="macro", zero_division=0)
    assert found["balanced_accuracy"] == pytest.approx(recalls)
    table = sk.confusion_matrix(targets, predictions, labels=range(5))
    assert np.array_equal(confusion(predictions, targets, 5), table)


def test_golden_multi_label() -> None:
    scores = np.array([[0.9, 0.1, 0.6], [0.8, 0.7, 0.2], [0.3, 0.6, 0.1], [0.2, 0.5, 0.4]])
    targets = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]], dtype=bool)
    found = multi_label(scores, targets, names=["cat", "dog", "owl"])
    assert found == {
        # cat: ranks 1 and 3; dog: ranks 1 and 3; owl applies to nothing
        "mean_average_precision": pytest.approx((1 + 2 / 3) / 2),
        "classes_without_positives": 1.0,
        # 0.5 itself counts as predicted: 3 right of 4 real, 6 claimed
        "micro_f1": pytest.approx(2 * 3 / (4 + 6)),
        "macro_f1": pytest.approx((2 * 1 / 4 + 2 * 2 / 5 + 0) / 3),
        "hamming_loss": pytest.approx(4 / 12),
        "average_precision/cat": pytest.approx((1 + 2 / 3) / 2),
        "average_precision/dog": pytest.approx((1 + 2 / 3) / 2),
    }


def test_ties_share_their_lowest_rank() -> None:
    scores = np.array([[0.5], [0.5], [0.5], [0.1]])
    for position in range(3):
        targets = np.zeros((4, 1), dtype=bool)
        targets[position] = True
        assert average_precision(scores, targets).tolist() == [pytest.approx(1 / 3)]


scored = st.tuples(st.integers(1, 25), st.integers(1, 4)).flatmap(
    lambda shape: st.tuples(
        # Few distinct scores, so that ties are common.
        arrays.arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.25, 0.5, 0.51, 1.0])),
        arrays.arrays(np.bool_, shape),
    )
)


@settings(max_examples=80, deadline=None)
@given(scored)
def test_multi_label_agrees_with_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    scores, targets = pair
    if not targets.any():
        with pytest.raises(InputError, match="No class applies"):
            multi_label(scores, targets)
        return
    found, claimed = multi_label(scores, targets), scores >= 0.5
    by_class = average_precision(scores, targets)
    for index in range(targets.shape[1]):
        if targets[:, index].any():
            assert by_class[index] == pytest.approx(sk.average_precision_score(targets[:, index], scores[:, index]))
        else:
            assert np.isnan(by_class[index])
    assert found["mean_average_precision"] == pytest.approx(np.nanmean(by_class))
    assert found["classes_without_positives"] == (~targets.any(0)).sum()
    f1 = [
        sk.f1_score(targets[:, index], claimed[:, index], zero_division=0)
        for index in range(targets.shape[1])
        if targets[:, index].any() or claimed[:, index].any()
    ]
    assert found["macro_f1"] == pytest.approx(np.mean(f1))
    flat = targets.ravel(), claimed.ravel()
    assert found["micro_f1"] == pytest.approx(sk.f1_score(*flat, zero_division=0))
    assert found["hamming_loss"] == pytest.approx(np.mean(flat[0] != flat[1]))


def test_input_that_cannot_be_used() -> None:
    with pytest.raises(InputError, match="at least one; got 0 for 0"):
        single_label(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), 3)
    with pytest.raises(InputError, match=r"must lie in 0 to 2; got 0 to 3"):
        single_label(ints(0, 3), ints(0, 1), 3)
    with pytest.raises(InputError, match=r"must lie in 0 to 2; got -1 to 1"):
        single_label(ints(0, 1), ints(-1, 1), 3)
    with pytest.raises(InputError, match="3 classes but 2 names"):
        single_label(ints(0, 1), ints(0, 1), 3, names=["a", "b"])
    with pytest.raises(InputError, match="hold NaN"):
        multi_label(np.array([[np.nan]]), np.array([[True]]))
    with pytest.raises(InputError, match="at least one"):
        multi_label(np.zeros((0, 3)), np.zeros((0, 3), dtype=bool))


def test_arrays_that_do_not_belong_together(unchecked: None) -> None:
    with pytest.raises(InputError, match="got 2 for 3"):
        single_label(ints(0, 1), ints(0, 1, 1), 3)
    with pytest.raises(InputError, match=r"got \(1, 2\) for \(1, 1\)"):
        multi_label(np.zeros((1, 2)), np.ones((1, 1), dtype=bool))
