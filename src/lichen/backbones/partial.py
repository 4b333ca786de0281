"""Loads the last layers of a pretrained model without the rest: all that SHERL needs beside stored features."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from ..errors import CheckpointError, MissingPackageError, pick
from .backbone import PREFIX, Backbone
from .describe import describe
from .embedded import load_embedded_folder
from .fingerprint import digest_of
from .parts import parts_of
from .trunk import Trunk

_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"


def load_late(
    name: str | os.PathLike[str],
    count: int,
    *,
    part: str | None = None,
    revision: str | None = None,
    digests: Mapping[str, str] | None = None,
) -> Trunk:
    """A trunk of which only the last blocks, and what follows them, hold weights.

    The layers before them stay without storage and must not run; embeddings, which `LateLayers` runs only for the
    shapes that they give, are zeros that take no memory. Staged models, and files whose weights carry other names than
    the model's, are loaded whole and then stripped.

    Args:
        name: "embedded:<name>", local folder or hub id, as `Backbone.from_pretrained` takes it.
        count: blocks that will be re-run.
        part: which trunk, where there are several.
        revision: of the hub repository.
        digests: SHA-256 of each tensor of the trunk (`fingerprint.digests_of`), as a store keeps them.

    Raises:
        CheckpointError: a late weight differs from its digest.
        InputError: nothing is found under this name.
        MissingPackageError: accelerate is missing.
    """
    # Building a model draws random numbers; what is initialised afterwards must not depend on it.
    with torch.random.fork_rng(devices=[]):
        trunk = _load_part(os.fspath(name), count, part, revision) or _load_whole(
            os.fspath(name), count, part, revision
        )
    trunk.module.eval().requires_grad_(False)
    for key, tensor in trunk.module.state_dict().items():
        if digests and _is_late(trunk, key, count) and digests.get(key) != digest_of({key: tensor}):
            raise CheckpointError(
                f"The late layers of {os.fspath(name)!r} are not those that the store was made with: {key} differs. "
                "Build the store again with this backbone, or give the backbone of the store."
            )
    return trunk


def _load_part(name: str, count: int, part: str | None, revision: str | None) -> Trunk | None:
    """The trunk with late weights read from the file; None where they cannot be found by name."""
    from transformers import AutoConfig, AutoModel

    try:
        from accelerate import init_empty_weights
    except ImportError as error:
        raise MissingPackageError(
            "Training needs accelerate, which is missing. Install it: pip install accelerate"
        ) from error
    source = str(load_embedded_folder(name.removeprefix(PREFIX))) if name.startswith(PREFIX) else name
    config = AutoConfig.from_pretrained(source, revision=revision)
    if hasattr(config, "hidden_sizes") or hasattr(config, "depths"):
        return None
    with init_empty_weights(include_buffers=False):
        model: Any = AutoModel.from_config(config)
    paths = parts_of(model)
    chosen = pick("part", part or next(iter(paths)), paths)
    trunk = describe(model.get_submodule(paths[chosen]) if paths[chosen] else model)
    wanted = [key for key, _ in trunk.module.named_parameters() if _is_late(trunk, key, count)]
    found = _find(source, revision, {key: f"{paths[chosen]}.{key}".lstrip(".") for key in wanted})
    if found is None:
        return None
    for key, parameter in list(trunk.module.named_parameters()):
        if key in found:
            _set(trunk.module, key, found[key].to(torch.float32))
        elif not key.startswith(f"{trunk.path}."):
            _set(trunk.module, key, torch.zeros(()).expand(parameter.shape))
    return trunk


def _load_whole(name: str, count: int, part: str | None, revision: str | None) -> Trunk:
    """The same from a model that is loaded whole; the early layers are given up again."""
    backbone = Backbone.from_pretrained(name, part=part, revision=revision)
    trunk = backbone.trunks[pick("part", part or next(iter(backbone.trunks)), backbone.trunks)]
    for key, parameter in list(trunk.module.named_parameters()):
        if not _is_late(trunk, key, count) and trunk.kind == "tokens" and key.startswith(f"{trunk.path}."):
            _set(trunk.module, key, parameter.detach().to("meta"))
    return trunk


def _is_late(trunk: Trunk, key: str, count: int) -> bool:
    """Whether a tensor of the trunk is used when its last `count` blocks run again."""
    if trunk.kind == "maps":
        return key.startswith(f"{trunk.path}.{len(trunk.layers) - 1}.") or not key.startswith(f"{trunk.path}.")
    if key.startswith(f"{trunk.path}."):
        return int(key.removeprefix(f"{trunk.path}.").split(".")[0]) >= len(trunk.layers) - count
    return not any("embed" in word for word in key.split(".")[:-1]) and "." in key


def _find(source: str, revision: str | None, names: Mapping[str, str]) -> dict[str, Tensor] | None:
    """Tensors of safetensors files by the names they have in the trunk; None where one has no single match."""
    tensors: dict[str, Tensor] = {}
    for path in _weight_files(source, revision):
        with safe_open(str(path), framework="pt") as file:
            held = list(file.keys())
            for key, full in names.items():
                matches = [other for other in held if other == full or other.endswith(f".{full}")]
                if len(matches) == 1 and key not in tensors:
                    tensors[key] = file.get_tensor(matches[0])
    return tensors if set(tensors) == set(names) else None


def _weight_files(source: str, revision: str | None) -> list[Path]:
    from transformers.utils import cached_file

    from ..files import read_json

    options: dict[str, Any] = {"revision": revision, "_raise_exceptions_for_missing_entries": False}
    index = cached_file(source, _INDEX, **options)
    names = sorted(set(read_json(Path(index))["weight_map"].values())) if index else [_SINGLE]
    found = [cached_file(source, file, **options) for file in names]
    return [Path(file) for file in found if file]


def _set(module: nn.Module, key: str, value: Tensor) -> None:
    """Replace a parameter by dotted name."""
    path, _, leaf = key.rpartition(".")
    module.get_submodule(path)._parameters[leaf] = nn.Parameter(value, requires_grad=False)
