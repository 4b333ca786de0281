"""Authors' keys to ours: every key of every golden case, nothing lost, nothing guessed."""

from __future__ import annotations

import re

import pytest
import torch

from lichen.errors import CheckpointError, InputError
from lichen.side.reference import KEY_MAPS, load_reference

from .golden import parameters

CASES = {
    "UniPT.BERT": "unipt/bert",
    "UniPT.CNN.eval": "unipt/cnn",
    "UniPT.CLIP.txt": "unipt/clip",
    "UniPT.CLIPViL": "unipt/joint",
    "UniPT.MDETR.mem": "unipt/detr",
    "SHERL.BERT": "sherl/bert",
    "SHERL.CNN.eval": "sherl/cnn",
    "SHERL.CLIP.msrvtt.txt": "sherl/clip",
    "SHERL.CLIP.msvd.txt": "sherl/clip",
    "SHERL.CLIPViL": "sherl/joint",
    "SHERL.MDETR": "sherl/detr",
    "GPO": "gpo",
}


@pytest.mark.parametrize("case,form", CASES.items())
def test_every_tensor_gets_one_name(case: str, form: str) -> None:
    reference = parameters(case)
    ours = load_reference(reference, form)
    assert len(ours) == len(reference)
    assert {id(value) for value in ours.values()} == {id(value) for value in reference.values()}


def test_every_pattern_is_a_valid_expression_and_unique() -> None:
    for form, rows in KEY_MAPS.items():
        patterns = [pattern for pattern, _ in rows]
        assert len(set(patterns)) == len(patterns), form
        for pattern in patterns:
            re.compile(pattern)


def test_unknown_keys_are_listed() -> None:
    state = parameters("UniPT.BERT") | {"bert.pooler.weight": torch.ones(1), "gate_layer.weights": torch.ones(1)}
    with pytest.raises(CheckpointError, match=r"2 of 26 keys.*bert\.pooler\.weight, gate_layer\.weights"):
        load_reference(state, "unipt/bert")
    with pytest.raises(CheckpointError, match="keys are not part of form 'sherl/bert'"):
        load_reference(parameters("UniPT.BERT"), "sherl/bert")


def test_unknown_form_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'unipt/bert'"):
        load_reference({}, "unipt/brt")


def test_batch_norm_counters_come_along() -> None:
    found = load_reference({"downsample_layers.0.1.num_batches_tracked": torch.tensor(3)}, "unipt/cnn")
    assert list(found) == ["down.0.norm.num_batches_tracked"]
