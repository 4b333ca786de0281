"""`Method`: one of the ways to adapt a backbone that `lichen compare` sets side by side, and how users write it.

pooled                 a side network that learns from stored features
unipt:reduction=8      with settings of its own; several are separated by commas
unipt@live             the same while the backbone runs in every step
lora, lora:rank=16     a peer, with gradients inside the backbone
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...errors import InputError, pick
from ...side.config import CONFIGS, SideConfig, config_from_dict
from ..recipe import Recipe
from .peers import PEERS

LIVE = "@live"
BOTH = "both"
RANK = 8
"""Of LoRA where the method names none."""
RATES: dict[str, float] = {
    "pooled": 2e-3,
    "unipt": 1e-3,
    "sherl": 1e-3,
    "lst": 4e-3,
    "probe": 1e-2,
    "pyramid": 1e-3,
    "lora": 2e-3,
    "lora-last": 3e-3,
    "lora-last2": 3e-3,
    "lora-checkpointed": 2e-3,
    "bitfit": 2e-3,
    "full": 1e-4,
}
"""Learning rates to start from where the recipe's [compare.rates] names none."""
_BETWEEN = re.compile(r",(?![^\[]*\])")
"""A comma that is not inside a list."""


@dataclass(frozen=True)
class Method:
    """One way of adapting a backbone."""

    base: str
    """A side network or a peer."""
    settings: tuple[tuple[str, Any], ...] = ()
    """Of the side network, or the rank of LoRA: names and values."""
    live: bool = False
    """A side network beside a backbone that runs in every step. Peers always run it."""

    @property
    def name(self) -> str:
        """As users write it."""
        options = ",".join(f"{key}={_shown(value)}" for key, value in self.settings)
        return f"{self.base}{':' if options else ''}{options}{LIVE if self.live else ''}"

    @property
    def is_peer(self) -> bool:
        """Whether gradients run inside the backbone."""
        return self.base in PEERS

    @property
    def is_stored(self) -> bool:
        """Whether it learns from stored features."""
        return not (self.live or self.is_peer)

    @property
    def rank(self) -> int:
        """Of LoRA."""
        return int(dict(self.settings).get("rank", RANK))

    def sides(self, recipe: Recipe) -> dict[str, SideConfig]:
        """The side network of each part. Where it is the recipe's own, the recipe's settings hold, too.

        Raises:
            InputError: an unknown setting, or a value out of range.
        """
        found = {}
        for part, own in recipe.sides.items():
            start = own.to_dict() if own.method == self.base else {"method": self.base}
            found[part] = config_from_dict({**start, **dict(self.settings)})
        return found

    def rate(self, recipe: Recipe) -> float:
        """The learning rate that the recipe gives it, before any factor."""
        rates = {parse_methods([name])[0].name: rate for name, rate in recipe.compare.rates.items()}
        names = (self.name, replace(self, live=False).name, self.base)
        return next((rates[name] for name in names if name in rates), RATES[self.base])


def parse_methods(words: Sequence[str]) -> tuple[Method, ...]:
    """Methods as users write them, each once; a word may hold several, separated by commas.

    Raises:
        InputError: an unknown method (the nearest is named), or a setting that makes no sense.
    """
    pieces: list[str] = []
    for piece in (piece.strip() for word in words for piece in _BETWEEN.split(word)):
        if "=" in piece and ":" not in piece and pieces:
            pieces[-1] += f",{piece}"
        elif piece:
            pieces.append(piece)
    methods = [_parse(piece) for piece in pieces]
    if not methods:
        raise InputError(f"Name at least one method: {', '.join((*CONFIGS, *PEERS))}.")
    return tuple({method.name: method for method in methods}.values())


def _parse(text: str) -> Method:
    head, _, options = text.partition(":")
    live = LIVE in (head[-len(LIVE) :], options[-len(LIVE) :])
    base, options = head.removesuffix(LIVE).strip(), options.removesuffix(LIVE)
    pick("method", base, (*CONFIGS, *PEERS))
    settings: dict[str, Any] = {}
    for option in _BETWEEN.split(options) if options else ():
        key, equals, value = option.partition("=")
        if not equals or not key.strip():
            raise InputError(f"Settings of a method are written as {base}:key=value,key=value; got {text!r}.")
        settings[key.strip()] = _value(value.strip())
    method = Method(base, tuple(settings.items()), live)
    if method.is_peer:
        _check_peer(method)
    else:
        config_from_dict({"method": base, **settings})
    return method


def _check_peer(method: Method) -> None:
    if method.live:
        raise InputError(f"{method.base} always runs the backbone. Leave {LIVE} out.")
    known = ("rank",) if PEERS[method.base].kind == "lora" else ()
    for key, _ in method.settings:
        if key not in known:
            raise InputError(f"{method.base} has no setting {key!r}. {'It has rank.' if known else 'It has none.'}")
    rank = dict(method.settings).get("rank", RANK)
    if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
        raise InputError(f"{method.base}:rank must be a whole number of at least 1; got {rank!r}.")


def _value(text: str) -> Any:
    """A value as TOML writes it; text may go unquoted."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return tuple(value) if isinstance(value, list) else value


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{','.join(map(str, value))}]" if isinstance(value, tuple) else str(value)


def with_live(methods: Sequence[Method], live: str | None) -> tuple[Method, ...]:
    """The methods, and beside them the side networks that run live, too.

    Args:
        methods: as asked for.
        live: names of side networks, separated by commas; "both" takes all of the methods.

    Raises:
        InputError: a name that is no side network.
    """
    if not live:
        return tuple(methods)
    stored = [method for method in methods if method.is_stored]
    if live.strip() != BOTH:
        asked = parse_methods([live])
        for method in asked:
            pick("side network", method.base, CONFIGS)
        # A bare name stands for all variants that are compared.
        stored = [
            each
            for method in asked
            for each in ([other for other in stored if other.base == method.base] if not method.settings else [method])
            or [method]
        ]
    both = [*methods, *(replace(method, live=True) for method in stored)]
    return tuple({method.name: method for method in both}.values())


def check_rates(recipe: Recipe) -> None:
    """Refuse learning rates for methods that do not exist.

    Raises:
        InputError: there is such a rate; the nearest method is named.
    """
    for name in recipe.compare.rates:
        parse_methods([name])
