"""What side networks are compared with: LoRA, BitFit and full fine-tuning, all with gradients inside the backbone.

`PEERS` lists them by the names that `lichen compare` takes. `tune` prepares a bare backbone for one of them, and
`PeerModel` trains it under the head that side networks are given, so that methods differ in nothing but the backbone.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor, nn

from ...backbones.backbone import Backbone
from ...backbones.checks import check_batch
from ...backbones.describe import describe
from ...backbones.features import Features
from ...backbones.parts import parts_of, projection_of
from ...backbones.trunk import Trunk
from ...errors import CheckpointError, InputError, MissingPackageError, pick

QUERY_AND_VALUE = (
    ("q_proj", "v_proj"),
    ("query", "value"),
    ("query_proj", "value_proj"),
    ("q_lin", "v_lin"),
    ("q", "v"),
    ("c_attn",),
)
"""What transformers models call their query and value projections, in the order tried."""


@dataclass(frozen=True)
class Peer:
    """One way of adapting a backbone by gradients inside it."""

    kind: Literal["lora", "bitfit", "full"]
    """What is trained: low-rank updates of queries and values, biases, or everything."""
    title: str
    """For tables."""
    last: int | None = None
    """LoRA: how many of the last layers are adapted; None adapts all."""
    checkpointed: bool = False
    """Keep only the input of every layer and run it again in the backward pass: less memory for more time."""


PEERS: dict[str, Peer] = {
    "lora": Peer("lora", "LoRA"),
    "lora-last": Peer("lora", "LoRA, last layer", last=1),
    "lora-last2": Peer("lora", "LoRA, last two layers", last=2),
    "lora-checkpointed": Peer("lora", "LoRA, gradient checkpointing", checkpointed=True),
    "bitfit": Peer("bitfit", "BitFit"),
    "full": Peer("full", "full fine-tuning"),
}


def tune(
    model: Any, method: str, rank: int = 8, layers: Sequence[int] | None = None, *, part: str | None = None
) -> Any:
    """Prepare a bare transformers backbone for one of `PEERS`, in place; what is not trained is frozen.

    Args:
        model: such as `AutoModel` gives, without a task head.
        method: a name in `PEERS`.
        rank: of LoRA's updates; scaled by PEFT's defaults. They go to queries and values; in a CNN, which has none, to
            the 1 x 1 convolutions (and linear layers) of its blocks.
        layers: numbers of the layers (CNN: stages) that LoRA adapts, negative from the end; None takes the method's.
        part: the trunk to adapt where there are several, such as "vision"; None adapts all.

    Returns:
        The model itself.

    Raises:
        MissingPackageError: PEFT is not installed.
        InputError: no such method, part or layer, or the model has nothing that the method could train.
    """
    peer = PEERS[pick("method", method, PEERS)]
    paths = parts_of(model)
    paths = paths if part is None else {part: paths[pick("part", part, paths)]}
    trunks = {path: describe(model.get_submodule(path) if path else model) for path in paths.values()}
    model.requires_grad_(False)
    if peer.kind == "lora":
        _add_lora(model, trunks, rank, _layers_of(peer, layers))
    else:
        modules = [trunk.module for trunk in trunks.values()]
        projections = [projection_of(model, name) for name in paths]
        modules += [model.get_submodule(path) for path in projections if path is not None]
        for module in modules:
            for name, parameter in module.named_parameters():
                parameter.requires_grad_(peer.kind == "full" or name.rpartition(".")[2] == "bias")
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InputError(f"{type(model).__name__} has no biases, so {method} trains nothing. Use lora or full.")
    if peer.checkpointed:
        _checkpoint(model, trunks.values(), method)
    return model


def _layers_of(peer: Peer, layers: Sequence[int] | None) -> tuple[int, ...] | None:
    if layers is not None:
        return tuple(layers)
    return None if peer.last is None else tuple(range(-peer.last, 0))


def _add_lora(model: Any, trunks: Mapping[str, Trunk], rank: int, layers: tuple[int, ...] | None) -> None:
    """Put LoRA into the chosen layers of all trunks."""
    targets: list[str] = []
    for path, trunk in trunks.items():
        for number in _chosen(len(trunk.layers), layers):
            inside = f"{path}.{trunk.path}.{number}.".lstrip(".")
            targets += [f"{inside}{name}" for name in _adaptable(trunk, trunk.layers[number])]
    if not targets:
        raise InputError(
            f"{type(model).__name__} has no query and value projections that LoRA could find by name. "
            "Use bitfit or full, which need none."
        )
    peft = _peft()
    transposed = any(type(model.get_submodule(name)).__name__ == "Conv1D" for name in targets)
    pattern = "|".join(map(re.escape, targets))
    peft.inject_adapter_in_model(peft.LoraConfig(r=rank, target_modules=pattern, fan_in_fan_out=transposed), model)


def _chosen(count: int, layers: tuple[int, ...] | None) -> list[int]:
    if layers is None:
        return list(range(count))
    wrong = [number for number in layers if not -count <= number < count]
    if wrong or not layers:
        raise InputError(f"The backbone has layers 0 to {count - 1}; got {list(wrong or layers)} for LoRA.")
    return sorted({number % count for number in layers})


def _adaptable(trunk: Trunk, layer: nn.Module) -> list[str]:
    """Names of a layer's parts that LoRA adapts: queries and values, in a CNN the products over channels."""
    linear = {name: module for name, module in layer.named_modules() if hasattr(module, "weight")}
    ends = {name.rpartition(".")[2] for name in linear}
    pair = next((names for names in QUERY_AND_VALUE if ends.issuperset(names)), None)
    if pair is not None:
        return [name for name in linear if name.rpartition(".")[2] in pair]
    return [name for name, module in linear.items() if trunk.kind == "maps" and _over_channels(module)]


