"""`sample`: clips out of noise, by any scheduler of diffusers, with a guidance scale for each condition.

Conditions are added one after the other, first picture, boxes, prompt, and each step is followed as far as its scale
says (nested classifier-free guidance, solids_and_video.md B5):

    answer = e(nothing) + s_image (e(I) − e(nothing)) + s_boxes (e(I,B) − e(I)) + s_text (e(I,B,T) − e(I,B))

A scale of 1 for pictures and boxes gives them to both branches, as SMCD does; all scales 1 is the model's own answer.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .adapter import Adapter, First
from .codec import Latents
from .insert import ask
from .objects import Objects
from .pictures import Sight

Progress = Callable[[int, int], Any]


@dataclass(frozen=True)
class SampleConfig:
    """How clips are sampled."""

    steps: int = 50
    """Of the scheduler."""
    text_scale: float = 7.5
    """Of the prompt; 1: no guidance."""
    boxes_scale: float = 1.0
    """Of the boxes."""
    image_scale: float = 1.0
    """Of the first picture."""
    gates: float = 1.0
    """Share of the steps, from the noisiest on, in which the motion module works; afterwards it is off (GLIGEN's
    scheduled sampling). 1: always, as in SMCD."""
    strength: float = 1.0
    """Of what the motion module adds."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"SampleConfig.steps must be at least 1; got {self.steps}.")
        for name in ("gates", "strength"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InputError(f"SampleConfig.{name} must lie in 0 to 1; got {getattr(self, name)}.")


@dataclass(frozen=True)
class Told:
    """Conditions of a batch of clips."""

    text: Float[Tensor, "batch length width"]
    nothing: Float[Tensor, "length width"]
    """The empty prompt."""
    objects: Objects | None = None
    first: First | None = None
    seen: Sight | None = None
    """Tokens of the first picture by a vision backbone, in the variant that has one."""


@torch.no_grad()
def sample(
    unet: Any,
    adapter: Adapter | None,
    scheduler: Any,
    told: Told,
    shape: Sequence[int],
    config: SampleConfig,
    seeds: Sequence[int],
    progress: Progress | None = None,
) -> Latents:
    """Latents of a batch of clips.

    Args:
        unet: with the adapter's slots.
        adapter: None: the base model alone.
        scheduler: of diffusers.
        told: conditions.
        shape: of one clip's latents: channels, frames, rows, columns.
        config: steps and scales.
        seeds: of each clip's noise: a clip is the same whatever the others of its batch are.
        progress: told how many steps are done, and how many there are.

    Returns:
        (batch, channels, frames, rows, columns).

    Raises:
        InputError: a scheduler that does not know what the model predicts.
    """
    device, dtype = unet.device, unet.dtype
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    noise = torch.stack([torch.randn(tuple(shape), generator=generator) for generator in generators])
    scheduler.set_timesteps(config.steps, device=device)
    latents = noise.to(device) * scheduler.init_noise_sigma
    extra = {"generator": generators} if "generator" in inspect.signature(scheduler.step).parameters else {}
    on = config.gates * len(scheduler.timesteps)
    for number, time in enumerate(scheduler.timesteps):
        strength = config.strength if number < on else 0.0
        ready = scheduler.scale_model_input(latents, time)
        answer = guided(unet, adapter, ready.to(dtype), time, told, config, strength)
        latents = _stepped(scheduler, answer.float(), time, latents, extra)
        if progress is not None:
            progress(number + 1, len(scheduler.timesteps))
    return latents


def _stepped(scheduler: Any, answer: Tensor, time: Tensor, latents: Tensor, extra: dict[str, Any]) -> Tensor:
    """Latents after a step."""
    try:
        found: Tensor = scheduler.step(answer, time, latents, **extra).prev_sample
    except NotImplementedError as error:
        kind, target = type(scheduler).__name__, scheduler.config.get("prediction_type")
        raise InputError(
            f"{kind} cannot sample a model that predicts {target!r}. Choose another scheduler of diffusers, such as "
            "DDIMScheduler or DPMSolverMultistepScheduler."
        ) from error
    return found


def guided(
    unet: Any,
    adapter: Adapter | None,
    latents: Latents,
    time: Tensor,
    told: Told,
    config: SampleConfig,
    strength: float = 1.0,
) -> Latents:
    """What the model says of noisy latents, guided; branches that do not count are not computed."""
    with_image = adapter is not None and adapter.added.image is not None and told.first is not None
    with_boxes = adapter is not None and adapter.tokens is not None and told.objects is not None and strength > 0
    scales = [(config.image_scale, with_image), (config.boxes_scale, with_boxes), (config.text_scale, True)]
    branches = coefficients([scale for scale, there in scales if there])
    batch = len(latents)
    kept = [(depth, factor) for depth, factor in enumerate(branches) if factor != 0.0]
    several = len(kept)
    order = [name for name, (_, there) in zip(("image", "boxes", "text"), scales, strict=True) if there]
    lacks = {name: torch.tensor([place >= depth for depth, _ in kept]) for place, name in enumerate(order)}
    lacks = {name: each.repeat_interleave(batch).to(latents.device) for name, each in lacks.items()}
    nothing = told.nothing.to(latents)
    text = torch.where(lacks["text"][:, None, None], nothing, told.text.to(latents).repeat(several, 1, 1))
    inputs = latents.repeat(several, 1, 1, 1, 1)
    if adapter is None:
        found = ask(unet, inputs, time, text)
    else:
        objects = told.objects.repeated(several).to(latents.device) if with_boxes and told.objects else None
        first = told.first.to(latents).repeat(several, 1, 1, 1) if with_image and told.first is not None else None
        found = adapter(
            unet,
            inputs,
            time,
            text,
            None if objects is None else objects.without(lacks["boxes"]),
            first,
            seen=None if told.seen is None or first is None else told.seen.to(latents).repeat(several, 1, 1),
            strength=strength,
            without_tokens=lacks.get("image"),
            without_input=lacks.get("image"),
        )
    answers = found.unflatten(0, (several, batch))
    return sum(factor * answer for (_, factor), answer in zip(kept, answers, strict=True))


def coefficients(scales: Sequence[float]) -> list[float]:
    """Weight of each branch, from the one without any condition to the one with all of them.

    Args:
        scales: of the conditions, in the order in which they are added.
    """
    around = [1.0, *scales, 0.0]
    return [around[place] - around[place + 1] for place in range(len(scales) + 1)]
