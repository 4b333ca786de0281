"""Outputs become one graph a picture, and relations of scenes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lichen.errors import InputError
from lichen.heads.scene_graph import found_graphs
from lichen.heads.scene_graph.answers import to_relations

from .tiny import PREDICATES, make_head, make_inputs


def test_one_graph_a_picture() -> None:
    inputs = make_inputs([3, 0, 2])
    outputs = make_head().eval()(inputs)
    graphs = found_graphs(outputs, inputs)
    assert [len(graph.pairs) for graph in graphs] == [6, 0, 2]
    assert graphs[2].pairs.tolist() == [[0, 1], [1, 0]]
    chances = outputs["logits"].softmax(1)[:, 1:]
    torch.testing.assert_close(torch.cat([graph.predicates for graph in graphs]), chances.detach())
    assert torch.equal(graphs[2].boxes, inputs.regions.boxes[3:])
    assert torch.equal(graphs[0].scores, inputs.regions.scores[:3])


def test_classes_of_heads_that_classify_anew() -> None:
    head, inputs = make_head(entities="replace").eval(), make_inputs([3])
    outputs = head(inputs)
    (graph,) = found_graphs(outputs, inputs)
    scores, labels = outputs["entity_logits"].softmax(1)[:, 1:].max(1)
    assert torch.equal(graph.labels, labels)
    torch.testing.assert_close(graph.scores, scores.detach())
    (known,) = found_graphs(outputs, replace(inputs, labels_known=True))
    assert torch.equal(known.labels, inputs.regions.labels)


def test_relations_of_a_scene() -> None:
    inputs = make_inputs([3])
    (graph,) = found_graphs(make_head().eval()(inputs), inputs)
    names = ("on", "near", "holding")
    relations = to_relations(graph, names, most=4)
    best, scores = graph.best(4)
    assert [(r.subject, r.object, names.index(r.predicate)) for r in relations] == [tuple(row) for row in best.tolist()]
    assert [r.score for r in relations] == pytest.approx(scores.tolist())
    assert len(to_relations(graph, names, most=100, least=float(scores[1]))) == 2
    assert len(to_relations(graph, names, most=100, per_pair=None)) == 6 * PREDICATES
    with pytest.raises(InputError, match="2 predicates"):
        to_relations(graph, names[:2])
    with pytest.raises(InputError, match="lie together"):
        mixed = make_inputs([2, 2])
        outputs = make_head()(mixed)
        found_graphs(outputs, replace(mixed, pairs=mixed.pairs.flip(0)))