def _over_channels(module: nn.Module) -> bool:
    if isinstance(module, nn.Conv2d):
        return module.kernel_size == (1, 1) and module.stride == (1, 1) and module.groups == 1
    return isinstance(module, nn.Linear)


def _checkpoint(model: Any, trunks: Any, method: str) -> None:
    """Reentrant checkpoints: what they store are saved tensors, so `KeptBytes` sees them."""
    if not getattr(model, "supports_gradient_checkpointing", False):
        raise InputError(
            f"{type(model).__name__} has no gradient checkpointing, so {method} cannot train it. Use lora, bitfit or "
            "full."
        )
    # transformers 5 renamed it on the way; the old name warns.
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": True})
    for outer in _checkpointing_layers(model):
        # Swin marks stages and their blocks; a block inside a checkpointed stage would run three times.
        outer.gradient_checkpointing = len(_checkpointing_layers(outer)) == 1
    for trunk in trunks:
        # A reentrant checkpoint gives gradients only if one of its inputs requires one.
        trunk.module.get_input_embeddings().register_forward_hook(_require_gradient)


def _checkpointing_layers(module: nn.Module) -> list[Any]:
    from transformers.modeling_layers import GradientCheckpointingLayer

    return [child for child in module.modules() if isinstance(child, GradientCheckpointingLayer)]


def _require_gradient(module: nn.Module, args: Any, output: Any) -> None:
    first = output if isinstance(output, Tensor) else output[0]
    first.requires_grad_(True)


def lora(model: Any, rank: int = 8, layers: Sequence[int] | None = None) -> Any:
    """LoRA of a rank on queries and values of a task model, with its head trained too. It is changed in place.

    Args:
        model: a transformers task model.
        rank: of the update; scaled by PEFT's defaults.
        layers: numbers of the layers to adapt; None adapts all.

    Raises:
        MissingPackageError: PEFT is not installed.
        InputError: the model's query and value projections have none of the known names.
    """
    peft = _peft()
    last_parts = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    targets = next((names for names in QUERY_AND_VALUE if last_parts.issuperset(names)), None)
    if targets is None:
        raise InputError(f"{type(model).__name__} has no query and value projections that LoRA could find by name.")
    heads = [name for name in ("classifier", "score") if hasattr(model, name)]
    settings = peft.LoraConfig(
        r=rank,
        target_modules=list(targets),
        modules_to_save=heads or None,
        layers_to_transform=None if layers is None else list(layers),
    )
    with warnings.catch_warnings():
        # PEFT 0.21 asks transformers 5.23 for a property under its old name.
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*is_gradient_checkpointing.*")
        return peft.get_peft_model(model, settings)


