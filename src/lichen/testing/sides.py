"""`check_side`: what every side network must do, whoever wrote it.

The network is built in float64, its parameters are shaken (many networks start at zero, where nothing can be seen), and
small random features are sent through it. Each check is one function; the first that fails raises `ConformanceError`
with a sentence that says what was expected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ..backbones.features import Features
from ..errors import LichenError
from ..side.base import Layout, Side
from ..side.config import SideConfig

BATCH, TOKENS = 3, 6
TOLERANCE = 1e-9
"""Largest difference between two float64 results that should be equal."""

Factory = Callable[[SideConfig, Layout], Side]


class ConformanceError(LichenError, AssertionError):
    """A side network breaks a rule that heads and `attach` rely on."""


@dataclass(frozen=True)
class Case:
    """One network to check, and how to call it."""

    factory: Factory
    config: SideConfig
    layout: Layout
    inert: tuple[str, ...]
    memory_width: int | None
    width: int

    def build(self, seed: int = 0, dtype: torch.dtype = torch.float64) -> Side:
        """A network in eval mode with shaken parameters."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            side = self.factory(self.config, self.layout)
            if not isinstance(side, Side):
                raise ConformanceError(
                    f"The factory returned a {type(side).__name__}, expected a lichen.side.base.Side."
                )
            side = side.to(dtype).eval()
            with torch.no_grad():
                for parameter in side.parameters():
                    parameter.add_(0.2 * torch.randn_like(parameter))
        return side

    def features(self, dtype: torch.dtype = torch.float64, left: bool = False) -> Features:
        """Random features. Token masks leave out the last (or first) two tokens of sample 1 and one of sample 2."""
        layout = self.layout
        random = torch.Generator().manual_seed(1)

        def draw(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=random, dtype=torch.float64).to(dtype)

        pooled = None if layout.embed is None else draw(BATCH, layout.embed)
        if layout.kind == "maps":
            sizes = [2 ** min(3, len(layout.widths) - index) for index in range(len(layout.widths))]
            maps = tuple(draw(BATCH, width, size, size) for width, size in zip(layout.widths, sizes, strict=True))
            final = draw(BATCH, layout.width, sizes[-1], sizes[-1])
            return Features(maps, final, grid=(sizes[-1], sizes[-1]), pooled=pooled)
        mask = torch.ones(BATCH, TOKENS, dtype=torch.bool)
        mask[1, -2:] = mask[2, -1:] = False
        mask = mask.flip(1) if left else mask
        anchor = torch.arange(TOKENS).mul(mask).argmax(1)
        states = tuple(draw(BATCH, TOKENS, width) for width in layout.widths)
        return Features(states, draw(BATCH, TOKENS, layout.width), mask=mask, pooled=pooled, anchor=anchor)

    def memory(self, dtype: torch.dtype = torch.float64) -> Features | None:
        """An encoder side network's output, for networks that read one."""
        if self.memory_width is None:
            return None
        final = torch.randn(
            BATCH, 4, self.memory_width, generator=torch.Generator().manual_seed(2), dtype=torch.float64
        )
        mask = torch.ones(BATCH, 4, dtype=torch.bool)
        mask[0, -1] = False
        return Features((), final.to(dtype), mask=mask)

    def run(self, side: Side, features: Features, memory: Features | None = None) -> Features:
        """One pass in two steps, as a live backbone makes it."""
        memory = self.memory(features.final.dtype) if memory is None else memory
        reduced = [side.reduce(index, state, features.mask) for index, state in enumerate(features.states)]
        return side.combine(reduced, rest_of(features), memory=memory)


def rest_of(features: Features) -> Features:
    """What `combine` gets beside the reduced states: of the states only the raw last one, which SHERL fuses."""
    return replace(features, states=features.states[-1:], indices=None)


class TokenStore:
    """The plainest `SideCache`: a tensor a slot."""

    def __init__(self) -> None:
        self.slots: dict[int, Tensor] = {}

    def extend(self, slot: int, new: Float[Tensor, "batch new width"]) -> Float[Tensor, "batch all width"]:
        """Append to a slot and return all of it."""
        old = self.slots.get(slot)
        self.slots[slot] = new if old is None else torch.cat([old, new], 1)
        return self.slots[slot]


def outputs(side: Side, adapted: Features) -> dict[str, Tensor]:
    """The tensors that a head may read: the vector alone for networks that give one vector a sample."""
    found = {} if side.pooled_only and adapted.pooled is not None else {"final": adapted.final}
    if adapted.pooled is not None:
        found["pooled"] = adapted.pooled
    return found


def require(condition: bool, sentence: str) -> None:
    """Raise a `ConformanceError` unless the condition holds."""
    if not condition:
        raise ConformanceError(sentence)


