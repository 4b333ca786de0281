"""Which numbers and words a decoder of ours writes boxes with: special tokens, or whole numbers as text.

The codes themselves, and those of published models, are in `regions/tokens.py`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from ..errors import CheckpointError, InputError, pick
from ..regions import CODES, CellCode, Code, CoordinateCode

_KINDS: dict[str, type[CoordinateCode] | type[CellCode]] = {"coordinates": CoordinateCode, "cells": CellCode}


def box_code(
    style: Literal["tokens", "text"] = "tokens",
    bins: int = 500,
    order: Literal["xyxy", "yxyx", "lbrt"] = "xyxy",
) -> CoordinateCode:
    """A code of boxes for a decoder that is trained from scratch.

    Args:
        style: "tokens" has a token of its own for every number, `<at0000>` to `<at0500>`, so a box is four tokens and
            an automaton can keep it a box. "text" is LocCa's: `[50, 100, 200, 400]`, spelt with ordinary tokens, three
            to four times as long. LocCa found no difference in quality.
        bins: parts that a side of the picture is divided into; 500 as in LocCa. On boxes of 8 pixels in 640 × 480 they
            cost 0.13 of IoU, 1000 cost 0.07 (decoders.md 4.2).
        order: how the four numbers stand: l is x1, t is y1, r is x2, b is y2.

    Raises:
        InputError: an unknown style or order, or fewer than 2 bins.
    """
    pick("style of boxes", style, ("tokens", "text"))
    pick("order of coordinates", order, ("xyxy", "yxyx", "lbrt"))
    if bins < 2:
        raise InputError(f"A picture's side is divided into at least 2 bins; got {bins}.")
    if style == "text":
        return CoordinateCode("{}", ("[", ", ", "]"), bins=bins, order=order)
    return CoordinateCode("<at{:04d}>", bins=bins, order=order)


def as_code(code: Code | str) -> Code:
    """A code, or that of a published model by its name.

    Raises:
        InputError: no model of this name.
    """
    return CODES[pick("format of boxes", code, CODES)] if isinstance(code, str) else code


def in_words(code: Code) -> bool:
    """Whether a code is spelt with ordinary tokens, so that brackets tell where a box begins."""
    return any(code.frame)


def code_to_dict(code: Code) -> dict[str, Any]:
    """A code as JSON can hold it."""
    for kind, known in _KINDS.items():
        if type(code) is known:
            return {"kind": kind, **asdict(code), "frame": list(code.frame)}
    raise InputError(f"Only {CoordinateCode.__name__} and {CellCode.__name__} can be saved; got {type(code).__name__}.")


def code_from_dict(values: dict[str, Any]) -> Code:
    """The inverse of `code_to_dict`.

    Raises:
        CheckpointError: not what `code_to_dict` writes.
    """
    given = dict(values)
    kind = given.pop("kind", None)
    try:
        return _KINDS[kind](**{**given, "frame": tuple(given["frame"])})
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"These are not the settings of a code of boxes: {values}.") from error
