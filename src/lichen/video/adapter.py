"""`Adapter`: all that is added to a frozen text-to-video model: a motion module, an image module, or both.

    adapter = Adapter.of(base, AdapterConfig(MotionConfig(), ImageConfig()))
    adapter.stage("motion")                    # which half learns; the rest is frozen
    answer = adapter(base.unet, noisy, times, text, objects, first)

Sources: solids_and_video.md B2 to B4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..errors import InputError, pick
from .codec import Latents
from .config import AdapterConfig
from .control import ControlBranch
from .encoder import PictureEncoder
from .insert import ask, insert, tuned_names
from .objects import Objects, ObjectTokens, coverage
from .pictures import PictureTokens, Sight
from .units import ImageUnit, MergedUnit, MotionUnit, ParallelUnits, Shape

Stage = Literal["motion", "image", "joint"]
STAGES = ("motion", "image", "joint")
First = Float[Tensor, "batch channels rows columns"]


class Adapter(nn.Module):
    """The added modules. The UNet that they work in is given at every call and never becomes a part of them."""

    def __init__(self, unet: nn.Module, text: int, latents: int, config: AdapterConfig) -> None:
        """
        Args:
            unet: of diffusers; gets slots in its blocks, and keeps its weights.
            text: width of its text vectors.
            latents: channels of its latents.
            config: what is added.

        Raises:
            InputError: the UNet has no spatial transformers, or a variant does not fit it.
        """
        super().__init__()
        self.added = config
        self.text = text
        shapes = insert(unet)
        motion, image = config.motion, config.image
        self.merged = image is not None and image.attends and image.arrangement == "merged"
        self.encoder: PictureEncoder | None = None
        # Frozen, and no part of what is saved.
        self._sight = (PictureTokens(image.tokens) if image is not None and image.sees else None,)
        if image is not None and image.attends and not image.sees:
            self.encoder = PictureEncoder(latents, image.channels, image.blocks)
        token = 0 if motion is None else motion.token or text
        self.tokens = None if motion is None else ObjectTokens(text, token)
        self.motion = nn.ModuleList(self._motion_unit(shape, token) for shape in shapes) if motion else None
        self.image: nn.ModuleList | None = None
        self.parallel: nn.ModuleList | None = None
        if image is not None and image.attends and not self.merged:
            width = self._image_width
            self.image = nn.ModuleList(ImageUnit(shape, width, image.gates, image.feed) for shape in shapes)
            if image.arrangement == "parallel":
                self.parallel = nn.ModuleList(ParallelUnits() for _ in shapes)
        self.enter: nn.Conv2d | None = None
        if image is not None and image.enters:
            self.enter = _zero_convolution(unet.get_submodule("conv_in"), latents)
        self.control = ControlBranch(unet) if image is not None and image.integration == "control" else None
        self.tuned = nn.ParameterDict()
        if image is not None and image.tune:
            # The base's own parameters: trained, loaded and moved in place, saved here under names without dots.
            self.tuned.update({_key(name): unet.get_parameter(name) for name in tuned_names(unet)})
        self.stage("joint")

    @classmethod
    def of(cls, base: Any, config: AdapterConfig) -> Adapter:
        """A fresh adapter for a `VideoBase`."""
        return cls(base.unet, base.texts.width, base.codec.channels, config)

    @property
    def sight(self) -> PictureTokens | None:
        """The vision backbone that makes tokens of the picture, in the variant that has one."""
        return self._sight[0]

    @property
    def _image_width(self) -> int:
        """Of the picture's tokens."""
        source: Any = self.encoder or self.sight
        return int(source.width)

    def _motion_unit(self, shape: Shape, token: int) -> MotionUnit:
        motion = self.added.motion
        assert motion is not None
        if self.merged:
            return MergedUnit(shape, token, self._image_width, motion.gates, motion.raster, motion.feed)
        return MotionUnit(shape, token, motion.gates, motion.raster, motion.feed)

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """Parameters of the two halves."""
        of_image = (self.encoder, self.image, self.parallel, self.enter, self.control, self.tuned)
        pictures = [value for part in of_image if part is not None for value in part.parameters()]
        known = {id(value) for value in pictures}
        if self.merged and self.motion is not None:
            merged = [value for unit in self.motion for value in unit.linear_image.parameters()]  # type: ignore[union-attr]
            pictures += merged
            known |= {id(value) for value in merged}
        return {"motion": [value for value in self.parameters() if id(value) not in known], "image": pictures}

    def stage(self, name: Stage) -> None:
        """Choose what learns: motion; image, with the motion module frozen; or both, as the joint baseline does.

        Raises:
            InputError: no such stage, or nothing learns in it.
        """
        pick("stage", name, STAGES)
        chosen = [half for half, values in self.parts().items() if values and name in (half, "joint")]
        if not chosen:
            raise InputError(f'The stage "{name}" trains nothing: the adapter has no {name} module.')
        for half, values in self.parts().items():
            for value in values:
                value.requires_grad_(half in chosen)

    def forward(
        self,
        unet: Any,
        sample: Latents,
        times: Tensor,
        text: Float[Tensor, "batch length width"],
        objects: Objects | None = None,
        first: First | None = None,
        *,
        seen: Sight | None = None,
        strength: float = 1.0,
        without_tokens: Bool[Tensor, " batch"] | None = None,
        without_input: Bool[Tensor, " batch"] | None = None,
    ) -> Latents:
        """What the UNet says of noisy latents, with boxes and a first picture.

        Args:
            unet: with slots, see `insert`.
            sample: noisy latents.
            times: of the noise, one for all or one a clip.
            text: prompts.
            objects: things and their boxes; None: the motion module is not there. An adapter without one takes none.
            first: latents of the first picture; None: the image module is not there.
            seen: tokens of the first picture by `sight`, in the variant that has one.
            strength: of what the motion module adds; 0 to 1.
            without_tokens: clips whose picture does not reach the spatial blocks: their latents are 0 there.
            without_input: clips whose picture does not reach the first convolution.
        """
        objects = None if self.tokens is None or strength == 0.0 else objects
        first = None if self.added.image is None else first
        frames = sample.shape[2]
        blanked = None if first is None else _blanked(first, without_tokens)
        conditions = Conditions(self, frames, sample.shape[-2:], strength)
        if objects is not None and self.tokens is not None:
            assert self.added.motion is not None
            objects = objects.padded(self.added.motion.slots)
            conditions.objects, conditions.tokens = objects, self.tokens(objects)
        if self.encoder is not None and blanked is not None:
            conditions.image = self.encoder(blanked).repeat_interleave(frames, 0)
        if self.sight is not None and seen is not None and first is not None:
            known = seen if without_tokens is None else seen.masked_fill(without_tokens[:, None, None], 0.0)
            conditions.image = known.to(sample).repeat_interleave(frames, 0)
        told: dict[str, Any] = {}
        if conditions.tokens is not None or conditions.image is not None:
            told["cross_attention_kwargs"] = {"gligen": {"objs": conditions}}
        if self.control is not None and blanked is not None:
            skips, middle = self.control(sample, times, text, blanked)
            told |= {"down_block_additional_residuals": skips, "mid_block_additional_residual": middle}
        entering = None if self.enter is None or first is None else self.enter(_blanked(first, without_input))
        with _entering(unet.conv_in, entering, frames):
            return ask(unet, sample, times, text, **told)


