"""Packing labels into trees."""

from __future__ import annotations

import pytest
import torch

from lichen.errors import InputError
from lichen.heads.decoder.labels import Labels

TEXTS = [[4, 5, 1], [4, 1], [6, 7, 8, 1], [6, 7, 1], [9, 1], [4, 5, 5, 1]]


def test_what_texts_share_is_read_once() -> None:
    labels = Labels.of(TEXTS, 10)
    [part] = labels.parts
    # Proper beginnings: 4, 4 5, 4 5 5, 6, 6 7, 6 7 8, 9.
    assert sorted(zip(part.depth.tolist(), part.ids.tolist(), strict=True)) == [
        (0, 4),
        (0, 6),
        (0, 9),
        (1, 5),
        (1, 7),
        (2, 5),
        (2, 8),
    ]
    assert len(labels) == 6 and labels.longest == 4 and labels.lengths.tolist() == [3, 2, 4, 3, 2, 4]


@pytest.mark.parametrize("nodes", [1, 3, 4, 256])
def test_every_part_spells_its_texts(nodes: int) -> None:
    labels = Labels.of(TEXTS, 10, nodes)
    assert nodes == 256 or len(labels.parts) > 1
    spelt = []
    for part in labels.parts:
        assert len(part.ids) <= max(nodes, 3)
        assert (part.ancestors.sum(1) == part.depth + 1).all()
        for path in part.paths.tolist():
            edges = [edge for edge in path if edge < len(part.token)]
            text = [int(part.token[edge]) for edge in edges]
            node = part.node[edges[-1]]
            seen = part.ancestors[node].nonzero()[:, 0]
            before = part.ids[seen[part.depth[seen].argsort()]].tolist()
            assert [*before[1:], text[-1]] == text
            spelt.append([before[0], *text])
    assert [spelt[place] for place in labels.order.argsort()] == TEXTS
    assert [text[0] for text in spelt] == labels.first.tolist()


def test_texts_of_one_token_need_no_node() -> None:
    labels = Labels.of([[4], [6], [5]], 10)
    assert labels.first.tolist() == [4, 5, 6] and labels.order.tolist() == [0, 2, 1]
    assert len(labels.parts[0].ids) == 0


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "no labels"),
        ([[4], []], "Label 1 has no token"),
        ([[4, 1], [5, 1], [4, 1]], "Labels 0 and 2 have the same tokens"),
        ([[4, 10]], "outside 0 to 9"),
        ([[-1]], "outside 0 to 9"),
    ],
)
def test_what_could_never_be_told_apart_is_refused(texts: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Labels.of(texts, 10)


def test_moving_to_where_it_lies_copies_nothing() -> None:
    labels = Labels.of(TEXTS, 10)
    assert labels.to(torch.device("cpu")) is labels
    assert labels.to(torch.device("meta")).parts[0].paths.device.type == "meta"
