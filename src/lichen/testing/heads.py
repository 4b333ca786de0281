"""`check_head`: what every head must do, whoever wrote it.

A head takes features (or a mapping of them, by part) and, in training, targets. It returns a dict of tensors whose
first axis is the batch and, with targets, the scalar `loss`; or one tensor. It is built in float64, its parameters are
shaken, and small random features of every kind are sent through it. The first check that fails raises
`ConformanceError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..backbones.features import Features
from ..errors import pick
from ..heads.given import Given
from .sides import ConformanceError, require, require_equal

BATCH, TOKENS, WIDTH, EMBED = 4, 6, 8, 5
GIVEN = {
    "text": Given("tokens", WIDTH),
    "causal": Given("tokens", WIDTH, causal=True),
    "picture": Given("tokens", WIDTH, modality="image"),
    "maps": Given("maps", WIDTH, modality="image"),
    "maps and pooled": Given("maps", WIDTH, pooled=EMBED, modality="image"),
    "vector": Given("vector", EMBED, pooled=EMBED),
}
"""Kinds of features, as a head gets to know them before it sees any."""

Input = Features | dict[str, Features]
Targets = Tensor | Mapping[str, Tensor] | None


def _draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def features_of(given: Given, seed: int = 0, rows: int = BATCH) -> Features:
    """Random features. Texts have padding on the right; pictures of tokens one summary token and 2 x 2 patches."""
    pooled = None if given.pooled is None else _draw(seed + 1, rows, given.pooled)
    if given.kind == "vector":
        vector = _draw(seed, rows, given.width) if pooled is None else pooled
        return Features((vector,), vector, pooled=vector)
    if given.kind == "maps":
        final = _draw(seed, rows, given.width, 3, 2)
        return Features((final,), final, grid=(3, 2), pooled=pooled)
    if given.modality == "image":
        final = _draw(seed, rows, 4 + given.summary_token, given.width)
        return Features((final,), final, grid=(2, 2), pooled=pooled)
    final = _draw(seed, rows, TOKENS, given.width)
    lengths = torch.tensor([TOKENS - row % 3 for row in range(rows)])
    mask = torch.arange(TOKENS) < lengths[:, None]
    final = final * mask.unsqueeze(-1)
    return Features((final,), final, mask=mask, pooled=pooled)


@dataclass(frozen=True)
class Case:
    """One head to check on one kind of features."""

    factory: Callable[[Any], nn.Module]
    given: Given
    targets: Targets
    parts: tuple[str, ...]
    inert: tuple[str, ...]

    def build(self, seed: int = 0, dtype: torch.dtype = torch.float64) -> nn.Module:
        """A head in eval mode with shaken parameters."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            given = dict.fromkeys(self.parts, self.given) if self.parts else self.given
            head = self.factory(given).to(dtype).eval()
            with torch.no_grad():
                for parameter in head.parameters():
                    parameter.add_(0.2 * torch.randn_like(parameter))
        return head

    def features(self) -> Input:
        """Features, or one a part."""
        if not self.parts:
            return features_of(self.given)
        return {part: features_of(self.given, 10 * index) for index, part in enumerate(self.parts)}


def changed(features: Input, change: Callable[[Features], Features]) -> Input:
    """The same change to the features of every part."""
    if isinstance(features, Features):
        return change(features)
    return {part: change(each) for part, each in features.items()}


def each_of(features: Input) -> list[Features]:
    """Features of all parts."""
    return [features] if isinstance(features, Features) else list(features.values())


def taken(targets: Targets, rows: Tensor) -> Targets:
    """Targets of some samples."""
    if targets is None or isinstance(targets, Tensor):
        return None if targets is None else targets[rows]
    return {name: value[rows] for name, value in targets.items()}