def require_equal(found: Tensor, wanted: Tensor, sentence: str) -> None:
    """Raise a `ConformanceError` that also tells the largest difference, unless two tensors agree."""
    require(found.shape == wanted.shape, f"{sentence} The shapes are {list(found.shape)} and {list(wanted.shape)}.")
    if found.numel():
        error = (found - wanted).abs().max().item()
        require(error <= TOLERANCE, f"{sentence} The largest difference is {error:.3g}, more than {TOLERANCE}.")


def check_shapes(case: Case) -> None:
    """Right shapes, dtype and finite values in float64 and float32; mask, grid and anchor passed on."""
    for dtype in (torch.float64, torch.float32):
        side, features = case.build(dtype=dtype), case.features(dtype)
        adapted = case.run(side, features)
        require(isinstance(adapted, Features), f"combine() must return Features; it returned {type(adapted).__name__}.")
        final = adapted.final
        require(len(adapted.states) > 0, "The adapted features must hold at least one state, the final output itself.")
        require(final.shape[0] == BATCH, f"final holds {final.shape[0]} samples, expected {BATCH}.")
        axis = 1 if final.ndim == 4 else -1
        require(
            final.shape[axis] == case.width,
            f"final is {final.shape[axis]} wide (shape {list(final.shape)}), expected {case.width}.",
        )
        if case.layout.kind == "tokens" and final.ndim == 3:
            require(final.shape[1] == TOKENS, f"final holds {final.shape[1]} tokens, expected {TOKENS}.")
        if side.pooled_only:
            require(
                adapted.pooled is not None and adapted.pooled.ndim == 2,
                "A network with pooled_only = True must return a (batch, width) vector as pooled.",
            )
        for name, value in outputs(side, adapted).items():
            require(
                value.dtype == dtype, f"{name} is {value.dtype} for {dtype} features and parameters; keep the dtype."
            )
            require(bool(value.isfinite().all()), f"{name} holds values that are not finite, in {dtype}.")
        for name in ("mask", "anchor"):
            before, after = getattr(features, name), getattr(adapted, name)
            if before is not None and final.ndim == 3:
                require(after is not None and torch.equal(before, after), f"{name} must be passed on unchanged.")


def check_deterministic(case: Case) -> None:
    """Two passes in eval mode are equal bit for bit."""
    side, features = case.build(), case.features()
    first, second = (outputs(side, case.run(side, features)) for _ in range(2))
    for name, value in first.items():
        require(torch.equal(value, second[name]), f"Two passes in eval mode gave different {name}; eval must be exact.")


def check_reduce_combine(case: Case) -> None:
    """forward(features) equals reduce() on each state, then combine()."""
    if case.memory_width is not None:
        return
    side, features = case.build(), case.features()
    whole, parts = outputs(side, side(features)), outputs(side, case.run(side, features))
    for name, value in whole.items():
        require_equal(parts[name], value, f"reduce() then combine() must equal forward() in {name}.")


def check_padding(case: Case) -> None:
    """What stands in padded tokens, of the text or of the memory, changes nothing that counts."""
    features, memory = case.features(), case.memory()
    if features.mask is None:
        return
    side, real = case.build(), features.mask

    def spoil(value: Tensor, mask: Tensor) -> Tensor:
        return torch.where(mask.unsqueeze(-1), value, value * -3 + 5)

    other = replace(
        features,
        states=tuple(spoil(state, real) for state in features.states),
        final=spoil(features.final, real),
    )
    if memory is not None and memory.mask is not None:
        memory = replace(memory, final=spoil(memory.final, memory.mask))
    before, after = outputs(side, case.run(side, features)), outputs(side, case.run(side, other, memory))
    for name, value in before.items():
        keep = real if value.ndim == 3 and value.shape[:2] == real.shape else slice(None)
        require_equal(after[name][keep], value[keep], f"Padded tokens changed the {name} output of real tokens.")


def _take(features: Features, rows: Tensor) -> Features:
    values: dict[str, object] = {}
    for field in fields(features):
        value = getattr(features, field.name)
        if isinstance(value, Tensor):
            values[field.name] = value[rows]
        elif field.name == "states":
            values[field.name] = tuple(state[rows] for state in value)
    return replace(features, **values)  # type: ignore[arg-type]


def check_batch(case: Case) -> None:
    """A sample's result depends neither on its place in the batch nor on the other samples."""
    side, features, memory = case.build(), case.features(), case.memory()
    whole = outputs(side, case.run(side, features))
    for rows in (torch.tensor([2, 0, 1]), torch.tensor([1])):
        part = case.run(side, _take(features, rows), None if memory is None else _take(memory, rows))
        what = "in another order" if len(rows) > 1 else "alone"
        for name, value in outputs(side, part).items():
            require_equal(value, whole[name][rows], f"Samples {what} must give the same {name} as in the batch.")


