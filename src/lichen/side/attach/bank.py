"""Holds the side networks of one model by name, and what the parts of one forward pass tell each other."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from ...backbones.features import Features
from ...errors import InputError, nearest
from ..base import Side
from ..config import SideConfig


@dataclass(frozen=True)
class Plan:
    """How one trunk feeds its side network."""

    indices: tuple[int, ...]
    """Hidden states to tap."""
    late: int = 0
    """Last blocks that see the fused state instead of the frozen one (SHERL)."""
    reads_entry: bool = True
    """With late layers: what enters the first of them is read too, as the last chosen state."""
    entry: int | None = None
    """Number of the hidden state that enters the first late layer, where it is read and has one."""
    fused: bool = False
    """True where the side network also needs the last chosen state as it is (SHERL)."""
    output: Literal["tokens", "vector", "embedding", "memory"] = "tokens"
    """What the side network changes: every token; the pooled vector; the projected embedding; or nothing in the trunk
    itself, because the decoder reads the result as memory."""

    @property
    def needed(self) -> tuple[int, ...] | None:
        """Numbers of all hidden states that the side network reads; None where one of them has no number."""
        if not self.late or not self.reads_entry:
            return self.indices
        return None if self.entry is None else (*self.indices, self.entry)


class Slot(nn.Module):
    """One named side network: a `Side` for every part, and trained copies of the task's heads."""

    def __init__(
        self, config: SideConfig, sides: Mapping[str, Side], plans: Mapping[str, Plan], heads: Mapping[str, nn.Module]
    ) -> None:
        super().__init__()
        self.config = config
        self.plans = dict(plans)
        self.sides = nn.ModuleDict(sides)
        self.heads = nn.ModuleDict(heads)
        self.kept: dict[str, Any] | None = None
        """Kept bytes of the first training batch, and its shapes; None before it."""

    def side(self, part: str) -> Side:
        """The side network of one part."""
        return self.sides[part]  # type: ignore[return-value]


@dataclass
class Call:
    """What is known during one forward pass of the whole model."""

    features: Mapping[str, Features] = field(default_factory=dict)
    """Stored features by part, given instead of inputs."""
    recording: dict[str, Features] | None = None
    """Where a reading pass leaves each part's features; None outside such a pass."""
    memory: Features | None = None
    """Adapted encoder output, for the decoder's side network."""
    embeddings: dict[str, Tensor] = field(default_factory=dict)
    """Adapted embeddings by part, waiting for the projection whose output they replace."""
    checked: bool = False
    """True where the whole model was found frozen already, so that its trunks need not be looked at again."""


class _Calls(threading.local):
    """The call under way in each thread, by model: threads that share a model have a batch each."""

    def __init__(self) -> None:
        self.by_bank: WeakKeyDictionary[SideBank, Call] = WeakKeyDictionary()


_CALLS = _Calls()


class SideBank(nn.Module):
    """All side networks of a model. Registered on it as `lichen`, so devices and state dicts follow the model."""

    def __init__(self, originals: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.slots = nn.ModuleDict()
        self.originals = nn.ModuleDict(originals)
        self.active: str | None = None

    @property
    def call(self) -> Call:
        """State of the forward pass that this thread runs; outside one, what its parts called alone leave."""
        return _CALLS.by_bank.setdefault(self, Call())

    @property
    def current(self) -> Slot | None:
        """The active slot, or None while the model answers as it was before attach()."""
        return None if self.active is None else self.slot(self.active)

    @property
    def kept(self) -> dict[str, Any] | None:
        """Kept bytes of the active slot's first training batch, and its shapes; None before it."""
        return None if self.current is None else self.current.kept

    def slot(self, name: str) -> Slot:
        """A slot by name.

        Raises:
            InputError: no side network of this name.
        """
        if name not in self.slots:
            raise InputError(f"No side network is called {name!r}. {nearest(name, self.slots)}")
        return self.slots[name]  # type: ignore[return-value]

    @contextmanager
    def calling(self, call: Call) -> Iterator[Call]:
        """Make `call` the state of the forward pass inside the block."""
        calls = _CALLS.by_bank
        before, calls[self] = self.call, call
        try:
            yield call
        finally:
            calls[self] = before