class Conditions:
    """What the slots of one call of a UNet see."""

    def __init__(self, adapter: Adapter, frames: int, grid: Sequence[int], strength: float) -> None:
        self.adapter, self.frames, self.strength = adapter, frames, strength
        self.rows, self.columns = grid
        self.objects: Objects | None = None
        self.tokens: Float[Tensor, "all_frames objects token"] | None = None
        self.image: Float[Tensor, "all_frames tokens width"] | None = None
        self._covers: dict[int, Tensor] = {}

    def change(self, number: int, x: Tensor) -> Tensor:
        """The visual tokens of a spatial block after its units."""
        adapter = self.adapter
        if adapter.merged:
            assert adapter.motion is not None
            unit: Any = adapter.motion[number]
            return unit(x, self.tokens, self.strength, self._cover(unit, x.shape[1]), self.image)
        if adapter.parallel is not None:
            return adapter.parallel[number](x, self._by_objects(number, x), self._by_image(number, x))
        steps = [self._by_objects, self._by_image]
        image = adapter.added.image
        for step in reversed(steps) if image is not None and image.arrangement == "before" else steps:
            changed = step(number, x)
            x = x if changed is None else changed
        return x

    def _by_objects(self, number: int, x: Tensor) -> Tensor | None:
        if self.adapter.motion is None or self.tokens is None:
            return None
        unit: Any = self.adapter.motion[number]
        found: Tensor = unit(x, self.tokens, self.strength, self._cover(unit, x.shape[1]))
        return found

    def _by_image(self, number: int, x: Tensor) -> Tensor | None:
        if self.adapter.image is None or self.image is None:
            return None
        found: Tensor = self.adapter.image[number](x, self.image)
        return found

    def _cover(self, unit: Any, cells: int) -> Tensor | None:
        """Share of each cell of a block's map in each present box; made once for every size of map."""
        if unit.spread is None or self.objects is None:
            return None
        if cells not in self._covers:
            rows, columns = self._grid(cells)
            found = coverage(self.objects.boxes.flatten(0, 1), rows, columns)
            self._covers[cells] = found * self.objects.present.flatten(0, 1)[..., None]
        return self._covers[cells]

    def _grid(self, cells: int) -> tuple[int, int]:
        """Rows and columns of a map with so many cells: that of the latents, halved some times."""
        rows, columns = self.rows, self.columns
        while rows * columns > cells:
            rows, columns = math.ceil(rows / 2), math.ceil(columns / 2)
        if rows * columns != cells:
            raise InputError(
                f"A block has {cells} cells, and latents of {self.rows} × {self.columns} give no such map."
            )
        return rows, columns


class _entering:
    """Adds the first picture to what the first convolution gives, inside the block.

    This equals a convolution that was widened by channels for the picture, as the authors do it, but leaves the base's
    own as it is.
    """

    def __init__(self, convolution: nn.Module, added: Tensor | None, frames: int) -> None:
        self._convolution, self._added, self._frames = convolution, added, frames
        self._handle: Any = None

    def __enter__(self) -> None:
        if self._added is not None:
            self._handle = self._convolution.register_forward_hook(self._add)

    def _add(self, module: nn.Module, args: Any, output: Tensor) -> Tensor:
        assert self._added is not None
        return output + self._added.repeat_interleave(self._frames, 0)

    def __exit__(self, *error: Any) -> None:
        if self._handle is not None:
            self._handle.remove()


def _zero_convolution(like: Any, latents: int) -> nn.Conv2d:
    """A convolution for the picture beside the base's first one, that begins at zero."""
    made = nn.Conv2d(latents, like.out_channels, like.kernel_size, stride=like.stride, padding=like.padding, bias=False)
    nn.init.zeros_(made.weight)
    return made


def _blanked(first: First, without: Bool[Tensor, " batch"] | None) -> First:
    return first if without is None else first.masked_fill(without[:, None, None, None], 0.0)


def _key(name: str) -> str:
    return name.replace(".", "/")
