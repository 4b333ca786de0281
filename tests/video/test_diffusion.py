"""Noise and what is learnt of it: targets, weights, what is dropped; the running average; the whole loss."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from torch import nn

from lichen.errors import InputError
from lichen.video.adapter import Adapter
from lichen.video.average import Average
from lichen.video.config import LossConfig
from lichen.video.diffusion import TARGETS, Schedule, VideoDiffusion, inside
from lichen.video.objects import Objects

from .tiny import config, inputs, shake, texts, tiny_base


@pytest.mark.parametrize("target", TARGETS)
def test_noise_and_targets_are_those_of_diffusers(target: str) -> None:
    scheduler: Any = DDPMScheduler(prediction_type=target)
    schedule = Schedule(scheduler)
    clean, noise, times = torch.randn(3, 2, 2, 4, 4), torch.randn(3, 2, 2, 4, 4), torch.tensor([0, 500, 999])
    torch.testing.assert_close(schedule.noisy(clean, noise, times), scheduler.add_noise(clean, noise, times))
    wanted = {"epsilon": noise, "sample": clean, "v_prediction": scheduler.get_velocity(clean, noise, times)}
    torch.testing.assert_close(schedule.wanted(clean, noise, times), wanted[target])


@pytest.mark.parametrize("target", TARGETS)
def test_min_snr_weighs_all_targets_alike_in_terms_of_the_sample(target: str) -> None:
    schedule = Schedule(DDPMScheduler(prediction_type=target))
    times = torch.tensor([10, 300, 700, 990])
    ratio = schedule.alphas[times] / (1 - schedule.alphas[times])
    to_sample = {"epsilon": ratio, "sample": torch.ones(4), "v_prediction": ratio + 1}[target]
    weights = schedule.weights(times, LossConfig(weighting="min-snr", gamma=5.0))
    torch.testing.assert_close(weights * to_sample, ratio.clamp(max=5.0), rtol=1e-4, atol=1e-6)
    assert schedule.weights(times, LossConfig()).tolist() == [1.0] * 4


def test_the_noisiest_steps_keep_some_weight() -> None:
    config = LossConfig(weighting="min-snr", gamma=5.0, floor=0.3)
    for target, factor in (("sample", 1.0), ("v_prediction", 1 / 1.0)):
        schedule = Schedule(DDPMScheduler(prediction_type=target))
        weights = schedule.weights(torch.tensor([0, 999]), config)
        assert weights[1] == pytest.approx(0.3 * factor, rel=1e-3) and weights[0] > 0
    with pytest.raises(InputError, match=r"floor is for models that predict the sample or v"):
        Schedule(DDPMScheduler()).weights(torch.tensor([5]), config)
    with pytest.raises(InputError, match=r"floor must lie in 0 to gamma"):
        LossConfig(floor=9.0)


def test_an_unknown_target_is_refused() -> None:
    scheduler: Any = DDIMScheduler()
    scheduler.register_to_config(prediction_type="flow")
    with pytest.raises(InputError, match=r"prediction_type must be one of"):
        Schedule(scheduler)


class Noted(nn.Module):
    """An adapter that notes what it was given and answers 0."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.given: dict[str, Any] = {}

    def forward(self, unet: Any, noisy: Any, times: Any, text: Any, objects: Any, first: Any, **more: Any) -> Any:
        self.given = {"times": times, "text": text, "objects": objects, "first": first, **more}
        return noisy * self.weight


def batch(count: int) -> dict[str, Any]:
    sample, _, text, things = inputs(1)
    repeated = Objects(
        things.boxes.repeat(count, 1, 1, 1), things.present.repeat(count, 1, 1), things.names.repeat(count, 1, 1)
    )
    return {"latents": sample.repeat(count, 1, 1, 1, 1), "text": text.repeat(count, 1, 1), "objects": repeated}


