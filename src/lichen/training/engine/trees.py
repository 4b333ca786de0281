"""Nested state (an optimiser's, a scheduler's, random generators') as JSON with the tensors beside it.

`<name>.json` holds the structure and every plain value; floats come back bit for bit, since JSON writes the shortest
text that reads as the same number. `<name>.safetensors` holds the tensors, if there are any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...errors import CheckpointError, InputError
from ...files import read_json, to_json

_TENSOR, _TUPLE = "$tensor", "$tuple"


def write_tree(folder: Path, name: str, tree: Any) -> None:
    """Write `<name>.json` and, where there are tensors, `<name>.safetensors`.

    Args:
        folder: exists.
        name: of the files, without an ending.
        tree: dicts with text keys, lists, tuples, tensors, numbers, text, truth values and None, nested at will.

    Raises:
        InputError: it holds something else.
    """
    tensors: dict[str, Tensor] = {}
    (folder / f"{name}.json").write_bytes(to_json({"tree": _plain(tree, name, tensors)}))
    if tensors:
        write_tensors(folder / f"{name}.safetensors", tensors)


def read_tree(folder: Path, name: str) -> Any:
    """What `write_tree` wrote, with tensors on the CPU.

    Raises:
        CheckpointError: a file is absent or is not what `write_tree` writes.
    """
    document = read_json(folder / f"{name}.json")
    file = folder / f"{name}.safetensors"
    tensors = read_tensors(file) if file.is_file() else {}
    try:
        return _restored(document["tree"], tensors)
    except KeyError as error:
        raise CheckpointError(f"{str(folder / name)!r} lacks {error}. Copy the checkpoint again.") from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write named tensors as safetensors. Tied tensors are written once for each of their names."""
    storages: set[int] = set()
    flat: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        flat[name] = tensor.detach().cpu().contiguous()
        address = flat[name].untyped_storage().data_ptr()
        if address in storages:
            flat[name] = flat[name].clone()
        storages.add(address)
    save_file(flat, path, metadata={"format": "pt"})


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Named tensors of a safetensors file, on the CPU.

    Raises:
        CheckpointError: the file is absent or damaged.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{str(path)!r} cannot be read: {error}.") from error


def _plain(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """`value` as JSON can hold it; tensors go to `tensors` under their path."""
    if isinstance(value, Tensor):
        tensors[path] = value
        return {_TENSOR: path}
    if isinstance(value, Mapping):
        odd = [key for key in value if not isinstance(key, str) or key in (_TENSOR, _TUPLE)]
        if odd:
            raise InputError(f"{path} has the key {odd[0]!r}, which cannot be saved: keys must be plain text.")
        return {key: _plain(item, f"{path}.{key}", tensors) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [_plain(item, f"{path}.{index}", tensors) for index, item in enumerate(value)]
        return {_TUPLE: items} if isinstance(value, tuple) else items
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise InputError(
        f"{path} is a {type(value).__name__}, which cannot be saved without pickle. "
        "Use an optimiser and a schedule whose state is numbers, text and tensors."
    )


def _restored(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The value that `_plain` was given."""
    if isinstance(value, Mapping):
        if _TENSOR in value:
            return tensors[value[_TENSOR]]
        if _TUPLE in value:
            return tuple(_restored(item, tensors) for item in value[_TUPLE])
        return {key: _restored(item, tensors) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_restored(item, tensors) for item in value]
    return value