def _peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise MissingPackageError("LoRA comes from PEFT, which is missing. Install it: pip install peft") from error
    return peft


class PeerModel(nn.Module):
    """Backbones adapted by one of `PEERS`, under the head that side networks are given.

    In training mode the backbones are in theirs: dropout on, running statistics of a CNN moving, as in practice.
    """

    def __init__(self, backbones: Mapping[str, Backbone], method: str, head: nn.Module, rank: int = 8) -> None:
        """
        Args:
            backbones: by part of the task, such as {"image": ..., "text": ...}. Their models are changed in place, so
                they are no frozen backbones any more.
            method: a name in `PEERS`.
            head: takes features by part and the targets, returns a dict with the loss.
            rank: of LoRA.

        Raises:
            InputError, MissingPackageError: as `tune`.
        """
        super().__init__()
        self.method = method
        self.backbones = dict(backbones)
        self.models = nn.ModuleDict(
            {name: tune(each.model, method, rank, part=_adapted_part(each)) for name, each in backbones.items()}
        )
        self.head = head

    def forward(
        self, inputs: Mapping[str, Mapping[str, Tensor]], targets: Mapping[str, Any] | None = None
    ) -> dict[str, Tensor]:
        """Run backbones and head with gradients.

        Args:
            inputs: by part, a batch of what its backbone reads: `input_ids` and `attention_mask` (batch, tokens), or
                `pixel_values` (batch, channels, rows, columns).
            targets: what the head learns from; None where there is nothing to learn.

        Returns:
            What the head returns: outputs by name, with "loss" when there are targets.

        Raises:
            InputError: no such part, or inputs that its backbone cannot read.
        """
        features = {name: self.read(name, values) for name, values in inputs.items()}
        outputs: dict[str, Tensor] = self.head(features, targets)
        return outputs

    def read(self, name: str, inputs: Mapping[str, Tensor]) -> Features:
        """What the adapted backbone of one part makes of a batch: final output, mask and pooled output; no states."""
        backbone = self.backbones[pick("part", name, self.backbones)]
        part = _trunk_for(backbone, inputs)
        trunk = backbone.trunks[part]
        known, main = trunk.signature.parameters, getattr(trunk.module, "main_input_name", "input_ids")
        if main not in inputs or not set(inputs) <= set(known):
            raise InputError(f"The backbone of {name!r} reads {main}; got {', '.join(sorted(inputs)) or 'nothing'}.")
        check_batch(backbone.model.config, inputs)
        arguments: dict[str, Any] = {**inputs, "return_dict": True}
        if "use_cache" in known:
            arguments["use_cache"] = False
        features = trunk.rest(trunk.bind((), arguments), trunk.module(**arguments))
        path = projection_of(backbone.model, part)
        if path is None or features.pooled is None:
            return features
        return replace(features, pooled=backbone.model.get_submodule(path)(features.pooled))


def _adapted_part(backbone: Backbone) -> str | None:
    """Which trunk is trained: the one that is read; both towers where the inputs choose."""
    return backbone.part or ("encoder" if "encoder" in backbone.paths else None)


def _trunk_for(backbone: Backbone, inputs: Mapping[str, Tensor]) -> str:
    """Which trunk of a backbone reads these inputs."""
    if backbone.part is not None:
        return backbone.part
    if "vision" in backbone.paths:
        return "vision" if "pixel_values" in inputs else "text"
    return next(iter(backbone.paths))


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """What training changed: the state dict without frozen parameters. Running statistics stay in."""
    frozen = {name for name, value in model.named_parameters(remove_duplicate=False) if not value.requires_grad}
    return {name: value for name, value in model.state_dict().items() if name not in frozen}


def load_trained(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put what `trained_state` gave into a model prepared in the same way.

    Raises:
        CheckpointError: a tensor is missing, unknown or of another shape. The model stays as it was then.
    """
    wanted = trained_state(model)
    wrong = sorted(wanted.keys() ^ state.keys())
    wrong += [name for name in wanted if name in state and wanted[name].shape != state[name].shape]
    if wrong:
        raise CheckpointError(f"These weights are of another model or method: {wrong[0]!r} does not fit.")
    model.load_state_dict(dict(state), strict=False)
