"""Read weights and node names out of an ONNX file; nothing in it is executed.

ONNX files are protocol buffers. Only five message fields matter here, so a reader of the wire format suffices and the
`onnx` package is not needed. Field numbers are those of `onnx.proto` (IR version 3 and later); the wire format is
described at https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...errors import CheckpointError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_NODE_INPUT, _NODE_NAME = 1, 3
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 8, 9
_FLOAT32 = 1
_LONGEST_VARINT = 10


@dataclass(frozen=True)
class OnnxWeights:
    """What an ONNX graph holds besides its arithmetic."""

    tensors: dict[str, Tensor]
    """Float32 initializers by name."""
    inputs: dict[str, tuple[str, ...]]
    """Input tensor names of every named node."""

    def input_of(self, node: str, position: int) -> Tensor:
        """The initializer that feeds input `position` of a node.

        Raises:
            CheckpointError: no such node, or that input is not an initializer.
        """
        names = self.inputs.get(node, ())
        if position >= len(names) or names[position] not in self.tensors:
            raise CheckpointError(f"The ONNX graph holds no weight at input {position} of node {node!r}.")
        return self.tensors[names[position]]

    def named(self, name: str) -> Tensor:
        """The initializer called `name`.

        Raises:
            CheckpointError: there is none.
        """
        if name not in self.tensors:
            raise CheckpointError(f"The ONNX graph holds no weight called {name!r}.")
        return self.tensors[name]


def read_onnx(path: Path) -> OnnxWeights:
    """Read the float32 initializers and the node inputs of an ONNX file. Initializers of other types are left out.

    Raises:
        CheckpointError: the file is not an ONNX model, or is cut short.
    """
    tensors: dict[str, Tensor] = {}
    inputs: dict[str, tuple[str, ...]] = {}
    for graph in _messages(memoryview(path.read_bytes()), _MODEL_GRAPH):
        for node in _messages(graph, _GRAPH_NODE):
            name, names = _read_node(node)
            inputs[name] = names
        for message in _messages(graph, _GRAPH_INITIALIZER):
            name, tensor = _read_tensor(message)
            if tensor is not None:
                tensors[name] = tensor
    if not tensors:
        raise CheckpointError(f"{str(path)!r} holds no ONNX graph with float32 weights.")
    return OnnxWeights(tensors, inputs)


def _varint(data: memoryview, start: int) -> tuple[int, int]:
    """An integer of 7 bits a byte, low bits first, and the position after it."""
    value = 0
    for offset in range(_LONGEST_VARINT):
        if start + offset >= len(data):
            break
        byte = data[start + offset]
        value |= (byte & 0x7F) << (7 * offset)
        if byte < 0x80:
            return value, start + offset + 1
    raise CheckpointError("Not an ONNX file, or cut short: an integer does not end.")


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field number and value of every field of one message: an integer, or the bytes of the field."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire == _BYTES:
            length, position = _varint(data, position)
        elif wire in (_FIXED64, _FIXED32):
            length = 8 if wire == _FIXED64 else 4
        else:
            raise CheckpointError(f"Not an ONNX file: wire type {wire} is unknown.")
        if position + length > len(data):
            raise CheckpointError(f"Not an ONNX file, or cut short: {length} bytes announced, fewer left.")
        yield number, data[position : position + length]
        position += length


def _messages(data: memoryview, wanted: int) -> Iterator[memoryview]:
    for number, value in _fields(data):
        if number == wanted and isinstance(value, memoryview):
            yield value


def _text(value: int | memoryview) -> str:
    if isinstance(value, int):
        raise CheckpointError("Not an ONNX file: a name is stored as a number.")
    return bytes(value).decode("utf-8", errors="replace")


def _read_node(data: memoryview) -> tuple[str, tuple[str, ...]]:
    name, inputs = "", []
    for number, value in _fields(data):
        if number == _NODE_INPUT:
            inputs.append(_text(value))
        elif number == _NODE_NAME:
            name = _text(value)
    return name, tuple(inputs)


def _dims(value: int | memoryview) -> Iterator[int]:
    """Sizes of a tensor: one integer a field, or many packed into one."""
    if isinstance(value, int):
        yield value
        return
    position = 0
    while position < len(value):
        size, position = _varint(value, position)
        yield size


def _read_tensor(data: memoryview) -> tuple[str, Tensor | None]:
    """Name and value of an initializer; the value is None unless it is float32 stored as raw bytes."""
    name, kind, raw = "", 0, None
    shape: list[int] = []
    for number, value in _fields(data):
        if number == _TENSOR_DIMS:
            shape.extend(_dims(value))
        elif number == _TENSOR_TYPE and isinstance(value, int):
            kind = value
        elif number == _TENSOR_NAME:
            name = _text(value)
        elif number == _TENSOR_RAW and isinstance(value, memoryview):
            raw = value
    if kind != _FLOAT32 or raw is None:
        return name, None
    if len(raw) != 4 * math.prod(shape):
        raise CheckpointError(f"The ONNX weight {name!r} holds {len(raw)} bytes; its shape is {tuple(shape)}.")
    values = np.frombuffer(bytes(raw), dtype="<f4").astype(np.float32)
    return name, torch.from_numpy(values.reshape(shape))
