"""Loads the last layers of a pretrained model without the rest: all that SHERL needs beside stored features."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ..errors import CheckpointError, MissingPackageError, pick
from ..files import read_json
from .backbone import PREFIX, Backbone
from .describe import describe
from .embedded import load_embedded_folder, register_architectures
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

    The layers before them stay without storage and must not run; input embeddings, which `LateLayers` runs only for
    the shapes that they give, are zeros that take no memory. Token models whose file gives the weights other names
    than the model does are loaded whole and then stripped; staged models are loaded whole.

    Args:
        name: "embedded:<name>", local folder or hub id, as `Backbone.from_pretrained` takes it.
        count: blocks that will be re-run.
        part: which trunk, where there are several.
        revision: of the hub repository.
        digests: SHA-256 of each tensor of the trunk (`fingerprint.digests_of`), as a store keeps them.

    Raises:
        CheckpointError: a late weight differs from its digest, or a file is damaged.
        InputError: nothing is found under this name, or there is no such part or layer.
        MissingPackageError: accelerate is missing.
    """
    # Building a model draws random numbers; what is initialised afterwards must not depend on it.
    with torch.random.fork_rng(devices=[]):
        trunk = _load_part(os.fspath(name), count, part, revision) or _load_whole(
            os.fspath(name), count, part, revision
        )
    trunk.module.eval().requires_grad_(False)
    _strip(trunk, count)
    tensors = trunk.module.state_dict()
    for key in _late_keys(trunk, count):
        if digests and digests.get(key) != digest_of({key: tensors[key]}):
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
    register_architectures()
    source = str(load_embedded_folder(name.removeprefix(PREFIX))) if name.startswith(PREFIX) else name
    try:
        config = AutoConfig.from_pretrained(source, revision=revision)
        with init_empty_weights(include_buffers=False):
            model: Any = AutoModel.from_config(config, dtype=torch.float32)
    except (OSError, ValueError, KeyError):
        # Loading it whole says in words what is wrong.
        return None
    paths = parts_of(model)
    chosen = pick("part", part or next(iter(paths)), paths)
    module = model.get_submodule(paths[chosen]) if paths[chosen] else model
    # A tower of two may be made of stages where the whole is not.
    own = getattr(module, "config", config)
    if any(hasattr(each, name) for each in (config, own) for name in ("hidden_sizes", "depths")):
        return None
    trunk = describe(module)
    parameters = dict(trunk.module.named_parameters())
    wanted = _late_keys(trunk, count)
    if not set(wanted) <= set(parameters):
        return None  # a late buffer that is saved with the weights
    found = _find(source, revision, {key: f"{paths[chosen]}.{key}".lstrip(".") for key in wanted})
    if found is None or any(found[key].shape != parameters[key].shape for key in wanted):
        return None
    for key, value in found.items():
        _set(trunk.module, key, value.to(torch.float32))
    return trunk


def _load_whole(name: str, count: int, part: str | None, revision: str | None) -> Trunk:
    """The same from a model that is loaded whole."""
    backbone = Backbone.from_pretrained(name, part=part, revision=revision)
    return backbone.trunks[pick("part", part or next(iter(backbone.trunks)), backbone.trunks)]


def _strip(trunk: Trunk, count: int) -> None:
    """Give up what does not run again: early layers altogether, input embeddings but for their shapes."""
    if trunk.kind == "maps":
        return
    late = set(_late_keys(trunk, count))
    for key, parameter in list(trunk.module.named_parameters()):
        if key in late:
            continue
        early = key.startswith(f"{trunk.path}.")
        _set(trunk.module, key, parameter.to("meta") if early else torch.zeros(()).expand(parameter.shape))


def _late_keys(trunk: Trunk, count: int) -> list[str]:
    """Names of the trunk's tensors that are used when its last `count` blocks run again."""
    layers, inputs = f"{trunk.path}.", _input_path(trunk)
    first = len(trunk.layers) - (1 if trunk.kind == "maps" else count)

    def is_late(key: str) -> bool:
        if key.startswith(layers):
            return int(key.removeprefix(layers).split(".")[0]) >= first
        return trunk.kind == "maps" or inputs is None or not key.startswith(inputs)

    return [key for key in trunk.module.state_dict() if is_late(key)]


def _input_path(trunk: Trunk) -> str | None:
    """Start of the names of the input embeddings, with those of positions where they share a module of their own."""
    module = trunk.module
    try:
        words = module.get_input_embeddings()  # type: ignore[operator]
    except (AttributeError, NotImplementedError):
        return None
    path = next((path for path, child in module.named_modules() if child is words), "")
    parent = path.rpartition(".")[0]
    # DeBERTa keeps embeddings that every layer reads beside its layers: only a module without layers is for inputs.
    if parent and not trunk.path.startswith(f"{parent}."):
        path = parent
    return f"{path}." if path else None


def _find(source: str, revision: str | None, names: Mapping[str, str]) -> dict[str, Tensor] | None:
    """Tensors of safetensors files by the names they have in the trunk; None where one has no single match."""
    files = _weight_files(source, revision)
    try:
        with ExitStack() as stack:
            opened = [stack.enter_context(safe_open(str(path), framework="pt")) for path in files]
            held = [(name, file) for file in opened for name in file.keys()]  # noqa: SIM118 (it is no dict)
            found = {}
            for key, full in names.items():
                # A model with a task head has its trunk's names behind a prefix.
                matches = [each for each in held if each[0] == full] or [
                    each for each in held if each[0].endswith(f".{full}")
                ]
                if len(matches) != 1:
                    return None
                name, file = matches[0]
                found[key] = file.get_tensor(name)
            return found
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"The weights in {source!r} are damaged: {error}. Copy or download them again."
        ) from error


def _weight_files(source: str, revision: str | None) -> list[Path]:
    """Paths of the safetensors files of a model; none where a file is missing."""
    from transformers.utils import cached_file

    options: dict[str, Any] = {"revision": revision, "_raise_exceptions_for_missing_entries": False}
    single = cached_file(source, _SINGLE, **options)
    if single:
        return [Path(single)]
    index = cached_file(source, _INDEX, **options)
    shards = read_json(Path(index)).get("weight_map") if index else None
    if not isinstance(shards, dict):
        return []
    found = [cached_file(source, str(name), **options) for name in sorted(set(shards.values()))]
    return [Path(path) for path in found if path] if all(found) else []


def _set(module: nn.Module, key: str, value: Tensor) -> None:
    """Replace a parameter by dotted name."""
    path, _, leaf = key.rpartition(".")
    module.get_submodule(path)._parameters[leaf] = nn.Parameter(value, requires_grad=False)