def run(head: nn.Module, features: Input, targets: Targets = None) -> dict[str, Tensor]:
    """What a head returns, by name."""
    found = head(features) if targets is None else head(features, targets)
    if isinstance(found, Tensor):
        found = {"output": found}
    require(isinstance(found, dict), f"A head must return a dict of tensors, or a tensor; got {type(found).__name__}.")
    for name, value in found.items():
        require(isinstance(value, Tensor), f"{name} must be a tensor; it is a {type(value).__name__}.")
    require(
        ("loss" in found) == (targets is not None),
        "A head must return a loss when it gets targets, and only then.",
    )
    return found


def answers(head: nn.Module, features: Input, targets: Targets = None) -> dict[str, Tensor]:
    """What a head returns for each sample: all but the loss."""
    return {name: value for name, value in run(head, features, targets).items() if name != "loss"}


def check_outputs(case: Case) -> None:
    """Finite values of the head's dtype, one entry a sample, in eval and in training; a scalar loss."""
    for dtype in (torch.float64, torch.float32):
        head = case.build(dtype=dtype)
        features = changed(case.features(), partial(Features.to, target=dtype))
        for mode in (True, False):
            found = run(head.train(mode), features, case.targets)
            for name, value in found.items():
                require(bool(value.isfinite().all()), f"{name} holds values that are not finite, in {dtype}.")
                if name == "loss":
                    require(value.ndim == 0, f"The loss must be a scalar; it has shape {list(value.shape)}.")
                else:
                    require(value.ndim > 0 and len(value) == BATCH, f"{name} must have one entry a sample.")
                    require(value.dtype == dtype, f"{name} is {value.dtype} for {dtype} features and parameters.")


def check_half_precision(case: Case) -> None:
    """A float32 head reads features that were stored in half precision."""
    head = case.build(dtype=torch.float32)
    features = changed(case.features(), partial(Features.to, target=torch.bfloat16))
    for name, value in answers(head, features).items():
        require(value.dtype == torch.float32, f"{name} is {value.dtype} for stored bfloat16 features; give float32.")


def check_deterministic(case: Case) -> None:
    """Two passes in eval mode are equal bit for bit, with targets and without."""
    head, features = case.build(), case.features()
    first = answers(head, features)
    for targets in (None, case.targets):
        for name, value in answers(head, features, targets).items():
            require(torch.equal(value, first[name]), f"Two passes in eval mode gave different {name}, or targets did.")


def check_padding(case: Case) -> None:
    """Neither what stands in padding nor how much of it there is changes an answer."""
    features = case.features()
    if all(each.mask is None for each in each_of(features)):
        return
    head = case.build()
    before = answers(head, features)

    def spoil(each: Features) -> Features:
        assert each.mask is not None
        final = torch.where(each.mask.unsqueeze(-1), each.final, 7.0)
        return replace(each, states=(final,), final=final)

    def widen(each: Features) -> Features:
        assert each.mask is not None
        final = nn.functional.pad(each.final, (0, 0, 0, 3))
        return replace(each, states=(final,), final=final, mask=nn.functional.pad(each.mask, (0, 3)))

    for change in (spoil, widen):
        for name, value in answers(head, changed(features, change)).items():
            require_equal(value, before[name], f"Padding changed {name}.")
    for row in range(BATCH):
        for name, value in answers(head, changed(features, partial(_alone, row=row))).items():
            require_equal(value, before[name][row : row + 1], f"A text without its padding got another {name}.")


def _alone(features: Features, row: int) -> Features:
    """One text by itself, cut to its length."""
    assert features.mask is not None
    one = features[row : row + 1]
    assert one.mask is not None
    final = one.final[:, : int(one.mask.sum())]
    return replace(one, states=(final,), final=final, mask=None)


def _chosen(features: Features, rows: Tensor) -> Features:
    return features[rows]


def check_batch(case: Case) -> None:
    """A sample's answer depends neither on its place nor on the others; the loss does not depend on the order."""
    head, features = case.build(), case.features()
    whole = run(head, features, case.targets)
    for rows in (torch.tensor([2, 0, 3, 1]), torch.tensor([3, 1]), torch.tensor([2])):
        part = changed(features, partial(_chosen, rows=rows))
        for name, value in answers(head, part).items():
            what = "in another order" if len(rows) == BATCH else "in a smaller batch"
            require_equal(value, whole[name][rows], f"Samples {what} must give the same {name}.")
        if case.targets is not None and len(rows) == BATCH:
            loss = run(head, part, taken(case.targets, rows))["loss"]
            require_equal(loss, whole["loss"], "The order of the batch changed the loss.")


