"""Memory is used again when nobody holds the batch, and never before."""

from __future__ import annotations

import threading

import pytest
import torch

from lichen.features import buffers
from lichen.features.buffers import Buffers

LARGE = (1 << 19, 1)


def test_memory_is_used_again_once_every_view_is_gone() -> None:
    pool = Buffers()
    first = pool.take(LARGE, torch.float32)
    address = first.data_ptr()
    row = first.unbind(1)[0][5:9]
    del first
    # A slice of it lives on, so its memory is not free.
    second = pool.take(LARGE, torch.float32)
    assert second.data_ptr() != address
    assert row.numel() == 4
    del row
    assert pool.take(LARGE, torch.float32).data_ptr() == address


@pytest.mark.parametrize("hold", ["numpy", "graph"])
def test_what_numpy_or_a_graph_holds_is_not_free(hold: str) -> None:
    pool = Buffers()
    tensor = pool.take(LARGE, torch.float32)
    tensor.fill_(2)
    address = tensor.data_ptr()
    weight = torch.ones(1, requires_grad=True)
    held = tensor.numpy()[3:7] if hold == "numpy" else (tensor * weight).sum()
    del tensor
    for _ in range(3):
        pool.take(LARGE, torch.float32).fill_(-1)
    if hold == "numpy":
        assert held.tolist() == [[2.0]] * 4
    else:
        held.backward()
        assert weight.grad is not None and float(weight.grad) == 2 * LARGE[0]
    assert address > 0


def test_shapes_and_dtypes_of_what_is_handed_out() -> None:
    pool = Buffers()
    for dtype in (torch.float32, torch.bfloat16, torch.uint8, torch.int8):
        tensor = pool.take((3, 1 << 20), dtype)
        assert tensor.shape == (3, 1 << 20) and tensor.dtype == dtype and tensor.is_contiguous()
    assert pool.take((0, 4), torch.float32).shape == (0, 4)
    assert pool.take((2, 4), torch.float16).dtype == torch.float16


def test_few_buffers_are_kept_whatever_the_sizes() -> None:
    pool = Buffers()
    for size in range(1, 30):
        pool.take((size << 20,), torch.uint8)
    assert len(pool._buffers) == 1
    held = [pool.take((2 << 20,), torch.uint8) for _ in range(20)]
    assert len({tensor.data_ptr() for tensor in held}) == 20 and len(pool._buffers) <= 8


def test_a_forked_process_starts_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Buffers()
    pool.take(LARGE, torch.float32)
    pool._lock.acquire()
    monkeypatch.setattr(buffers.os, "getpid", lambda: -1)
    done = threading.Thread(target=lambda: pool.take(LARGE, torch.float32), daemon=True)
    done.start()
    done.join(10)
    assert not done.is_alive()
