"""The digits are split without overlap and prepared as a backbone expects."""

from __future__ import annotations

import builtins
from typing import Any

import pytest
import torch

from lichen.data.digits import CLASSES, load_digits
from lichen.errors import MissingPackageError

pytest.importorskip("sklearn", reason="scikit-learn, which holds the digits, is not installed")


def test_split_covers_all_digits_once() -> None:
    digits = load_digits(train=1000, seed=0)
    assert len(digits.train) == 1000 and len(digits.test) == 797
    assert sorted(torch.cat([digits.train, digits.test]).tolist()) == list(range(1797))
    assert digits.labels.unique().tolist() == list(range(CLASSES))
    assert digits.images.min() == 0 and digits.images.max() == 1


def test_split_follows_the_seed() -> None:
    assert torch.equal(load_digits(seed=3).train, load_digits(seed=3).train)
    assert not torch.equal(load_digits(seed=3).train, load_digits(seed=4).train)


def test_missing_scikit_learn_names_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "sklearn":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingPackageError, match="pip install scikit-learn"):
        load_digits()