def check_gradients(case: Case) -> None:
    """The loss reaches every parameter, and the features, by which a side network learns; inputs stay as they were."""
    head = case.build()

    def opened(each: Features) -> Features:
        final = each.final.clone().requires_grad_()
        pooled = None if each.pooled is None else each.pooled.clone().requires_grad_()
        return replace(each, states=(final,), final=final, pooled=final if case.given.kind == "vector" else pooled)

    plain = case.features()
    features = changed(plain, opened)
    found = run(head, features, case.targets)
    loss = found.get("loss")
    if loss is None:
        loss = torch.stack([(value * _draw(3, *value.shape)).sum() for value in found.values()]).sum()
    trained = {name: parameter for name, parameter in head.named_parameters() if parameter.requires_grad}
    inputs = [value for each in each_of(features) for value in (each.final, each.pooled) if value is not None]
    grads = torch.autograd.grad(loss, [*trained.values(), *inputs], allow_unused=True)
    for name, grad in zip(trained, grads, strict=False):
        if any(name == skip or name.startswith(f"{skip}.") for skip in case.inert):
            continue
        reached = grad is not None and bool(grad.ne(0).any())
        require(reached, f"No gradient reaches parameter {name!r}. Use it, freeze it, or declare it in inert=.")
        require(grad is not None and bool(grad.isfinite().all()), f"The gradient of {name!r} is not finite.")
    at_inputs = iter(grads[len(trained) :])
    for before, each in zip(each_of(plain), each_of(features), strict=True):
        values = [value for value in (each.final, each.pooled) if value is not None]
        arrived = [grad for grad in (next(at_inputs) for _ in values) if grad is not None]
        require(any(bool(grad.ne(0).any()) for grad in arrived), "No gradient reaches the features of some part.")
        require(all(bool(grad.isfinite().all()) for grad in arrived), "A gradient of the features is not finite.")
        require(torch.equal(each.final, before.final), "The head changed its input in place; features may be shared.")


def check_state_dict(case: Case) -> None:
    """A second head that loads the first one's state dict gives the same answers."""
    first, second, features = case.build(0), case.build(7), case.features()
    try:
        second.load_state_dict({name: value.clone() for name, value in first.state_dict().items()})
    except RuntimeError as error:
        raise ConformanceError(f"A head built alike cannot load the state dict: {error}") from error
    wanted = run(first, features, case.targets)
    for name, value in run(second, features, case.targets).items():
        require_equal(value, wanted[name], f"The state dict does not hold all that decides {name}.")


CHECKS: tuple[Callable[[Case], None], ...] = (
    check_outputs,
    check_half_precision,
    check_deterministic,
    check_batch,
    check_padding,
    check_gradients,
    check_state_dict,
)


def check_head(
    factory: Callable[[Any], nn.Module],
    targets: Targets = None,
    *,
    kinds: Sequence[str] = tuple(GIVEN),
    parts: Sequence[str] = (),
    inert: Sequence[str] = (),
) -> None:
    """Run the conformance suite on a head.

    Args:
        factory: builds the head from a `Given`, or, with `parts`, from one a part by name.
        targets: for a batch of 4 samples, as the head takes them; None for a head without a loss.
        kinds: of features that the head serves, keys of `GIVEN`.
        parts: names of the parts of a head that reads several backbones; empty for one.
        inert: parameters, or modules, that by design get no gradient.

    Raises:
        ConformanceError: the first rule that the head breaks, in one sentence, and on what kind of features.
    """
    for kind in kinds:
        case = Case(factory, GIVEN[pick("kind of features", kind, GIVEN)], targets, tuple(parts), tuple(inert))
        for check in CHECKS:
            try:
                check(case)
            except ConformanceError as error:
                raise ConformanceError(f"{error} (features: {kind})") from error