def check_gradients(case: Case) -> None:
    """Gradients reach every trainable parameter and stop before the inputs, which stay as they were."""
    side, features = case.build(), case.features()
    copies = [state.clone() for state in (*features.states, features.final)]
    adapted = case.run(side, features)
    trained = {name: parameter for name, parameter in side.named_parameters() if parameter.requires_grad}
    inputs = [*features.states, features.final, *([] if features.pooled is None else [features.pooled])]
    require(
        not any(value.requires_grad for value in inputs),
        "The network made an input require gradients; hidden states of a frozen backbone must stay without.",
    )
    for index, (state, copy) in enumerate(zip(inputs, copies, strict=False)):
        require(torch.equal(state, copy), f"Input tensor {index} was changed in place; features may be shared.")
    if not trained:
        return
    weights = torch.Generator().manual_seed(3)
    loss = sum(
        (value * torch.randn(value.shape, generator=weights, dtype=value.dtype)).sum()
        for value in (adapted.final, adapted.pooled)
        if value is not None
    )
    require(isinstance(loss, Tensor) and loss.requires_grad, "The output does not depend on any trainable parameter.")
    gradients = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)  # type: ignore[arg-type]
    for (name, _), gradient in zip(trained.items(), gradients, strict=True):
        if any(name == skip or name.startswith(f"{skip}.") for skip in case.inert):
            continue
        require(
            gradient is not None and bool(gradient.ne(0).any()),
            f"No gradient reaches parameter {name!r}. Use it, freeze it, or declare it in inert=.",
        )
        require(bool(gradient.isfinite().all()), f"The gradient of parameter {name!r} is not finite.")


def check_state_dict(case: Case) -> None:
    """A second network that loads the first one's state dict gives the same output."""
    first, second, features = case.build(0), case.build(7), case.features()
    try:
        second.load_state_dict({name: value.clone() for name, value in first.state_dict().items()})
    except RuntimeError as error:
        raise ConformanceError(f"A network built alike cannot load the state dict: {error}") from error
    wanted, found = outputs(first, case.run(first, features)), outputs(second, case.run(second, features))
    for name, value in wanted.items():
        require_equal(found[name], value, f"The state dict does not hold all that decides {name}.")


def check_causal(case: Case) -> None:
    """Beside a causal backbone, a token's output does not depend on later tokens."""
    if not case.layout.causal:
        return
    side, features = case.build(), case.features()
    cut = TOKENS // 2
    later = torch.arange(TOKENS)[None, :, None] >= cut

    def change(value: Tensor) -> Tensor:
        return torch.where(later, value * -3 + 5, value)

    features = replace(features, mask=None)
    other = replace(features, states=tuple(map(change, features.states)), final=change(features.final))
    before, after = case.run(side, features).final, case.run(side, other).final
    require_equal(after[:, :cut], before[:, :cut], "The network looks ahead: later tokens changed earlier outputs.")


def check_generation(case: Case) -> None:
    """Beside a causal backbone, tokens given in steps with a cache get the outputs of one full pass."""
    if not case.layout.causal:
        return
    side, features, memory = case.build(), case.features(left=True), case.memory()
    mask = features.mask
    full = case.run(side, features).final
    store, steps = TokenStore(), []
    for start, stop in ((0, 3), (3, 4), (4, TOKENS)):
        rest = replace(
            rest_of(features),
            states=(features.states[-1][:, start:stop],),
            final=features.final[:, start:stop],
            mask=None if mask is None else mask[:, :stop],
        )
        reduced = [side.reduce(i, state[:, start:stop], rest.mask) for i, state in enumerate(features.states)]
        steps.append(side.combine(reduced, rest, cache=store, memory=memory).final)
    keep = slice(None) if mask is None else mask
    found = torch.cat(steps, 1)
    require(found.shape == full.shape, f"Steps with a cache gave {list(found.shape)}, a full pass {list(full.shape)}.")
    require_equal(found[keep], full[keep], "Generation in steps with a cache must equal the full pass.")


CHECKS: tuple[Callable[[Case], None], ...] = (
    check_shapes,
    check_deterministic,
    check_reduce_combine,
    check_padding,
    check_batch,
    check_gradients,
    check_state_dict,
    check_causal,
    check_generation,
)


def check_side(
    factory: Factory,
    config: SideConfig,
    layout: Layout | Sequence[int],
    *,
    inert: Sequence[str] = (),
    memory_width: int | None = None,
    width: int | None = None,
) -> None:
    """Run the conformance suite on a side network.

    Args:
        factory: the class, or any callable that builds the network from (config, layout).
        config: its settings.
        layout: the backbone to build it for, or the widths of its hidden states. `embed` gives the test features a
            pooled output; `causal` adds the checks of look-ahead and of generation in steps.
        inert: parameters, or modules, that by design get no gradient.
        memory_width: width of the encoder output that a decoder's network reads; None for all others.
        width: width of the network's final output where it is not `layout.width`.

    Raises:
        ConformanceError: the first rule that the network breaks, in one sentence.
    """
    layout = Layout.of(layout)
    case = Case(factory, config, layout, tuple(inert), memory_width, width or layout.width)
    for check in CHECKS:
        check(case)
