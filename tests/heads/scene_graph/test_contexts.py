"""Contexts by themselves: the order of sequences, and what the released switches change."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lichen.heads.scene_graph.contexts import SequenceContext, packed_order
from lichen.heads.scene_graph.layers import SteadyBatchNorm, of_both

from .tiny import make_head, make_inputs, make_regions


@pytest.mark.parametrize("counts", [[1], [3, 0, 5, 2, 3], [0, 0, 2]])
def test_packed_order_by_a_loop(counts: list[int]) -> None:
    regions = make_regions(counts, 4)
    centre = regions.boxes[:, 0] + regions.boxes[:, 2]
    lists = [
        sorted((regions.picture == number).nonzero()[:, 0].tolist(), key=lambda row: float(centre[row]))
        for number in range(len(counts))
    ]
    lists.sort(key=lambda rows: -len(rows))
    expected = [rows[step] for step in range(max(counts)) for rows in lists if len(rows) > step]
    rows, sizes = packed_order(regions)
    assert rows.tolist() == expected
    assert sizes.tolist() == [sum(count > step for count in counts) for step in range(max(counts))]


def test_sequences_are_read_as_one_by_one() -> None:
    head, inputs = make_head(context="sequence"), make_inputs([3, 0, 5])
    context = head.context
    assert isinstance(context, SequenceContext)
    entities = torch.randn(8, 12, dtype=torch.float64)
    found = context._read(entities, inputs.regions)
    centre = inputs.regions.boxes[:, 0] + inputs.regions.boxes[:, 2]
    for rows in (torch.arange(3), torch.arange(3, 8)):
        order = rows[centre[rows].argsort()]
        torch.testing.assert_close(found[order], context.reader(entities[order][:, None])[0][:, 0])


def test_a_layer_on_both_is_that_on_the_codes_side_by_side() -> None:
    torch.manual_seed(0)
    layer, codes = torch.nn.Linear(8, 3), torch.randn(5, 4)
    pairs = torch.tensor([[0, 1], [4, 2], [2, 4]])
    torch.testing.assert_close(
        of_both(layer, codes, pairs), layer(torch.cat([codes[pairs[:, 0]], codes[pairs[:, 1]]], 1))
    )


def test_a_batch_norm_of_one_row_uses_what_it_knows() -> None:
    norm = SteadyBatchNorm(3).train()
    norm(torch.randn(8, 3))
    mean = norm.running_mean.clone()
    one = torch.randn(1, 3)
    found = norm(one)
    assert torch.equal(norm.running_mean, mean)
    torch.testing.assert_close(found, norm.eval()(one))


def test_released_heads_keep_silent_where_nobody_is_sure() -> None:
    """All scores below 0.03: the released code passes no message, ours still lets predicates speak to entities."""
    inputs = make_inputs([4])
    unsure = replace(inputs, regions=replace(inputs.regions, scores=torch.full((4,), 0.01, dtype=torch.float64)))
    for compat, silent in (("pysgg", True), ("none", False)):
        head = make_head(compat=compat, entities="replace").eval()
        with torch.no_grad():
            for estimator in head.context.estimators:
                estimator.any.bias.fill_(5.0)
        same = torch.equal(head(unsure)["entity_features"], head(unsure, pretraining=True)["entity_features"])
        assert same is silent
        assert torch.equal(head(unsure)["features"], head(unsure, pretraining=True)["features"])


def test_the_scale_of_features_does_not_matter_unless_released() -> None:
    inputs = make_inputs([3, 2])
    assert inputs.features is not None
    larger = replace(inputs, features=inputs.features * 1000)
    for compat, alike in (("none", True), ("pysgg", False)):
        head = make_head(compat=compat).eval()
        assert torch.allclose(head(larger)["logits"], head(inputs)["logits"], atol=1e-3) is alike
