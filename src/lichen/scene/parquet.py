"""Tables of scenes in Parquet, with nested columns, so that pandas, DuckDB or polars can ask them questions.

A column a field, lists of structs for the records in it; boxes are lists of four numbers. Only `metadata`, which may
hold anything, is JSON text. A column or a value that is absent is a field at its default.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import staged_file
from .extras import need
from .scene import Scene

_ROWS = 1024
"""Scenes in one row group, and in memory at a time."""


def schema() -> Any:
    """The columns, as a `pyarrow.Schema`.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    pa = _pyarrow()
    text, real, place = pa.string(), pa.float64(), pa.int64()
    box, texts, places = pa.list_(real), pa.list_(text), pa.list_(place)

    def records(**columns: Any) -> Any:
        return pa.list_(pa.struct(columns))

    return pa.schema(
        {
            "id": text,
            "image": text,
            "text": text,
            "size": pa.struct({"width": place, "height": place}),
            "captions": texts,
            "labels": records(name=text, score=real),
            "entities": records(label=text, box=box, score=real, attributes=texts, id=text),
            "relations": records(subject=place, predicate=text, object=place, score=real),
            "phrases": records(caption=place, start=place, end=place, entities=places, score=real),
            "expressions": records(text=text, entity=place, score=real),
            "questions": records(text=text, answers=texts, kind=text, entities=places),
            "lines": records(text=text, box=box, polygon=pa.list_(pa.list_(real)), score=real),
            "solids": records(centre=box, size=box, rotation=box, part=text, mirror=box, score=real),
            "tracks": records(boxes=pa.list_(box), label=text, score=real, entity=place),
            "frames": texts,
            "metadata": text,
        }
    )


def write_parquet(path: str | Path, scenes: Iterable[Scene]) -> int:
    """Write scenes as one Parquet file. It appears whole, or the old one stays.

    Returns:
        How many were written.

    Raises:
        MissingPackageError: pyarrow is not installed.
        InputError: the file cannot be written, or a scene does not hold together (see `Scene.validate`).
    """
    pa = _pyarrow()
    columns = schema()
    rows = (_row(scene.validate()) for scene in scenes)
    count = 0
    with (
        staged_file(Path(path)) as part,
        need("pyarrow.parquet", "parquet", _WHAT).ParquetWriter(part, columns, compression="zstd") as writer,
    ):
        while some := list(islice(rows, _ROWS)):
            writer.write_table(pa.Table.from_pylist(some, columns))
            count += len(some)
    return count


def read_parquet(path: str | Path) -> Iterator[Scene]:
    """Read scenes one by one, also from a file with only some of the columns.

    Raises:
        MissingPackageError: pyarrow is not installed.
        InputError: the file cannot be read, has columns that a Scene has not, or a row does not hold together.
    """
    pa = _pyarrow()
    path = Path(path)
    try:
        with need("pyarrow.parquet", "parquet", _WHAT).ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield _scene(row, f"{path.name}, row {number}")
    except OSError as error:
        raise InputError(f"Cannot read {str(path)!r}: {error.strerror or error}.") from error
    except pa.ArrowException as error:
        raise InputError(f"{str(path)!r} is not a readable Parquet file: {error}.") from error


_WHAT = "Parquet files are read and written"


def _pyarrow() -> Any:
    return need("pyarrow", "parquet", _WHAT)


def _row(scene: Scene) -> dict[str, Any]:
    row = scene.to_dict()
    if scene.size is not None:
        row["size"] = dict(zip(("width", "height"), scene.size, strict=True))
    if scene.metadata:
        row["metadata"] = json.dumps(row["metadata"], ensure_ascii=False, allow_nan=False)
    return row


def _scene(row: dict[str, Any], where: str) -> Scene:
    try:
        if isinstance(row.get("size"), dict):
            row["size"] = [row["size"].get("width"), row["size"].get("height")]
        if isinstance(row.get("metadata"), str):
            row["metadata"] = json.loads(row["metadata"])
        return Scene.from_dict(row).validate()
    except (InputError, ValueError, RecursionError) as error:
        raise InputError(f"{where}: {error}") from error
