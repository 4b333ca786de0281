"""Settings of the two modules that SMCD adds, and of how they learn."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from ..errors import CheckpointError, InputError

Integration = Literal["both", "input", "attention", "control", "none"]
Arrangement = Literal["after", "before", "parallel", "merged"]


@dataclass(frozen=True)
class MotionConfig:
    """The motion module: boxes enter by gated self-attention in every spatial block (SMCD; B2)."""

    slots: int = 8
    """Most objects of a frame. A frame with fewer gets tokens of missing objects."""
    token: int = 0
    """Width of an object's token; 0: that of the text vectors, as published."""
    gates: Literal["closed", "open"] = "closed"
    """closed: gates begin at 0, as published. open: they begin at tanh(1) before layers whose output begins at 0, so
    that all learns from the first step; the start is the identity as well (spec C4, an experiment)."""
    raster: bool = False
    """Also add each object's token to the cells that its box covers, by a layer that begins at 0. It is no part of the
    paper: it spares a small network from learning where a cell lies."""
    feed: int = 4
    """Width of the units' feed-forward, times that of the block; 4 as published. It is most of what a unit costs."""

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise InputError(f"MotionConfig.slots must be at least 1; got {self.slots}.")
        if self.token < 0:
            raise InputError(f"MotionConfig.token must be 0 or more; got {self.token}.")
        if self.feed < 1:
            raise InputError(f"MotionConfig.feed must be at least 1; got {self.feed}.")


@dataclass(frozen=True)
class ImageConfig:
    """The image module: how the first picture enters (SMCD's dual integration and what it is compared with; B3)."""

    integration: Integration = "both"
    """both: `input` and `attention` together, which the paper found best. input: its latents reach the first
    convolution through one that begins at 0. attention: its tokens reach every spatial block by gated cross-attention.
    control: a copy of the encoder half adds to the skips (ControlNet; the authors' code concatenates them). none."""
    arrangement: Arrangement = "after"
    """Of the image's unit to the motion's: after or before it; parallel, both on the same input with weights of their
    own; merged: image tokens join the objects' self-attention."""
    tokens: str = "latents"
    """What spatial blocks look at: tokens that a small network makes of the picture's latents, which the paper found
    better; or the last tokens of a vision backbone by name, such as embedded:playground-clip (the CLIP variant)."""
    channels: tuple[int, ...] = (256, 512, 1024, 1024)
    """Of the stages that make tokens of the picture's latents; each but the first halves the map."""
    blocks: int = 3
    """Residual blocks of each stage."""
    gates: Literal["closed", "open"] = "closed"
    """As `MotionConfig.gates`."""
    feed: int = 4
    """As `MotionConfig.feed`."""
    tune: bool = True
    """Also train the first convolution and the temporal attention of the base, as published."""

    def __post_init__(self) -> None:
        if not self.channels or min(*self.channels, self.blocks, self.feed) < 1:
            raise InputError("ImageConfig.channels, blocks and feed must be at least 1.")

    @property
    def attends(self) -> bool:
        """Whether spatial blocks look at tokens of the picture."""
        return self.integration in ("both", "attention")

    @property
    def sees(self) -> bool:
        """Whether these are tokens of a vision backbone."""
        return self.attends and self.tokens != "latents"

    @property
    def enters(self) -> bool:
        """Whether the picture's latents reach the first convolution."""
        return self.integration in ("both", "input")


@dataclass(frozen=True)
class LossConfig:
    """How a model learns to take noise away."""

    weighting: Literal["plain", "min-snr"] = "plain"
    """Of the squared error: alike at all noise levels, as published; or by the signal-to-noise ratio up to `gamma`
    (Hang et al. 2023, "Efficient Diffusion Training via Min-SNR Weighting Strategy", Eq. 6)."""
    gamma: float = 5.0
    """min-snr: largest ratio that counts."""
    floor: float = 0.0
    """min-snr: least ratio that counts. Above 0 the noisiest steps, which decide what goes where, keep some weight; no
    part of the paper."""
    from_step: float = 0.0
    """Noise levels are drawn from this share of the schedule on; 0.4 leaves out those where the input shows all."""
    inside: float = 1.0
    """Weight of the error inside the boxes (TrackDiffusion takes 2)."""
    drop_text: float = 0.1
    """Share of samples that learn without their prompt."""
    drop_boxes: float = 0.1
    """Share that learn without boxes."""
    drop_image: float = 0.1
    """Share whose picture does not reach the spatial blocks."""
    drop_input: float = 0.25
    """Share whose picture does not reach the first convolution."""

    def __post_init__(self) -> None:
        for name in ("drop_text", "drop_boxes", "drop_image", "drop_input"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InputError(f"LossConfig.{name} must lie in 0 to 1; got {getattr(self, name)}.")
        if not 0.0 <= self.from_step < 1.0:
            raise InputError(f"LossConfig.from_step must lie in [0, 1); got {self.from_step}.")
        if not self.gamma > 0 or not self.inside > 0:
            raise InputError("LossConfig.gamma and inside must be above 0.")
        if not 0.0 <= self.floor <= self.gamma:
            raise InputError(f"LossConfig.floor must lie in 0 to gamma = {self.gamma}; got {self.floor}.")


@dataclass(frozen=True)
class AdapterConfig:
    """All that is added to a base model."""

    motion: MotionConfig | None
    """None: no boxes."""
    image: ImageConfig | None = None
    """None: no first picture."""

    def __post_init__(self) -> None:
        if self.motion is None and self.image is None:
            raise InputError("AdapterConfig adds neither boxes nor a first picture. Give motion, image, or both.")
        if self.image is not None and self.motion is None and self.image.arrangement in ("parallel", "merged"):
            raise InputError(f"ImageConfig.arrangement = {self.image.arrangement!r} needs a motion module beside it.")

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> AdapterConfig:
        """The inverse of `to_dict`.

        Raises:
            CheckpointError: an unknown setting.
        """
        parts: list[Any] = []
        kind: Any
        for kind, name in ((MotionConfig, "motion"), (ImageConfig, "image")):
            found = values.get(name)
            if found is not None:
                unknown = set(found) - {field.name for field in fields(kind)}
                if unknown:
                    raise CheckpointError(f"{name} has the unknown setting {min(unknown)!r}.")
                plain = {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
                found = kind(**plain)
            parts.append(found)
        return cls(*parts)
