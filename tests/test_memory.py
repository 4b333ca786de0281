"""Bytes kept for backward: exact, repeatable, each storage once, and nothing changed by counting."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.checkpoint import checkpoint

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.memory import MIB, KeptBytes, MemoryReport, PeakBytes, backpropagate, loss_of, memory_report, tensors_in


class Net(nn.Module):
    """Everything that a measurement could disturb: dropout, running statistics, frozen weights, mixed modes."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 16)
        self.norm = nn.BatchNorm1d(16)
        self.drop = nn.Dropout(0.5)
        self.last = nn.Linear(16, 4)
        self.first.requires_grad_(False)
        self.norm.eval()

    def forward(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        hidden = self.drop(self.norm(self.first(x))).relu()
        logits = self.last(hidden)
        if labels is None:
            return {"logits": logits}
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def batch() -> dict[str, Tensor]:
    return {"x": torch.randn(32, 8, generator=torch.Generator().manual_seed(0)), "labels": torch.arange(32) % 4}


def test_the_count_by_hand() -> None:
    linear = nn.Linear(8, 4)
    x = torch.randn(10, 8)
    with KeptBytes(linear.parameters()) as kept:
        linear(x).tanh().sum()
        # The input, for the weight's gradient, and what tanh returned, for its own.
        assert kept.bytes == 10 * 8 * 4 + 10 * 4 * 4
        assert kept.shapes() == [((10, 8), torch.float32), ((10, 4), torch.float32)]


def test_a_shared_storage_counts_once_and_whole() -> None:
    weight = torch.ones(4, requires_grad=True)
    base = torch.randn(100, 4)
    with KeptBytes([weight]) as kept:
        ((base[:3] * weight).sum() + (base[3:5] * weight).sum() + (base * weight).sum()).backward()
    assert kept.bytes == base.untyped_storage().nbytes() == 1600


def test_parameters_and_buffers_do_not_count() -> None:
    net = Net().train()
    with KeptBytes([*net.parameters(), *net.buffers()]) as kept:
        net(**batch())
    shared = kept.bytes
    # Parameters are known as such, even where a model runs layers that it does not own.
    with KeptBytes(net.buffers()) as kept:
        net(**batch())
    assert kept.bytes == shared
    frozen, x = nn.Linear(8, 4).requires_grad_(False), torch.randn(10, 8, requires_grad=True)
    with KeptBytes() as kept:
        frozen(x)
    assert kept.bytes == 0


def test_gradients_are_the_same_while_counting() -> None:
    def gradients() -> list[Tensor]:
        net = Net().eval()
        net.load_state_dict({key: torch.full_like(value, 0.1) for key, value in net.state_dict().items()})
        loss = net(**batch())["loss"]
        loss.backward()
        return [parameter.grad for parameter in net.last.parameters()]

    plain = gradients()
    with KeptBytes():
        counted = gradients()
    assert all(torch.equal(one, other) for one, other in zip(plain, counted, strict=True))


def test_a_graph_that_was_counted_is_freed() -> None:
    alive: list[weakref.ref[Tensor]] = []

    class Root(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))

        def forward(self, x: Tensor) -> Tensor:
            hidden = (self.weight * x).exp()  # exp keeps its own output
            alive.append(weakref.ref(hidden))
            return hidden.sqrt()

    memory_report(Root(), {"x": torch.ones(3)})
    gc.collect()
    assert alive[0]() is None


def test_report_is_exact_and_repeatable() -> None:
    net = Net()
    first, second = memory_report(net, batch()), memory_report(net, batch())
    assert first == second
    trained = 16 * 2 + 16 * 4 + 4
    assert first.trained_parameters == trained and first.total_parameters == trained + 8 * 16 + 16
    assert first.gradient_bytes == 4 * trained and first.optimiser_bytes == 8 * trained
    half = {key: value[:16] for key, value in batch().items()}
    per_sample = (first.kept_bytes - memory_report(net, half).kept_bytes) / 16
    assert per_sample == int(per_sample) > 0


