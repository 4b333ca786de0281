"""Bad samples are counted and named; more than a twentieth of them stops."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import BadSample, InputError
from lichen.features.skipped import Tally


def bad(number: int, reason: str = "it is torn") -> BadSample:
    return BadSample(f"picture {number}", reason)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400))
def test_a_twentieth_is_put_up_with_and_no_more(total: int) -> None:
    tally = Tally(total)
    for number in range(total // 20):
        tally.add(bad(number))
    assert len(tally.skipped) == total // 20
    with pytest.raises(InputError, match=rf"{total // 20 + 1} of {total} samples cannot be used, more than 5 %"):
        tally.add(bad(-1))


def test_the_message_names_five_and_counts_the_rest() -> None:
    tally = Tally(8, limit=0.8)
    for number in range(6):
        tally.add(bad(number, "it is empty." if number else "it is torn"))
    assert tally.skipped["picture 0"] == "it is torn"
    with pytest.raises(InputError) as caught:
        tally.add(bad(6))
    message = str(caught.value)
    assert message.startswith(
        "At least 7 of 8 samples cannot be used, more than 80 %: picture 0: it is torn. picture 1: it is "
    )
    assert "picture 4: it is empty. And 2 more. Repair or remove them." in message
    assert "picture 5" not in message


def test_a_sample_counts_once() -> None:
    tally = Tally(20)
    for _ in range(3):
        tally.add(bad(0))
    assert tally.listed() == "picture 0: it is torn."
