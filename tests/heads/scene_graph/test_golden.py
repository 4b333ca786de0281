"""The head with compat="pysgg" gives what BGNN's released code gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lichen.heads.scene_graph.confidence import Gate
from lichen.heads.scene_graph.head import SceneGraphHead
from lichen.heads.scene_graph.losses import confidence_loss, focal
from lichen.heads.scene_graph.representation import Representation, Represented

from .golden import CASES, difference, make_head, make_inputs

TOLERANCE = 1e-8
NETWORK = [name for name, case in CASES.items() if "images" in case]


def run(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[SceneGraphHead, dict[str, torch.Tensor], Represented]:
    case = CASES[name]
    head = make_head().train(case["train"])
    inputs, targets = make_inputs(case)
    seen: list[Represented] = []
    forward = Representation.forward

    def watched(self: Representation, *args: Any) -> Represented:
        seen.append(forward(self, *args))
        return seen[-1]

    monkeypatch.setattr(Representation, "forward", watched)
    outputs = head(inputs, targets, pretraining=case["confidence_pretraining"])
    return head, outputs, seen[0]


@pytest.mark.parametrize("name", NETWORK)
def test_outputs_losses_and_statistics(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    head, outputs, given = run(name, monkeypatch)
    golden = CASES[name]["outputs"]
    found = {
        "entity_input_e0": given.entities,
        "predicate_input_r0": given.predicates,
        "final_entity_feature": outputs["entity_features"],
        "final_predicate_feature": outputs["features"],
        "predicate_logits": outputs["logits"],
    }
    if CASES[name]["train"]:
        assert head.representation is not None
        norm = head.representation.place[1]
        found |= {"pos_embed_running_mean_after": norm.running_mean, "pos_embed_running_var_after": norm.running_var}
        losses = golden["losses"]
        assert outputs["loss_relation"].item() == pytest.approx(losses["relation_cross_entropy"], abs=TOLERANCE)
        for stage, loss in enumerate(outputs["loss_confidence"].tolist()):
            assert loss == pytest.approx(losses[f"confidence_stage_{stage}"], abs=TOLERANCE)
        total = sum(losses.values())
        assert outputs["loss"].item() == pytest.approx(total, abs=TOLERANCE)
    for key, value in found.items():
        assert difference(golden[key], value) < TOLERANCE, key
    for stage, each in enumerate(golden["stages"]):
        logits = outputs["confidence"][stage]
        assert difference(each["class_and_global_logits"], logits) < TOLERANCE
        assert difference(each["confidence_sigma"], logits[:, -1].sigmoid()) < TOLERANCE
        assert difference(each["gate_gamma"], outputs["gates"][stage]) < TOLERANCE


def test_gate() -> None:
    case = CASES["bgnn.gate"]
    sigma = torch.tensor(case["sigma"], dtype=torch.float64)
    gate = Gate(case["alpha"], case["beta"]).double()
    with torch.no_grad():
        # 3.12 is rounded to single precision where the parameter is made.
        gate.slope.fill_(case["alpha"])
    torch.testing.assert_close(gate(sigma), torch.tensor(case["gamma"], dtype=torch.float64), rtol=0, atol=TOLERANCE)


def test_confidence_loss() -> None:
    case = CASES["bgnn.confidence_loss"]
    logits = torch.tensor(case["logits"], dtype=torch.float64)
    for result in case["results"]:
        found = confidence_loss(logits, torch.tensor(result["labels"]))
        assert float(found) == pytest.approx(result["loss"], abs=TOLERANCE)


def test_focal_loss() -> None:
    """graphs.md 1.6, which prints the second value as .33000; it is 0.2 · 0.880797² · 2.126928."""
    found = focal(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0]))
    assert found.tolist() == pytest.approx([0.0346574, 0.3300157], abs=1e-6)
