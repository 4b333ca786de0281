"""Released weights are renamed, and what does not fit is told."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lichen.errors import CheckpointError, InputError
from lichen.heads.scene_graph import RELEASED, SceneGraphConfig, SceneGraphHead
from lichen.heads.scene_graph.reference import load_released

from .golden import make_head, parameters
from .tiny import make_head as make_other


def changed(**changes: Any) -> dict[str, torch.Tensor]:
    state = parameters() | changes
    return {name: value for name, value in state.items() if value is not None}


def test_prefixes_and_unused_weights() -> None:
    prefix = "module.roi_heads.relation.predictor."
    state = {prefix + name: value for name, value in parameters().items()}
    state[prefix + "context_layer.gate_sub2pred.0.gate_weight"] = torch.zeros(1)
    state[prefix + "obj_classifier.weight"] = torch.zeros(7, 12)
    first, second = make_head(), make_head()
    with torch.no_grad():
        for parameter in second.parameters():
            parameter.zero_()
    load_released(second, state)
    for name, value in second.state_dict().items():
        assert torch.equal(value, first.state_dict()[name]), name


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"context_layer.strange.weight": torch.zeros(1)},
            "not part of BGNN's release, such as 'context_layer.strange",
        ),
        ({"rel_classifier.bias": None}, "1 weights are missing, such as 'classify.bias'"),
        ({"rel_classifier.bias": torch.zeros(9)}, r"classify.bias is \(9,\) in the checkpoint; this head has \(6,\)"),
        ({"freq_lambda": torch.tensor([0.5])}, "freq_lambda is 0.5"),
        (
            {"context_layer.learnable_relness_score_gating_recalibration.beta": torch.tensor([0.03])},
            "0.06 in this head",
        ),
    ],
)
def test_checkpoints_that_do_not_fit(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        load_released(make_head(), changed(**changes))


def test_released_sizes() -> None:
    """graphs.md 1.9, of Visual Genome."""
    with torch.device("meta"):
        head = SceneGraphHead(SceneGraphConfig(**RELEASED), 150, 50, 4096, 4096)
    shapes = {name: tuple(value.shape) for name, value in head.state_dict().items()}
    wanted = {
        "representation.seeming.weight": (151, 200),
        "representation.place.0.weight": (32, 9),
        "representation.join.weight": (512, 4424),
        "representation.roles.weight": (1024, 4808),
        "representation.between.2.weight": (1024, 512),
        "representation.pair.weight": (2048, 1024),
        "representation.union.weight": (2048, 4096),
        "representation.entity.weight": (2048, 4808),
        "context.estimators.2.boxes.weight": (512, 656),
        "context.estimators.0.seen.weight": (512, 2048),
        "context.estimators.1.seen.weight": (512, 512),
        "context.estimators.1.any.weight": (1, 50),
        "context.gate.slope": (1,),
        "context.predicates.weight": (512, 2048),
        "context.messages.rounds.2.to_object.votes.weight": (128, 1024),
        "classify.weight": (51, 512),
        "bias.table": (22801, 51),
    }
    assert {name: shapes[name] for name in wanted} == wanted
    # 41.17 million with the parts of the release that nothing reads, of which its classifier of boxes is 0.08.
    assert 40.5e6 < sum(value.numel() for value in head.parameters()) < 41.1e6


def test_heads_that_are_not_the_released_one() -> None:
    with pytest.raises(InputError, match="compat='pysgg'"):
        load_released(make_other(), parameters())
