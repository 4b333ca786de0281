"""Objects made of cuboids: the `.mat` files of 3D-PRNN and primitive graph networks, and oriented boxes in `.npz`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError, nearest
from ...scene import Scene, Solid
from .fields import Fields, to_whole
from .format import Format
from .matlab import described, load_mat, to_list, to_numbers, to_rows
from .source import Part, Source

COLUMNS = 20
"""Of a primitive: ten numbers of its fit, size, least corner, axis, angle."""
_SIZE, _CORNER, _AXIS, _ANGLE = slice(10, 13), slice(13, 16), slice(16, 19), 19
_CLOSE = 1e-3
"""Voxels that a mirrored copy may be off."""
_SQUARE = 1e-3
"""How far axes in an `.npz` may be from unit length and right angles."""


def read(source: Source) -> Iterator[Scene]:
    """One scene an object, in voxels: x from its left to its right, z up. Parts are the class numbers in the file.

    A primitive has a mirror plane where the file has its mirrored copy (`sym`).
    """
    for path in source.all("primitives"):
        for number, entry in enumerate(_objects(path)):
            fields = Fields(entry, source.problems, path.name, "", number)
            solids = tuple(_solids(fields))
            yield Scene(f"{path.stem}-{number:05d}", solids=solids)


def _objects(path: Path) -> list[Any]:
    """The structs with `ori` of the first variable that holds any; a single struct may hold cells of tables too."""
    values = load_mat(path)
    for value in values.values():
        found = [item for item in to_list(value) if isinstance(item, dict) and "ori" in item]
        if found:
            return to_list(value)
    names = ", ".join(sorted(values)) or "none"
    raise InputError(f"{str(path)!r} has no variable of primitives: structs with a field 'ori'. It has {names}.")


def _solids(fields: Fields) -> Iterator[Solid]:
    own = to_rows(fields.values.get("ori"), COLUMNS)
    if own is None:
        fields.note("wrong value", f"ori is {described(fields.values.get('ori'))}; expected rows of {COLUMNS}")
        return
    copies = to_rows(fields.values.get("sym", ()), COLUMNS)
    if copies is None or len(copies) not in (0, len(own)):
        fields.note("wrong value", f"sym is {described(fields.values.get('sym'))}; expected as many rows as ori")
        copies = np.empty((0, COLUMNS))
    classes = [to_whole(value) for value in to_numbers(fields.values.get("cls"))]
    if len(classes) not in (0, len(own)):
        fields.note("wrong value", f"{len(classes)} classes for {len(own)} primitives")
        classes = []
    for row, primitive in enumerate(own):
        solid = _solid(fields, row, primitive, classes[row] if classes else None)
        if solid is None:
            continue
        copy = copies[row] if len(copies) else np.zeros(COLUMNS)
        if not copy[_SIZE].any():
            yield solid
        elif _is_mirrored(primitive, copy):
            plane = (primitive[_CORNER][0] + primitive[_SIZE][0] + copy[_CORNER][0]) / 2
            yield Solid(solid.centre, solid.size, solid.rotation, solid.part, (1.0, 0.0, 0.0, float(plane)))
        else:
            fields.note(
                "wrong value", f"sym[{row}] is not the mirrored copy of ori[{row}]; it becomes a solid of its own"
            )
            yield solid
            other = _solid(fields, row, copy, classes[row] if classes else None)
            if other is not None:
                yield other


def _is_mirrored(primitive: np.ndarray, copy: np.ndarray) -> bool:
    """Whether a row is the other one mirrored in x: same size, same y and z, angle the other way unless about x."""
    sign = 1.0 if primitive[_AXIS][0] else -1.0
    same = np.allclose(primitive[_SIZE], copy[_SIZE], atol=_CLOSE)
    level = np.allclose(primitive[_CORNER][1:], copy[_CORNER][1:], atol=_CLOSE)
    turned = np.allclose(sign * primitive[_ANGLE] * primitive[_AXIS], copy[_ANGLE] * copy[_AXIS], atol=_CLOSE)
    return bool(same and level and turned)


def _solid(fields: Fields, row: int, primitive: np.ndarray, part: int | None) -> Solid | None:
    size, corner = primitive[_SIZE], primitive[_CORNER]
    if not np.isfinite(primitive[10:]).all() or (size <= 0).any():
        fields.note("wrong value", f"ori[{row}] has no usable size or place: {size.tolist()} at {corner.tolist()}")
        return None
    centre = corner + size / 2
    return Solid(
        (float(centre[0]), float(centre[1]), float(centre[2])),
        (float(size[0]), float(size[1]), float(size[2])),
        _nine(rotation(primitive[_AXIS] * primitive[_ANGLE])),
        None if part is None else str(part),
    )


def rotation(turn: np.ndarray) -> np.ndarray:
    """The matrix whose columns are the own axes of a primitive, see `lichen.solids.turns`.

    Args:
        turn: axis times angle in radians, (3,), with the sign of the files.
    """
    import torch

    from ...solids.turns import to_rotation

    return to_rotation(torch.from_numpy(np.asarray(turn, np.float64))).numpy()


def _nine(matrix: np.ndarray) -> tuple[float, float, float, float, float, float, float, float, float]:
    a, b, c, d, e, f, g, h, i = (float(value) for value in matrix.ravel())
    return a, b, c, d, e, f, g, h, i


def read_boxes(source: Source) -> Iterator[Scene]:
    """Oriented boxes of many objects in one `.npz`: `center`, `size`, `axes` (the first two) and `offsets`.

    The files have y up and z from left to right; scenes have z up and x from left to right. The order of the axes
    stays right-handed. `metadata["base"]` is the shape that an object is a variant of, where the file says so.
    """
    for path in source.all("boxes"):
        arrays = _arrays(path)
        offsets = arrays["offsets"]
        solids = _turned(arrays)
        for number in range(len(offsets) - 1):
            where = f"{path.name}: object {number}"
            first, last = int(offsets[number]), int(offsets[number + 1])
            if not 0 <= first <= last <= len(solids):
                told = f"its boxes are rows {first} to {last} of {len(solids)}"
                source.problems.add("unknown reference", where, told)
                continue
            for row in range(first, last):
                if solids[row] is None:
                    told = "its size is not positive, or its axes are not at right angles"
                    source.problems.add("wrong value", f"{where}, box {row}", told)
            metadata: dict[str, int] = {
                name: int(arrays[name][number]) for name in ("base", "variant") if name in arrays
            }
            made = tuple(solid for solid in solids[first:last] if solid is not None)
            yield Scene(f"{path.stem}-{number:05d}", solids=made, metadata=metadata)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of the file, in double precision.

    Raises:
        InputError: it is damaged, or an array is absent or of another shape.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    # numpy raises what zipfile, its header parser and the file system raise.
    except Exception as error:
        raise InputError(f"{str(path)!r} is not readable as an .npz file: {error or type(error).__name__}.") from error
    for name in ("center", "size", "axes", "offsets"):
        if name not in found:
            raise InputError(f"{str(path)!r} has no array {name!r}. {nearest(name, found) if found else ''}".strip())
        if found[name].dtype.kind not in "iuf":
            raise InputError(f"{str(path)!r}: {name} holds {found[name].dtype}; expected numbers.")
    rows = len(found["center"]) if found["center"].ndim else 0
    shapes = {"center": (rows, 3), "size": (rows, 3), "axes": (rows, 2, 3), "offsets": (found["offsets"].size,)}
    for name, shape in shapes.items():
        if found[name].shape != shape:
            raise InputError(f"{str(path)!r}: {name} is {found[name].shape}; expected {shape}.")
    if not np.isfinite(found["offsets"]).all():
        raise InputError(f"{str(path)!r}: offsets must be finite numbers.")
    objects = max(found["offsets"].size - 1, 0)
    extra = {name: found[name] for name in ("base", "variant") if name in found and found[name].shape == (objects,)}
    kept = {name: array for name, array in extra.items() if array.dtype.kind in "iu"}
    return {**{name: found[name].astype(np.float64) for name in shapes}, **kept}


def _turned(arrays: dict[str, np.ndarray]) -> list[Solid | None]:
    """All boxes as solids in the axes of scenes; None where a box is none."""
    # (z, x, y) of the file is (x, y, z) of a scene.
    order = [2, 0, 1]
    centres, sizes, two = arrays["center"][:, order], arrays["size"], arrays["axes"][:, :, order]
    usable = np.isfinite(centres).all(1) & np.isfinite(sizes).all(1) & (sizes > 0).all(1) & np.isfinite(two).all((1, 2))
    two = np.where(usable[:, None, None] & (np.abs(two) < 2), two, 0.0)
    axes = np.stack([two[:, 0], two[:, 1], np.cross(two[:, 0], two[:, 1])], axis=-1)
    usable &= np.isclose(axes.transpose(0, 2, 1) @ axes, np.eye(3), atol=_SQUARE).all((1, 2))
    # Single precision leaves the axes a little off; the nearest rotation is exact.
    left, _, right = np.linalg.svd(axes)
    rows = zip(usable.tolist(), centres.tolist(), sizes.tolist(), left @ right, strict=True)
    return [Solid((a[0], a[1], a[2]), (b[0], b[1], b[2]), _nine(turn)) if there else None for there, a, b, turn in rows]


PRNN = Format(
    "cuboids of 3D-PRNN and PGN (.mat)",
    (Part("primitives", ("*primset*.mat", "*prim*.mat", "*.mat")),),
    "solids",
    read,
)
SOLID_BOXES = Format(
    "oriented boxes (.npz, GRASS layout)",
    (Part("boxes", ("*.npz",)),),
    "solids",
    read_boxes,
)