def test_report_counts_also_where_gradients_are_off() -> None:
    net = Net()
    wanted = memory_report(net, batch()).kept_bytes
    with torch.no_grad():
        assert memory_report(net, batch()).kept_bytes == wanted


@pytest.mark.parametrize("training", [True, False])
def test_report_leaves_everything_as_it_was(training: bool) -> None:
    net = Net().train(training)
    net.norm.eval()
    net.last.weight.grad = torch.full_like(net.last.weight, 7.0)
    state = {key: value.clone() for key, value in net.state_dict().items()}
    modes = {name: module.training for name, module in net.named_modules()}
    # Python's own generator is left out: the run-time type checks draw from it.
    random = torch.get_rng_state(), np.random.get_state()[1].tolist()
    memory_report(net, batch())
    assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())
    assert modes == {name: module.training for name, module in net.named_modules()}
    assert torch.equal(net.last.weight.grad, torch.full_like(net.last.weight, 7.0))
    assert net.last.bias.grad is None and net.first.weight.grad is None
    assert torch.equal(torch.get_rng_state(), random[0])
    assert np.random.get_state()[1].tolist() == random[1]


def test_report_leaves_everything_as_it_was_after_a_failure() -> None:
    net = Net().train()
    net.norm.eval()
    statistics = net.norm.running_mean.clone()
    with pytest.raises(RuntimeError):
        memory_report(net, {"x": torch.zeros(2, 5)})
    assert KeptBytes.counting == 0 and net.training and not net.norm.training
    with pytest.raises(IndexError):
        memory_report(net, {"x": torch.zeros(4, 8), "labels": torch.full((4,), 9)})
    assert torch.equal(net.norm.running_mean, statistics)


def test_nothing_to_measure() -> None:
    with pytest.raises(InputError, match="No parameter of this model requires a gradient"):
        memory_report(Net().requires_grad_(False), batch())

    class Silent(nn.Linear):
        def forward(self, x: Tensor) -> dict[str, Any]:
            return {"ids": torch.arange(3)}

    with pytest.raises(InputError, match="neither a loss nor a floating tensor"):
        memory_report(Silent(2, 2), {"x": torch.zeros(1, 2)})


def test_loss_is_found_in_every_kind_of_output() -> None:
    loss, logits = torch.tensor(2.0), torch.tensor([1.0, 3.0])
    assert loss_of({"loss": loss, "logits": logits}) is loss
    assert loss_of(SimpleNamespace(loss=loss)) is loss
    for output in ({"loss": None, "logits": logits}, (torch.arange(2), logits), logits):
        assert loss_of(output).item() == 2.0


def test_report_in_words() -> None:
    report = MemoryReport(3 * MIB, 1000, 4000, 4000, 8000, 5 * MIB)
    assert str(report).startswith("trained 1,000 of 4,000 parameters (25 %) | kept for backward 3.00 MiB | optimiser")
    assert str(report).endswith("peak 5.0 MiB")
    assert report.to_dict()["kept_bytes"] == 3 * MIB


def small_step(width: int = 32) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)), torch.randn(64, width)


def test_fake_tensors_count_as_real_ones() -> None:
    def count() -> tuple[int, int, list[Any]]:
        model, x = small_step()
        with KeptBytes() as kept, PeakBytes([x]) as living:
            loss = model(x).sum()
            shapes = kept.shapes()
            loss.backward()
        return kept.bytes, living.peak, shapes

    real = count()
    with FakeTensorMode():
        fake = count()
    assert real == fake and real[0] == 2 * 64 * 32 * 4


def test_peak_by_hand() -> None:
    with PeakBytes() as living:
        first = torch.ones(100)
        second = first + 1
        assert (living.live, living.peak) == (800, 800)
        del first
        assert living.live == 400
        third = second.exp()
        fourth = (third * 2).sum()  # the product is gone once the sum is made
        assert (living.live, living.peak) == (804, 1204)
        del second, third, fourth
    assert living.live == 0 and living.peak == 1204


