"""attach(): put a side network beside any transformers task model, in place; detach() takes it off again.

Read in this order: anatomy (what the model is made of), build (which side network fits), graft (how a frozen pass feeds
it), model (what the attached model can do), checkpoint (what is saved).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ...errors import InputError
from ..config import SideConfig
from .anatomy import Anatomy, dissect
from .bank import SideBank
from .build import build_slot
from .checkpoint import load
from .graft import graft_projection, graft_trunk, ungraft
from .model import attached_class, make_bank

__all__ = ["attach", "detach", "load"]


def attach(model: Any, config: SideConfig, name: str = "default", *, fisher: Mapping[str, Tensor] | None = None) -> Any:
    """Freeze a transformers task model and put a side network beside it.

    The model is changed in place and returned. It still is what the Trainer, `generate()` and pipelines expect, trains
    its side network and a copy of its head only, and saves only those. Call again with another name to add a second
    side network; `model.set_side(name)` switches between them.

    Args:
        model: an AutoModelFor… of an encoder, decoder, encoder-decoder or staged CNN, or a CLIP-like model.
        config: UniPTConfig, SHERLConfig, LSTConfig, PooledConfig or ProbeConfig.
        name: of this side network on the model; letters, digits, "-" and "_".
        fisher: importance of the weights for LSTConfig(init="fisher").

    Raises:
        InputError: not such a model, a side network that cannot serve it, or a name that is taken.
    """
    if not isinstance(config, SideConfig):
        got = f"the class {config.__name__}: call it" if isinstance(config, type) else type(config).__name__
        raise InputError(f"config must be a UniPTConfig, SHERLConfig, LSTConfig, …; got {got}.")
    if not isinstance(name, str) or not name or not name.replace("-", "").replace("_", "").isalnum():
        raise InputError(f"A side network's name may hold letters, digits, '-' and '_'; got {name!r}.")
    if hasattr(nn.ModuleDict, name) or hasattr(nn.ModuleDict(), name):
        raise InputError(f"A side network cannot be called {name!r}, which means something to PyTorch. Choose another.")
    attached = isinstance(getattr(model, "lichen", None), SideBank)
    if attached and name in model.lichen.slots:
        raise InputError(f"A side network called {name!r} is attached already. Choose another name, or detach() first.")
    anatomy = model.lichen_anatomy if attached else dissect(model)
    if not attached:
        _unwrap(model, anatomy)
    # Everything that can fail comes before the first lasting change to the model.
    active = model.lichen.active if attached else None
    try:
        if attached:
            model.set_side(None)
        slot = build_slot(model, anatomy, config, fisher)
    except BaseException:
        if attached:
            model.set_side(active)
        raise
    if not attached:
        _open(model, anatomy)
    model.lichen.slots[name] = slot
    model.set_side(name)
    model.train(model.training)
    return model


def _unwrap(model: Any, anatomy: Anatomy) -> None:
    """Refuse modules whose forward was replaced on the instance: that one would run, and the graft never would."""
    paths = ("", *anatomy.paths.values(), *anatomy.projections.values())
    own = {path: vars(module)["forward"] for path in paths if "forward" in vars(module := model.get_submodule(path))}
    replaced = [
        path or "the model"
        for path, forward in own.items()
        if getattr(forward, "__func__", None) is not type(model.get_submodule(path)).forward
    ]
    if replaced:
        raise InputError(
            f"attach() works through forward(), which something else has replaced on {', '.join(replaced)}: hooks of "
            "accelerate (device_map, offload) do that, and a Trainer with mixed precision. Load a fresh model, without "
            "device_map, or take the hooks off: accelerate.hooks.remove_hook_from_module(model, recurse=True)."
        )
    # What is left of hooks that were taken off: the class's own forward, kept on the instance.
    for path in own:
        del model.get_submodule(path).forward


def _open(model: Any, anatomy: Anatomy) -> None:
    """Freeze the model, graft its trunks and give it the attached class."""
    model.lichen_before = {
        "requires_grad": {key: parameter.requires_grad for key, parameter in model.named_parameters()},
        "training": {key: module.training for key, module in model.named_modules()},
    }
    model.requires_grad_(False)
    bank = make_bank(model, anatomy)
    for part, trunk in anatomy.trunks.items():
        projection = model.get_submodule(anatomy.projections[part]) if part in anatomy.projections else None
        graft_trunk(trunk, part, bank, projection)
        if projection is not None:
            graft_projection(projection, part, bank)
    model.lichen_anatomy = anatomy
    model.__class__ = attached_class(type(model))


def detach(model: Any, name: str | None = None) -> Any:
    """Take a side network off; without a name take all off and give the original model back, bit for bit.

    Args:
        model: an attached model.
        name: one side network to remove; the model stays attached while others remain.

    Raises:
        InputError: the model is not attached, or has no side network of this name.
    """
    bank = getattr(model, "lichen", None)
    if not isinstance(bank, SideBank):
        raise InputError(f"This {type(model).__name__} is not attached, so there is nothing to detach.")
    if name is not None:
        bank.slot(name)
        if bank.active == name:
            model.set_side(None)
        del bank.slots[name]
        if len(bank.slots):
            return model
    model.set_side(None)
    anatomy, before = model.lichen_anatomy, model.lichen_before
    for trunk in anatomy.trunks.values():
        ungraft(trunk.module)
    for path in anatomy.projections.values():
        ungraft(model.get_submodule(path))
    model.__class__ = type(model).lichen_original
    for attribute in ("lichen", "lichen_anatomy", "lichen_before"):
        delattr(model, attribute)
    # Mixed precision of a Trainer leaves a wrapper around the attached forward on the instance.
    for attribute in ("forward", "_original_forward"):
        vars(model).pop(attribute, None)
    for key, parameter in model.named_parameters():
        parameter.requires_grad_(before["requires_grad"][key])
    for key, module in model.named_modules():
        module.training = before["training"][key]
    return model
