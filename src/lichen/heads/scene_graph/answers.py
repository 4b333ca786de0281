"""What a scene graph head says, as one predicted graph a picture: for metrics, and as relations of scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ...errors import InputError
from ...graphs.found import FoundGraph
from ...regions.groups import starts_of
from ...scene import Relation
from .inputs import GraphInputs


def found_graphs(outputs: Mapping[str, Tensor], inputs: GraphInputs) -> tuple[FoundGraph, ...]:
    """The predicted graph of each picture, on the CPU.

    Classes and their scores are those of the inputs; of a head that classified boxes anew (and was not told the right
    classes) its own. A predicate's probability is its softmax among all columns, "no relation" included.

    Args:
        outputs: of `SceneGraphHead`.
        inputs: what it was asked.

    Raises:
        InputError: the pairs of a picture do not lie together.
    """
    regions = inputs.regions
    if "entity_logits" in outputs and not inputs.labels_known:
        scores, labels = outputs["entity_logits"].detach().softmax(1)[:, 1:].max(1)
        regions = replace(regions, labels=labels, scores=scores.to(regions.scores.dtype), probabilities=None)
    picture = regions.picture[inputs.pairs[:, 0]]
    if bool((picture.diff() < 0).any()):
        raise InputError("Pairs of a picture lie together, in the order of the pictures.")
    counts = torch.bincount(picture, minlength=regions.pictures)
    chances = outputs["logits"].detach().softmax(1)[:, 1:].to(regions.scores.dtype).cpu()
    pairs = (inputs.pairs - regions.starts[picture][:, None]).cpu()
    graphs = []
    for start, count, own in zip(starts_of(counts).tolist(), counts.tolist(), regions.to("cpu").split(), strict=True):
        rows = slice(start, start + count)
        graphs.append(FoundGraph(own.boxes, own.labels, own.scores, pairs[rows], chances[rows]))
    return tuple(graphs)


def to_relations(
    graph: FoundGraph, names: Sequence[str], most: int = 20, least: float | int = 0.0, per_pair: int | None = 1
) -> tuple[Relation, ...]:
    """The best predicted relations of a picture, with entities numbered as its boxes are.

    Args:
        names: of the predicates.
        most: how many there may be.
        least: lowest product of the three scores.
        per_pair: predicates of one pair at the most; None for all.
    """
    if graph.predicates.shape[1] != len(names):
        raise InputError(f"There are {len(names)} predicates, but the graph has {graph.predicates.shape[1]}.")
    triplets, scores = graph.best(most, per_pair)
    return tuple(
        Relation(subject, names[predicate], thing, score)
        for (subject, thing, predicate), score in zip(triplets.tolist(), scores.tolist(), strict=True)
        if score >= least
    )
