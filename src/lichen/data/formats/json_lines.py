"""Files with one JSON object on each line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from .fields import Fields
from .lines import lines_of
from .problems import Problems


def json_lines(path: Path, problems: Problems) -> Iterator[tuple[int, Fields]]:
    """The objects of a file with the numbers of their lines, from 1; lines that are none are noted and left out.

    Raises:
        InputError: the file cannot be read.
    """
    for number, line in lines_of(path, problems):
        where = f"{path.name}, line {number}"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            problems.add("wrong value", where, f"is not JSON: {error}")
            continue
        yield number, Fields(value, problems, where)