def test_views_and_what_was_there_before_are_no_new_bytes() -> None:
    before, given = torch.ones(100), torch.ones(50)
    with PeakBytes({"x": [given]}) as living:
        assert living.live == 200
        view = before[10:].view(9, 10).t()
        before.add_(1)
        assert living.peak == 200
        part = (before * 2)[:1]
        assert living.live == 600  # the whole storage stays alive for one element
        del part, given
        assert living.live == 0
    assert view.shape == (10, 9)


def test_a_storage_that_grows_counts_as_it_grows() -> None:
    with PeakBytes() as living:
        out = torch.empty(0)
        torch.add(torch.ones(10), 1, out=out)
        assert living.live == 40 and living.peak == 80


def test_the_peak_of_a_step_by_hand() -> None:
    weight = nn.Parameter(torch.ones(1000))
    with PeakBytes() as living:
        loss = (weight.exp() * 2).sum()
        # At the end the exponential, the product and the sum; the product goes, the exponential stays for backward.
        assert living.peak == 8004 and living.live == 4004
        loss.backward()
        assert weight.grad is not None
        del loss
        assert living.live == 4000  # the gradient
    # The gradient of the product beside the exponential and what follows from both; the loss, and its gradient of one.
    assert living.peak == 12_008


def test_checkpointing_lowers_the_peak_and_keeps_the_gradient() -> None:
    def step(reentrant: bool | None) -> tuple[int, Tensor]:
        torch.manual_seed(0)
        blocks = nn.ModuleList(nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 16)) for _ in range(6))
        x = torch.randn(256, 16, requires_grad=True)
        with PeakBytes() as living:
            hidden = x
            for block in blocks:
                hidden = block(hidden) if reentrant is None else checkpoint(block, hidden, use_reentrant=reentrant)
            hidden.sum().backward()
        return living.peak, x.grad

    plain, low, lower = step(None), step(True), step(False)
    assert low[0] < 0.6 * plain[0] and lower[0] < 0.6 * plain[0]
    assert torch.allclose(plain[1], low[1]) and torch.allclose(plain[1], lower[1])


def test_report_holds_the_peak_beyond_the_weights() -> None:
    net, given = Net(), batch()
    report = memory_report(net, given)
    size = sum(value.numel() * value.element_size() for value in given.values())
    assert report.peak_bytes >= size + report.kept_bytes - given["labels"].numel() * 8
    with torch.no_grad():
        net.first.weight.copy_(net.first.weight * 2)
    assert memory_report(net, given).peak_bytes == report.peak_bytes
    # Frozen weights are not part of it, whatever their size.
    wide = nn.Sequential(nn.Linear(8, 8).requires_grad_(False), nn.Linear(8, 1))
    wide.register_buffer("unused", torch.zeros(10**6))
    assert memory_report(wide, {"input": torch.randn(4, 8)}).peak_bytes < 10_000


def test_gradients_held_before_survive_a_checkpointed_measurement() -> None:
    model, x = small_step()
    model.gradient_checkpointing = True
    model[0].weight.grad = torch.full_like(model[0].weight, 3.0)
    backpropagate(model, model(x).sum())
    assert bool((model[0].weight.grad == 3).all()) and model[2].weight.grad is None


def test_measuring_triggers_no_hook_of_an_optimiser() -> None:
    model, x = small_step()
    called: list[Tensor] = []
    model[0].weight.register_post_accumulate_grad_hook(called.append)
    memory_report(model, {"input": x})
    assert not called


def test_tensors_are_found_in_everything_nested() -> None:
    one, two, three = torch.ones(1), torch.ones(2), torch.ones(3)
    features = Features(states=(one[None, None],), final=two[None, None])
    found = list(tensors_in({"a": [three, "text", None], "b": features}))
    assert [value.numel() for value in found] == [3, 1, 2]
