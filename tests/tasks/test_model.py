"""`SideModel`: side networks by part before one head, without a backbone."""

from __future__ import annotations

import torch
from torch import Tensor

from lichen.side.config import PooledConfig, ProbeConfig, UniPTConfig
from lichen.side.fit import fit_side
from lichen.tasks.classify import Classify
from lichen.tasks.model import SideModel
from lichen.tasks.retrieve import Retrieve
from lichen.tasks.task import HeadConfig

from ..families import shake
from .small import OUTLINE, PICTURE, TEXT, features_of

ROWS = torch.arange(4)


def classifier(config: UniPTConfig | ProbeConfig) -> SideModel:
    torch.manual_seed(0)
    side, _ = fit_side(config, OUTLINE)
    return SideModel({"input": side}, Classify(("a", "b"), False, HeadConfig(dropout=0.0)).make_head({"input": TEXT}))


def run(model: SideModel, targets: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
    features = features_of(ROWS)
    if isinstance(model.sides["input"].config, ProbeConfig):
        features = features.select((2,))
    return model({"input": features}, targets)


def test_the_head_reads_what_the_side_network_gives() -> None:
    model = classifier(UniPTConfig(layers=2)).eval()
    before = run(model)["logits"]
    assert "loss" not in run(model)
    # A fresh UniPT adds nothing to the frozen output; a trained one does.
    assert torch.allclose(before, run(_with_head_of(classifier(ProbeConfig()), model))["logits"], atol=1e-6)
    shake(model.sides)
    assert not torch.allclose(before, run(model)["logits"], atol=1e-3)


def _with_head_of(model: SideModel, other: SideModel) -> SideModel:
    model.head.load_state_dict(other.head.state_dict())
    return model.eval()


def test_sides_and_head_learn_from_one_loss() -> None:
    model = classifier(UniPTConfig(layers=2))
    run(model, {"labels": torch.tensor([0, 1, 0, 1])})["loss"].backward()
    assert all(name.startswith(("sides.input.", "head.")) for name in model.state_dict())
    for part in (model.sides, model.head):
        assert any(bool(p.grad is not None and p.grad.abs().sum() > 0) for p in part.parameters())


def test_parts_that_are_given_alone() -> None:
    task = Retrieve(("image", "text"), HeadConfig(width=8))
    sides = {name: fit_side(PooledConfig(layers=2), OUTLINE)[0] for name in task.names}
    model = SideModel(sides, task.make_head({"image": PICTURE, "text": TEXT})).eval()
    both = model({"image": features_of(ROWS), "text": features_of(ROWS, 1)})
    alone = model({"text": features_of(ROWS, 1)})
    assert set(both) == {"image", "text"} and set(alone) == {"text"}
    assert torch.equal(alone["text"], both["text"])
