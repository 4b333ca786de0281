"""The networks against the released ones, on the golden file's weights and inputs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lichen.errors import CheckpointError
from lichen.heads.solids import Parts, PrimitiveGraph, ProposalNetwork, SolidsConfig
from lichen.heads.solids.losses import proposal_losses, weighted
from lichen.heads.solids.matching import assign, merge_pairs
from lichen.heads.solids.reference import load_released

from ...solids.golden import CASES, TOLERANCE, check, inp, parameters


def network(centres: Any) -> ProposalNetwork:
    config = SolidsConfig(hidden=12, heads=256, code=10, local_code=5, channels=6, centres=centres)
    made = ProposalNetwork(4, 16, 6, config).double().eval()
    made.load_state_dict(load_released(parameters("proposal")))
    return made


MAPS, CODE, VECTOR = inp(60, 2, 6, 12, 12), inp(61, 2, 10), inp(62, 2, 16)
NAMES = {
    "size_translation": "lengths",
    "rotation": "turns",
    "class_probabilities": "logits",
    "box2d": "boxes",
    "hidden": "hidden",
}


def compare(record: dict[str, Any], found: Any, rows: Any, step: int) -> None:
    for name, own in NAMES.items():
        if name in record:
            value = getattr(found, own)[rows, step]
            check(record[name], value.softmax(-1) if own == "logits" else value)


@pytest.mark.parametrize(("case", "centres"), [("as_released", "released"), ("matching_centres", "matching")])
def test_free_running(case: str, centres: str) -> None:
    found = network(centres)(MAPS, CODE, VECTOR, 4)
    outputs = CASES[f"pgn.proposal.free_running.{case}"]["outputs"]
    for sample, record in enumerate(outputs):
        assert len(record["steps"]) == 4
        for step, told in enumerate(record["steps"]):
            compare(told, found, sample, step)


def test_the_two_forms_differ() -> None:
    first, second = (network(centres)(MAPS, CODE, VECTOR, 3) for centres in ("released", "matching"))
    assert torch.equal(first.lengths[:, 0], second.lengths[:, 0])
    assert not torch.allclose(first.hidden[:, 2], second.hidden[:, 2], atol=1e-5)


def test_teacher_forcing_and_losses() -> None:
    case = CASES["pgn.proposal.teacher_forced"]
    told = {name: torch.tensor(value, dtype=torch.float64) for name, value in case["targets"].items()}
    truth = Parts(
        told["size_translation"], told["rotation"], told["class"].long(), told["box2d"], told["mask"].sum(1).long()
    )
    found = network("released")(MAPS, CODE, VECTOR, 3, truth)
    for step, record in enumerate(case["outputs"]["steps"]):
        compare(record, found, slice(None), step)
    losses = {name: value.detach() for name, value in proposal_losses(found, truth).items()}
    wanted = case["outputs"]["losses"]
    for name, own in (("size_translation", "lengths"), ("rotation", "turns"), ("class", "classes"), ("box2d", "boxes")):
        assert float(losses[own]) == pytest.approx(wanted[name], abs=TOLERANCE)
    assert float(weighted(losses)) == pytest.approx(wanted["total"], abs=TOLERANCE)


def test_the_graph() -> None:
    case = CASES["pgn.graph"]
    config = SolidsConfig(hidden=12, node=20, graph_width=24, scale=False)
    graph = PrimitiveGraph(4, 24, config).double().eval()
    graph.load_state_dict(load_released(parameters("graph")))
    hidden, logits = inp(70, 2, 5, 24), 2.5 * inp(71, 2, 5, 4)
    there = torch.arange(5) < torch.tensor(case["lengths"])[:, None]
    start = (torch.zeros(2, 5, 6).double(), torch.zeros(2, 5, 3).double())
    true = torch.zeros(2, 5, dtype=torch.int64)
    for sample, row in enumerate(case["inputs"]["true_classes"]):
        true[sample, : len(row)] = torch.tensor(row)
    free, taught = graph(hidden, logits, there, start), graph(hidden, logits, there, start, true)
    for sample, record in enumerate(case["outputs"]):
        rows = slice(0, case["lengths"][sample])
        assert logits[sample, rows].argmax(-1).tolist() == record["input_class"]
        for name, value in (
            ("node_embedding", free.embedded),
            ("node_after_graph", free.nodes),
            ("class_probabilities", free.logits.softmax(-1)),
            ("size_translation_shared", free.shared_lengths),
            ("rotation_shared", free.shared_turns),
            ("size_translation_final_predicted_class", free.lengths),
            ("rotation_final_predicted_class", free.turns),
            ("size_translation_final_true_class", taught.lengths),
            ("rotation_final_true_class", taught.turns),
        ):
            check(record[name], value[sample, rows])


def test_matching_and_merging() -> None:
    case = CASES["pgn.matching"]
    proposals, truth = (torch.tensor(case[name])[None].double() for name in ("proposals", "true_parts"))
    all_there = torch.ones(1, 7, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool)
    assigned = assign(proposals, all_there[0], truth, all_there[1], 2)
    assert assigned[0].tolist() == case["assigned_true_index"]
    merge = case["merge"]
    lengths, sure = torch.tensor(merge["proposals"])[None].double(), torch.tensor(merge["class_probabilities"])
    kept = merge_pairs(
        lengths, sure.max(-1).values[None].double(), torch.ones(1, 6, dtype=torch.bool), torch.tensor([3])
    )
    assert kept[0].nonzero().flatten().tolist() == sorted(merge["kept_in_order_of_merging"])


def test_names_that_are_not_released() -> None:
    with pytest.raises(CheckpointError, match="not part of the released"):
        load_released({"fpn.weight": torch.zeros(1)})
