"""Several texts of a picture read what one text alone reads."""

from __future__ import annotations

import pytest
import torch

from lichen.errors import InputError
from lichen.heads.decoder.sharing import Sharing

from .tiny import draw, make_decoder, make_memory, random_ids

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "picture",
    [[0, 0, 1, 1, 2, 2], [2, 0, 1, 0, 2, 1], [0, 0, 0, 0, 0, 0, 0, 1, 2], [2, 2, 0], [1], [0, 1, 2]],
    ids=["grouped", "mixed", "uneven", "some unread", "one", "one each"],
)
def test_grouping_changes_nothing(picture: list[int]) -> None:
    decoder = make_decoder()
    tokens, real = make_memory(3)
    ids, index = random_ids(3, len(picture), 5), torch.tensor(picture)
    with torch.no_grad():
        found = decoder(ids, decoder.remember(tokens, real), index)
        wanted = decoder(ids, decoder.remember(tokens[index], real[index]))
    torch.testing.assert_close(found, wanted)


def test_equal_numbers_of_texts_share_without_a_copy() -> None:
    memory = make_decoder().remember(*make_memory(3))
    sharing = Sharing.of(torch.tensor([0, 0, 1, 1, 2, 2]), 3, 6, CPU)
    assert (sharing.groups, sharing.texts, sharing.pictures, sharing.place) == (3, 2, None, None)
    assert sharing.settle(memory)[0] is memory
    x = draw(0, 6, 4, 2)
    folded = sharing.fold(x)
    assert folded.shape == (3, 8, 2) and folded.data_ptr() == x.data_ptr()


def test_uneven_numbers_of_texts_cost_no_more_than_double() -> None:
    """One picture with 100 texts beside 50 with one each: neither places nor pictures more than double."""
    picture = torch.cat([torch.zeros(100, dtype=torch.long), torch.arange(1, 51)])
    sharing = Sharing.of(picture, 51, 150, CPU)
    assert sharing.groups * sharing.texts <= 2 * 150 + 51 and sharing.groups <= 2 * 51
    x = draw(0, 150, 2, 3)
    assert torch.equal(sharing.unfold(sharing.fold(x), 2), x)
    assert sharing.pictures is not None and sharing.place is not None
    assert torch.equal(sharing.pictures[sharing.place // sharing.texts], picture)


@pytest.mark.parametrize("picture", [[0, 0, 1, 1], [1, 0, 1, 1, 0]])
def test_repeated_texts_stand_beside_each_other(picture: list[int]) -> None:
    index = torch.tensor(picture)
    sharing = Sharing.of(index, 2, len(picture), CPU).repeat(3)
    x = draw(0, 3 * len(picture), 2, 4)
    assert torch.equal(sharing.unfold(sharing.fold(x), 2), x)
    reads = sharing.pictures if sharing.pictures is not None else torch.arange(sharing.groups)
    place = sharing.place if sharing.place is not None else torch.arange(len(x))
    assert torch.equal(reads[place // sharing.texts], index.repeat_interleave(3))


def test_pictures_that_do_not_exist_are_refused() -> None:
    for wrong in ([0, 3], [-1, 0]):
        with pytest.raises(InputError, match="numbers from 0 to 2"):
            Sharing.of(torch.tensor(wrong), 3, 2, CPU)
    with pytest.raises(InputError, match="3 pictures for 2 texts"):
        Sharing.of(torch.tensor([0, 1, 2]), 3, 2, CPU)
    with pytest.raises(InputError, match="2 texts for 3 pictures"):
        Sharing.of(None, 3, 2, CPU)
