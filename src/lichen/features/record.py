"""What a store is: the contents of `store.json`, written before anything is stored and the same for all its writers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ..backbones.features import Features
from ..backbones.fingerprint import Fingerprint
from ..backbones.outline import Outline
from ..errors import CheckpointError, InputError
from .config import StoreConfig

FORMAT = 1
STORE, INDEX, SKIPPED = "store.json", "index.safetensors", "skipped.json"


def shard_name(number: int) -> str:
    """File of a shard."""
    return f"shard-{number:05d}.safetensors"


def basis_name(digest: str) -> str:
    """File of principal components: named by its contents, so that two writers never exchange each other's."""
    return f"basis-{digest[:16]}.safetensors"


class UnfinishedStore(CheckpointError):
    """A store that lacks shards still: a build was cut short, or other processes are at work on theirs."""


@dataclass(frozen=True)
class Record:
    """Identity and shape of a store."""

    fingerprint: Fingerprint
    """Of the backbone; its `preprocessing` is that of the backbone's processor."""
    part: str
    """Which trunk of the backbone was read."""
    outline: Outline
    """Of that trunk."""
    config: StoreConfig
    """What is stored, and how."""
    states: tuple[int, ...]
    """Numbers of the stored hidden states."""
    final_is_last: bool
    """True where the final output is the last of these states, bit for bit, and is not stored again."""
    shapes: tuple[tuple[int, ...], ...]
    """Shape of each stored state, and of the final output where that is stored: (width,) or (width, rows, columns)."""
    grid: tuple[int, int] | None
    """Patches or map positions of a picture; None for text."""
    pooled: int | None
    """Width of the backbone's own summary vector, where it has one."""
    anchor: bool
    """Whether each sample has the position of a summary token."""
    samples: int
    """Rows of the store: samples times views, skipped ones included."""
    ids: str
    """SHA-256 of the samples' ids, in order."""
    items: str
    """SHA-256 of the first items of the data set: tells a changed preparation from the same one."""
    inputs: Any
    """What the data set tells of its preparation (its `settings`); None where it says nothing."""
    digests: dict[str, str]
    """SHA-256 of every tensor of the trunk, for loading parts of it with the same certainty."""
    basis: str | None = None
    """SHA-256 of the file of principal components, where the codec has any."""

    @classmethod
    def of(cls, features: Features, **rest: Any) -> Record:
        """The record of a store that holds such features; the fields that they do not tell are given."""
        same = bool(features.states) and features.final is features.states[-1]
        kept = [*features.states, *(() if same else (features.final,))]
        return cls(
            states=features.indices or (),
            final_is_last=same,
            shapes=tuple(tuple(state.shape[1:]) if features.is_maps else (state.shape[-1],) for state in kept),
            grid=features.grid,
            pooled=None if features.pooled is None else features.pooled.shape[1],
            anchor=features.anchor is not None,
            **rest,
        )

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.samples // self.config.shard)

    def rows_of(self, shard: int) -> range:
        """Rows that lie in a shard."""
        return range(shard * self.config.shard, min((shard + 1) * self.config.shard, self.samples))

    def differences(self, other: Record) -> list[str]:
        """Sentences that name each field in which another store differs, most telling first."""
        found = [f"backbone {line}" for line in self.fingerprint.differences(other.fingerprint)]
        mine, theirs = self.config.to_dict(), other.config.to_dict()
        found += [f"{name}: expected {mine[name]}, got {theirs[name]}" for name in mine if mine[name] != theirs[name]]
        for name in (
            "part",
            "inputs",
            "samples",
            "ids",
            "items",
            "states",
            "grid",
            "shapes",
            "pooled",
            "anchor",
            "final_is_last",
        ):
            if getattr(self, name) != getattr(other, name):
                found.append(f"{_NAMES.get(name, name)}: expected {self._show(name)}, got {other._show(name)}")
        return found

    def _show(self, name: str) -> str:
        value = getattr(self, name)
        return f"{value[:12]}…" if isinstance(value, str) and len(value) == 64 else str(value)

    def with_basis(self, digest: str) -> Record:
        """The same store with these principal components."""
        return replace(self, basis=digest)

    def to_dict(self) -> dict[str, Any]:
        """Field names and values, as JSON can hold them."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        nested = {name: values[name].to_dict() for name in ("fingerprint", "outline", "config")}
        return {"format": FORMAT, **values, **nested}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Record:
        """The inverse of `to_dict`.

        Raises:
            CheckpointError: another format, or fields that are missing, unknown or make no sense.
        """
        if values.get("format") != FORMAT:
            raise CheckpointError(f"The store has format {values.get('format')!r}; this version reads {FORMAT}.")
        known = {field.name for field in fields(cls)}
        if set(values) - {"format"} != known:
            raise CheckpointError(f"This is no description of a store: it has the fields {sorted(values)}.")
        try:
            return cls(
                **{name: values[name] for name in known - _BUILT},
                fingerprint=Fingerprint(**values["fingerprint"]),
                outline=Outline.from_dict(values["outline"]),
                config=StoreConfig.from_dict(values["config"]),
                states=tuple(values["states"]),
                shapes=tuple(tuple(shape) for shape in values["shapes"]),
                grid=None if values["grid"] is None else (values["grid"][0], values["grid"][1]),
            )
        except CheckpointError:
            raise
        except (TypeError, KeyError, IndexError, AttributeError, InputError) as error:
            raise CheckpointError(f"The description of the store makes no sense: {error}") from error


_BUILT = {"fingerprint", "outline", "config", "states", "shapes", "grid"}
_NAMES = {
    "inputs": "preparation of the samples",
    "items": "first items of the data set (another preparation of the samples?)",
    "ids": "sample ids",
    "states": "hidden states",
}