def test_text_boxes_and_picture_are_dropped_by_themselves() -> None:
    noted = Noted()
    nothing = texts().prompts([""])[0]
    shares = LossConfig(drop_text=0.5, drop_boxes=0.25, drop_image=0.75, drop_input=0.1, from_step=0.4)
    schedule = Schedule(DDPMScheduler(prediction_type="sample"))
    model = VideoDiffusion(tiny_base().unet, schedule, nothing, shares, noted, average=0.0)
    torch.manual_seed(0)
    told = batch(400)
    model({}, told)
    given = noted.given
    text = (given["text"] == nothing).flatten(1).all(1)
    boxes = ~given["objects"].present.flatten(1).any(1)
    rates = [value.float().mean().item() for value in (text, boxes, given["without_tokens"], given["without_input"])]
    assert rates == pytest.approx([0.5, 0.25, 0.75, 0.1], abs=0.08)
    assert len({(bool(a), bool(b)) for a, b in zip(text, boxes, strict=True)}) == 4
    assert int(given["times"].min()) >= 400
    assert torch.equal(given["first"], told["latents"][:, :, 0])


def test_errors_inside_boxes_weigh_more() -> None:
    schedule = Schedule(DDPMScheduler(prediction_type="sample"))
    told = batch(2)
    held = inside(told["objects"], 16, 16)[:, None]
    nothing = texts().prompts([""])[0]

    def loss(weight: float) -> torch.Tensor:
        model = VideoDiffusion(tiny_base().unet, schedule, nothing, LossConfig(inside=weight), Noted(), average=0.0)
        torch.manual_seed(0)
        found: torch.Tensor = model({}, told)["loss"]
        return found

    errors = told["latents"].square()
    torch.testing.assert_close(loss(1.0), errors.mean())
    spread = 1 + 4 * held
    torch.testing.assert_close(loss(5.0), (spread * errors).mean() / spread.mean())


def test_a_step_lowers_the_loss_and_the_frozen_base_stays_out_of_the_module() -> None:
    base = tiny_base()
    adapter = Adapter.of(base, config(gates="open", raster=True))
    model = VideoDiffusion(base.unet, Schedule(base.scheduler), texts().prompts([""])[0], LossConfig(), adapter)
    assert not any(name.startswith("trained.unet") for name, _ in model.named_parameters())
    optimiser = torch.optim.Adam([value for value in model.parameters() if value.requires_grad], lr=3e-3)
    losses = []
    for _ in range(6):
        torch.manual_seed(0)
        loss = model.train()({}, batch(2))["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    assert not base.unet.training and not model.trained.training


def test_gradients_reach_every_new_parameter_once_gates_are_open() -> None:
    base = tiny_base()
    adapter = Adapter.of(base, config(raster=True))
    shake(adapter)
    sample, times, text, things = inputs()
    adapter(base.unet, sample, times, text, things, sample[:, :, 0]).square().mean().backward()
    without = [name for name, value in adapter.named_parameters() if value.grad is None or not value.grad.any()]
    assert not without


def test_the_running_average_follows_what_is_trained() -> None:
    layer = nn.Linear(2, 2)
    layer.bias.requires_grad_(False)
    average = Average(layer, 0.9)
    assert set(average.state_dict()) == {"steps", "weight"}
    first = layer.weight.detach().clone()
    with torch.no_grad():
        layer.weight.add_(1.0)
    average.update()
    torch.testing.assert_close(average.get_buffer("weight"), first + (1 - 2 / 11))
    moved = layer.weight.detach().clone()
    with average.applied():
        assert torch.equal(layer.weight, average.get_buffer("weight"))
    assert torch.equal(layer.weight, moved)
    average.settle()
    assert torch.equal(layer.weight, average.get_buffer("weight"))
    with pytest.raises(InputError, match=r"must lie between 0 and 1"):
        Average(layer, 1.0)


@pytest.mark.parametrize("values", [{"drop_text": 1.5}, {"from_step": 1.0}, {"gamma": 0.0}, {"inside": 0.0}])
def test_settings_without_sense_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(InputError, match=rf"LossConfig.{next(iter(values))}|above 0"):
        replace(LossConfig(), **values)
