"""Settings of the side networks: frozen dataclasses, read from and written to plain dicts.

The docstring under a field is its help text. `layers` follows timm's rules: None takes all hidden states, an int n the
last n, a sequence names them by absolute or negative index; state 0 is the embedding output.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal, get_args, get_type_hints

from ..errors import InputError, nearest, pick

Layers = int | tuple[int, ...] | None
Keep = Literal["exact", "bfloat16", "int8"]
UniPTForm = Literal["auto", "generic", "bert", "joint", "cnn", "clip", "encoder-decoder"]
SHERLForm = Literal["auto", "generic", "bert", "joint", "detr", "cnn", "clip", "clip-plain", "t5"]
LSTForm = Literal["auto", "bert", "t5"]


@dataclass(frozen=True)
class SideConfig:
    """What all side networks share."""

    method: ClassVar[str] = ""

    layers: Layers = None
    """Hidden states to read: None all, n the last n, a sequence absolute or negative indices."""
    train_head: bool = True
    """Train a fresh copy of the task head too. Language-model heads stay frozen either way."""
    keep: Keep = "exact"
    """How states are kept for the weight gradient: exact, or as a bfloat16 or int8 copy. Forward is unchanged."""

    def __post_init__(self) -> None:
        if isinstance(self.layers, list):
            object.__setattr__(self, "layers", tuple(self.layers))
        for field in fields(self):
            choices = get_args(get_type_hints(type(self))[field.name])
            if choices and all(isinstance(choice, str) for choice in choices):
                pick(f"{type(self).__name__}.{field.name}", str(getattr(self, field.name)), choices)
            elif isinstance(field.default, bool) and not isinstance(getattr(self, field.name), bool):
                value = getattr(self, field.name)
                raise InputError(f"{type(self).__name__}.{field.name} must be True or False; got {value!r}.")
        for name in ("reduction", "rank", "queries", "late_layers"):
            value = getattr(self, name, 1)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{type(self).__name__}.{name} must be a whole number of at least 1; got {value!r}.")
        embed = getattr(self, "embed", None)
        if embed is not None and (isinstance(embed, bool) or not isinstance(embed, int) or embed < 1):
            raise InputError(f"{type(self).__name__}.embed must be None or a whole number from 1; got {embed!r}.")
        temperature, dropout = getattr(self, "temperature", 1.0), getattr(self, "dropout", 0.0)
        if not isinstance(temperature, int | float) or not temperature > 0:
            raise InputError(f"{type(self).__name__}.temperature must be above 0; got {temperature!r}.")
        if not isinstance(dropout, int | float) or not 0.0 <= dropout < 1.0:
            raise InputError(f"{type(self).__name__}.dropout must lie in [0, 1); got {dropout!r}.")

    def to_dict(self) -> dict[str, Any]:
        """Plain values under their field names, with the method's name."""
        return {"method": self.method, **asdict(self)}


@dataclass(frozen=True)
class UniPTConfig(SideConfig):
    """UniPT (CVPR 2024, arXiv 2308.14316): parallel interaction and confidence aggregation over all hidden states."""

    method: ClassVar[str] = "unipt"

    reduction: int = 2
    """The side network's width is the backbone's (or `embed`) divided by this."""
    form: UniPTForm = "auto"
    """Published form to follow; auto takes the one that fits the backbone. See docs/papers.md."""
    embed: int | None = None
    """Width of the output; None keeps the backbone's. The bert and cnn forms project into a joint space."""
    residual: bool = True
    """Generic form only: add the result to the frozen output, starting from zero: step 0 is the frozen model."""


@dataclass(frozen=True)
class SHERLConfig(SideConfig):
    """SHERL (ECCV 2024, arXiv 2407.07523): anti-redundancy fusion early, frozen late layers re-run with gradients."""

    method: ClassVar[str] = "sherl"

    reduction: int = 2
    """The fusion's width is the backbone's (or `embed`) divided by this."""
    late_layers: int = 1
    """How many of the backbone's last layers see the fused state and are back-propagated through."""
    form: SHERLForm = "auto"
    """Published form to follow; auto takes the one that fits the backbone. See docs/papers.md."""
    embed: int | None = None
    """bert and cnn forms: the fusion's width is embed / reduction. None takes the backbone's width."""
    dropout: float = 0.0
    """Dropout after the fusion; the published BERT form uses 0.1."""


@dataclass(frozen=True)
class LSTConfig(SideConfig):
    """Ladder side-tuning (NeurIPS 2022, arXiv 2206.06522): a thin transformer fed from every kept layer by gates."""

    method: ClassVar[str] = "lst"

    reduction: int = 8
    """Widths of the side transformer are the backbone's divided by this; the number of heads stays."""
    form: LSTForm = "auto"
    """bert: post-norm blocks for any encoder or decoder; t5: T5 blocks. auto takes the one that fits."""
    init: Literal["random", "magnitude", "fisher"] = "random"
    """random, or structural pruning of the backbone by weight magnitude or by Fisher information (give fisher=…)."""
    temperature: float = 0.1
    """Temperature of the gates; a gate starts at 0.5."""
    dropout: float = 0.1
    """Dropout inside the side blocks. On attention weights too in the published forms, which costs memory."""


@dataclass(frozen=True)
class ProbeConfig(SideConfig):
    """Linear probe: the task head alone, on the frozen output."""

    method: ClassVar[str] = "probe"


@dataclass(frozen=True)
class PooledConfig(SideConfig):
    """The library's own side network: pool each hidden state by learned queries, project the few pooled vectors."""

    method: ClassVar[str] = "pooled"

    rank: int = 48
    """Width of each projected vector."""
    queries: int = 2
    """Pooled vectors per hidden state."""
    dropout: float = 0.1
    """Dropout before the last projection."""
    keep: Keep = "int8"
    """As in the other networks; int8 because the states are all that this network keeps."""


@dataclass(frozen=True)
class PyramidConfig(SideConfig):
    """A feature pyramid (CVPR 2017) over the stages of a CNN: one fine map for heads that look at places."""

    method: ClassVar[str] = "pyramid"

    width: int = 64
    """Of the map; 256 as published."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.width, bool) or not isinstance(self.width, int) or self.width < 1:
            raise InputError(f"PyramidConfig.width must be a whole number of at least 1; got {self.width!r}.")


CONFIGS: dict[str, type[SideConfig]] = {
    config.method: config for config in (UniPTConfig, SHERLConfig, LSTConfig, ProbeConfig, PooledConfig, PyramidConfig)
}


def config_from_dict(values: dict[str, Any]) -> SideConfig:
    """Rebuild a config from `to_dict()` output.

    Raises:
        InputError: unknown method or field (the nearest valid name is suggested), or a value out of range.
    """
    values = dict(values)
    kind = CONFIGS[pick("side network", str(values.pop("method", "")), CONFIGS)]
    names = {field.name for field in fields(kind)}
    for name in values:
        if name not in names:
            raise InputError(f"{kind.__name__} has no setting {name!r}. {nearest(name, names)}")
    if isinstance(values.get("layers"), list):
        values["layers"] = tuple(values["layers"])  # JSON has no tuples
    return kind(**values)
