"""The network with the released weights gives the released numbers: losses, attention, boxes, running statistics."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lichen.heads.grounding.candidates import Candidates
from lichen.heads.grounding.losses import contrast_loss, regression_loss, relation_weights
from lichen.heads.grounding.network import Grounding, GroundingNetwork
from lichen.regions import decode_deltas, encode_deltas

from .golden import DATA, GOLDEN, TOLERANCE, captions, check, double, look, network, prior, regions

CASES: dict[str, Any] = GOLDEN["cases"]
RUNS = [name for name in CASES if name != "reir.functions"]
LOSSES = {
    "reconstruction": ("reconstruction", 1.0),
    "relation_classification": ("relations", 1.0),
    "self_taught_regression_stage1": ("regression_coarse", 0.1),
    "self_taught_regression_stage2": ("regression_fine", 0.1),
    "contrast_stage1": ("contrast_coarse", 1.0),
    "contrast_stage2": ("contrast_fine", 1.0),
}
FUNCTIONS = CASES["reir.functions"]


def run(case: str) -> tuple[GroundingNetwork, Grounding, dict[str, Tensor]]:
    model = network().train(CASES[case]["train"])
    said = captions()
    found = model(look, regions(), said, prior=prior(), refine=int(CASES[case]["refine"]))
    return model, found, model.losses(found, said)


@pytest.mark.parametrize("case", RUNS)
def test_losses(case: str) -> None:
    losses = run(case)[2]
    wanted = CASES[case]["outputs"]["losses"]
    assert {LOSSES[name][0] for name in wanted} == set(losses)
    for name, value in wanted.items():
        own, factor = LOSSES[name]
        # The released code sums over the captions.
        assert abs(float(losses[own].detach()) * factor * len(DATA["images"]) - value) < TOLERANCE, name


@pytest.mark.parametrize("case", [name for name in RUNS if not CASES[name]["train"]])
def test_attention_and_boxes(case: str) -> None:
    _, found, _ = run(case)
    said, boxes = captions(), regions()
    coarse, fine = found.stages
    for number, wanted in enumerate(CASES[case]["outputs"]["images"]):
        rows = said.caption == number
        phrases = int(rows.sum())
        first = rows[coarse.candidates.phrase]
        second = rows[fine.candidates.phrase]
        assert coarse.deltas is not None and fine.deltas is not None
        values = {
            "sentence_vector": found.sentences.whole[number][None],
            "phrase_vectors_before_norm": found.sentences.phrases[rows],
            "phrase_vectors": found.phrases[rows],
            "proposal_embeddings": found.proposals[boxes.picture == number],
            "attention_stage1": coarse.attention[first].unflatten(0, (phrases, -1)),
            "attention_stage2_over_top_k": fine.attention[second].unflatten(0, (phrases, -1)),
            "fused_weight": fine.weight[second].unflatten(0, (phrases, -1)),
            "deltas_stage1": coarse.deltas[first].unflatten(0, (phrases, -1)),
            "top_k_boxes": fine.boxes[second].unflatten(0, (phrases, -1)),
            "deltas_stage2": fine.deltas[second].unflatten(0, (phrases, -1)),
            "box_from_stage1": found.boxes(0)[rows],
            "box_from_stage2": found.boxes(1, by="attention")[rows],
            "box_from_fused_weight (final)": found.boxes()[rows],
        }
        assert set(values) == set(wanted)
        for name, record in wanted.items():
            check(record, values[name], f"{case}, image {number}, {name}")


@pytest.mark.parametrize("case", [name for name in RUNS if CASES[name]["train"]])
def test_running_statistics(case: str) -> None:
    model = run(case)[0]
    wanted = CASES[case]["outputs"]
    check(wanted["vis_batchnorm_running_mean_after"], model.box_norm.running_mean, case)  # type: ignore[arg-type]
    check(wanted["phr_batchnorm_running_mean_after"], model.phrase_norm.running_mean, case)  # type: ignore[arg-type]


def test_masked_softmax() -> None:
    case = FUNCTIONS["masked_softmax"]
    rows, mask = double(case["rows"]), double(case["mask"])
    candidates = Candidates(torch.arange(3).repeat_interleave(3), torch.arange(9), 3)
    found = candidates.softmax(rows.flatten(), mask.flatten() > 0, released=True)
    torch.testing.assert_close(found.view(3, 3), double(case["result"]), rtol=0, atol=TOLERANCE)


def test_box_code() -> None:
    code = FUNCTIONS["box_encode"]
    found = encode_deltas(double(code["source"]), double(code["target"]))
    torch.testing.assert_close(found, double(code["delta"]), rtol=0, atol=TOLERANCE)
    code = FUNCTIONS["box_decode"]
    found = decode_deltas(double(code["boxes"]), double(code["delta"]))
    torch.testing.assert_close(found, double(code["result"]), rtol=0, atol=TOLERANCE)


def test_self_taught_regression() -> None:
    case = FUNCTIONS["self_taught_regression"]
    scores, boxes = double(case["scores"]), double(case["boxes"])
    phrases = len(scores)
    candidates = Candidates(torch.arange(phrases).repeat_interleave(4), torch.arange(4).repeat(phrases), phrases)
    found = regression_loss(
        candidates,
        boxes.repeat(phrases, 1),
        double(case["deltas"]).flatten(0, 1),
        scores.flatten(),
        torch.zeros(phrases, dtype=torch.long),
        1,
    )
    assert abs(float(found) - case["loss"]) < TOLERANCE


def test_contrast() -> None:
    case = FUNCTIONS["contrast"]
    assert abs(float(contrast_loss(double(case["similarity_matrix"]))) - case["loss"]) < TOLERANCE


def test_published_weights_of_relations() -> None:
    # The first five of the authors' 88 counts, with the smallest weight 1 and the largest 10 (graphs.md 2.6).
    weights = relation_weights([400.0, 25.0, 100.0, 900.0, 16.0, 50.0])
    assert float(weights[3]) == 1.0 and float(weights[4]) == 10.0
    assert float(weights[0]) == pytest.approx(1 + 9 * (1 / 20 - 1 / 30) / (1 / 4 - 1 / 30))
