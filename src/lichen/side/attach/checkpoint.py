"""Saves what was trained and nothing else, and loads it only beside the backbone it was trained with.

Folder: `model.safetensors` (side network and head), `lichen.json` (settings and the backbone's fingerprint),
`manifest.json` (SHA-256 of both), `README.md` (model card, free to be edited). The weight file has the name and the
keys that `transformers.Trainer` looks for, so resuming from a checkpoint works unchanged.
"""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import Any

from torch import Tensor

from ...backbones.fingerprint import Fingerprint, fingerprint_of
from ...backbones.parts import frozen_modules
from ...errors import CheckpointError, InputError
from ...files import staged_folder, to_json
from ..config import config_from_dict
from ..storage import CARD, FILES, FORMAT, SETTINGS, WEIGHTS, fill, open_saved, read_tensors, write_tensors
from .bank import SideBank
from .card import model_card


def _prefix(name: str) -> str:
    return f"lichen.slots.{name}."


def fingerprint(model: Any, anatomy: Any) -> Fingerprint:
    """Identity of the frozen part of a task model: trunks and projections, without heads and side networks."""
    return fingerprint_of(frozen_modules(model, anatomy.trunks), config=model.config)


def save(
    model: Any,
    folder: str | os.PathLike[str],
    state_dict: dict[str, Tensor] | None = None,
    is_main_process: bool = True,
    push_to_hub: bool = False,
    repo_id: str | None = None,
    **_: Any,
) -> None:
    """Write the active side network of an attached model. See `model.save_pretrained`."""
    bank: SideBank = model.lichen
    if bank.active is None or bank.current is None:
        raise InputError("No side network is active, so there is nothing to save. Call model.set_side(name) first.")
    if not is_main_process:
        return
    prefix = _prefix(bank.active)
    source = state_dict or model.state_dict()
    tensors = {key: value for key, value in source.items() if key.startswith(prefix)}
    if lost := sorted(set(bank.current.state_dict(prefix=prefix)) - set(tensors)):
        raise InputError(
            f"The state dict to save lacks {len(lost)} weights of side network {bank.active!r}, such as {lost[0]!r}. "
            "Give model.state_dict(), or leave state_dict out."
        )
    settings = {
        "format": FORMAT,
        "name": bank.active,
        "side": bank.current.config.to_dict(),
        "backbone": fingerprint(model, model.lichen_anatomy).to_dict(),
        "model_class": type(model).__name__,
        "heads": {key: str(head) for key, head in bank.current.heads.items()},
        "num_labels": getattr(model.config, "num_labels", None),
        "id2label": {str(key): value for key, value in (getattr(model.config, "id2label", None) or {}).items()},
        "trained_parameters": sum(parameter.numel() for parameter in bank.current.parameters()),
        "kept": bank.current.kept,
    }
    target = Path(folder)
    with staged_folder(target, unlisted=[CARD]) as stage:
        write_tensors(tensors, stage / WEIGHTS)
        (stage / SETTINGS).write_bytes(to_json(settings))
        (stage / CARD).write_text(model_card(settings), encoding="utf-8")
    if push_to_hub:
        publish(target, repo_id or target.name)


def publish(folder: Path, repo_id: str, **settings: Any) -> str:
    """Upload a saved side network to the hub and return the address of the commit.

    Args:
        folder: what `save` wrote. It may hold more, such as a Trainer's optimiser, which stays here.
        repo_id: made if needed.
        settings: `private` and `token` for the repository; `revision`, `commit_message` and such for the upload.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=settings.pop("token", None))
    name = api.create_repo(repo_id, private=settings.pop("private", None), exist_ok=True).repo_id
    return str(api.upload_folder(repo_id=name, folder_path=folder, allow_patterns=FILES, **settings))


def load(model: Any, folder: str | os.PathLike[str], name: str | None = None, *, check_backbone: bool = True) -> Any:
    """Attach a saved side network to a model.

    Args:
        model: the same task model as when it was saved, fresh or already attached.
        folder: what `save_pretrained` wrote, or the id of a hub repository that holds it.
        name: of the side network on this model; None takes the saved name.
        check_backbone: refuse a backbone whose weights differ. Switch off to use another precision on purpose.

    Raises:
        CheckpointError: damaged or missing files, or another backbone (the message names the field that differs).
            The model is left as it was.
    """
    from . import attach, detach
    from .anatomy import dissect

    path, settings = open_saved(folder)
    _check_settings(settings)
    config = config_from_dict(settings["side"])
    attached = isinstance(getattr(model, "lichen", None), SideBank)
    active = model.lichen.active if attached else None
    anatomy = model.lichen_anatomy if attached else dissect(model)
    _check_model(model, anatomy, settings, check_backbone)
    tensors = read_tensors(path / WEIGHTS)
    chosen = name or settings["name"]
    attach(model, config, chosen)
    try:
        fill(model.lichen.slot(chosen), tensors, _prefix(settings["name"]))
    except BaseException:
        detach(model, chosen)
        if attached:
            model.set_side(active)
        raise
    model.lichen.slot(chosen).kept = settings.get("kept")
    return model


def _check_settings(settings: dict[str, Any]) -> None:
    """Refuse settings of a side network that are incomplete or of the wrong types."""
    for key, kind in (("name", str), ("model_class", str), ("side", dict), ("backbone", dict), ("heads", dict)):
        if not isinstance(settings.get(key), kind):
            raise CheckpointError(
                f"{SETTINGS} holds no usable {key!r}: expected {kind.__name__}. Save the model again."
            )
    if wrong := set(settings["backbone"]) ^ {field.name for field in fields(Fingerprint)}:
        raise CheckpointError(f"{SETTINGS}: the backbone's fingerprint differs in its fields {sorted(wrong)}.")


def _check_model(model: Any, anatomy: Any, settings: dict[str, Any], check_backbone: bool) -> None:
    if settings["model_class"] != type(model).__name__:
        raise CheckpointError(
            f"model_class differs: this side network was trained on {settings['model_class']}, "
            f"got {type(model).__name__}."
        )
    labels = getattr(model.config, "num_labels", None)
    if settings["heads"] and settings["num_labels"] != labels:
        raise CheckpointError(
            f"num_labels differs: saved {settings['num_labels']}, this model has {labels}. "
            f"Load the model with num_labels={settings['num_labels']}."
        )
    if check_backbone:
        wrong = Fingerprint(**settings["backbone"]).differences(fingerprint(model, anatomy))
        if wrong:
            raise CheckpointError(
                "This side network was trained beside another backbone. " + "; ".join(wrong) + ". "
                f"It was {settings['backbone']['model_id'] or 'a local model'}; load that one."
            )
