"""Initialise LST's blocks by structural pruning of the backbone: keep the rows that matter, walk the chain.

A row's score is the sum of |importance| over it; the round((1 - 1/r) * rows) rows of lowest score are dropped and the
survivors keep their order. The rows kept in one tensor are the columns kept in the next. Importance is the weight
itself (magnitude) or the empirical Fisher information.
Source: LST (NeurIPS 2022, arXiv 2206.06522), "fisher-v2" of the released code; docs/papers.md section 3.2. Known
difference: for BERT the released code ranks by logarithms of the importances, which for values below 1 drops the *most*
important rows; here query, key and value are ranked by the product of their importances, as for T5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..errors import InputError
from .base import EncoderDecoderSide
from .lst import LST, Ladder
from .lst_t5 import LSTT5

Weights = Mapping[str, Tensor]


def surviving_rows(importance: Float[Tensor, "rows columns"], reduction: int) -> Int[Tensor, " kept"]:
    """Indices of the rows to keep, ascending."""
    rows = importance.shape[0]
    dropped = round((1 - 1 / reduction) * rows)
    order = importance.abs().sum(1).argsort(stable=True)
    return order[dropped:].sort().values


class Chain:
    """Walks a network tensor by tensor, carrying the rows kept in the previous one as columns of the next.

    What it keeps is collected in `kept`, under the backbone's names.
    """

    def __init__(self, state: Weights, importance: Weights | None, reduction: int) -> None:
        self.state = state
        self.importance = state if importance is None else importance
        self.reduction = reduction
        self.columns = torch.empty(0, dtype=torch.long)
        self.kept: dict[str, Tensor] = {}

    def _read(self, table: Weights, name: str, what: str) -> Tensor:
        if name not in table:
            raise InputError(f"The {what} holds no {name!r}. Give that of the backbone, under the backbone's names.")
        return table[name].detach()

    def embedding(self, name: str) -> None:
        """Choose among the columns of an embedding table (rows, width)."""
        importance = self._read(self.importance, name, "importance")
        self.columns = surviving_rows(importance.T, self.reduction)
        self.kept[name] = self._read(self.state, name, "state dict")[:, self.columns]

    def vector(self, *names: str) -> None:
        """Keep the entries of norm weights, and of biases, that match the columns."""
        for name in names:
            self.kept[name] = self._read(self.state, name, "state dict")[self.columns]

    def matrices(self, *names: str, biases: Sequence[str] = ()) -> None:
        """Choose rows of matrices (out, in) that share input and output, jointly by the product of importances."""
        columns = self.columns
        # In float64: the product of three Fisher values of 1e-15 is zero in float32.
        joint = self._read(self.importance, names[0], "importance").double()[:, columns]
        for name in names[1:]:
            joint = joint * self._read(self.importance, name, "importance").double()[:, columns]
        self.columns = surviving_rows(joint, self.reduction)
        for name in names:
            self.kept[name] = self._read(self.state, name, "state dict")[self.columns][:, columns]
        self.vector(*biases)


def prune_t5(state: Weights, reduction: int, importance: Weights | None = None) -> dict[str, Tensor]:
    """Prune a whole T5 encoder-decoder: embedding, encoder blocks, encoder norm, decoder blocks, decoder norm.

    Args:
        state: the model's state dict. reduction: r; about 1/r of every axis survives.
        importance: one tensor a weight, of its shape (see `fisher_importance`); None ranks by the weights themselves.

    Returns:
        The pruned tensors under the backbone's names. Tables of relative positions are not pruned.

    Raises:
        InputError: a weight of a T5 encoder-decoder is missing.
    """
    chain = Chain(state, importance, reduction)
    chain.embedding("shared.weight")
    for stack in ("encoder", "decoder"):
        for index in range(count_blocks(state, f"{stack}.block.")):
            block = f"{stack}.block.{index}.layer"
            attentions = ["SelfAttention"] if stack == "encoder" else ["SelfAttention", "EncDecAttention"]
            for place, attention in enumerate(attentions):
                part = f"{block}.{place}"
                chain.vector(f"{part}.layer_norm.weight")
                chain.matrices(*(f"{part}.{attention}.{name}.weight" for name in "qkv"))
                chain.matrices(f"{part}.{attention}.o.weight")
            part = f"{block}.{len(attentions)}"
            gated = f"{part}.DenseReluDense.wi_0.weight" in state
            chain.vector(f"{part}.layer_norm.weight")
            chain.matrices(
                *(f"{part}.DenseReluDense.{name}.weight" for name in (("wi_0", "wi_1") if gated else ("wi",)))
            )
            chain.matrices(f"{part}.DenseReluDense.wo.weight")
        chain.vector(f"{stack}.final_layer_norm.weight")
    return chain.kept


def prune_bert(state: Weights, reduction: int, importance: Weights | None = None) -> dict[str, Tensor]:
    """Prune a BERT-like encoder: word embedding, then for every layer attention, feed-forward and their norms.

    Args, returns: as `prune_t5`; names without the task model's prefix ("bert.", "roberta.").

    Raises:
        InputError: the state dict is not that of a model with BERT's layer names.
    """
    prefix = bert_prefix(state)
    state = without_prefix(state, prefix)
    importance = None if importance is None else without_prefix(importance, prefix)
    chain = Chain(state, importance, reduction)
    chain.embedding("embeddings.word_embeddings.weight")
    for index in range(count_blocks(state, "encoder.layer.")):
        layer = f"encoder.layer.{index}"
        qkv = [f"{layer}.attention.self.{name}" for name in ("query", "key", "value")]
        for names in (
            qkv,
            [f"{layer}.attention.output.dense"],
            [f"{layer}.intermediate.dense"],
            [f"{layer}.output.dense"],
        ):
            chain.matrices(*(f"{name}.weight" for name in names), biases=[f"{name}.bias" for name in names])
            norm = names[0].removesuffix("dense") + "LayerNorm"
            if names[0].endswith("output.dense"):
                chain.vector(f"{norm}.weight", f"{norm}.bias")
    return chain.kept


def count_blocks(state: Weights, prefix: str) -> int:
    """Number of layers whose names start with `prefix` and an index."""
    return len({name[len(prefix) :].split(".")[0] for name in state if name.startswith(prefix)})


def bert_prefix(state: Weights) -> str:
    """What stands before `encoder.layer` in the names of a BERT-like model."""
    mark = "encoder.layer.0.attention.self.query.weight"
    for name in state:
        if name.endswith(mark):
            return name[: -len(mark)]
    raise InputError(
        "LST can start from a pruned backbone for T5 and for models with BERT's layer names (BERT, RoBERTa, "
        "XLM-RoBERTa, ELECTRA, CamemBERT). Use LSTConfig(init='random') for others."
    )


def without_prefix(state: Weights, prefix: str) -> dict[str, Tensor]:
    """The entries below `prefix`, without it."""
    return {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}


@torch.no_grad()
def _copy(target: nn.Module, pruned: Weights, prefix: str) -> None:
    for name, parameter in target.named_parameters():
        value = pruned.get(prefix + name)
        if value is None:
            continue
        if value.shape != parameter.shape:
            raise InputError(
                f"{prefix + name} was pruned to {list(value.shape)}, the side network holds {list(parameter.shape)}. "
                "Choose a reduction that divides the backbone's widths."
            )
        parameter.copy_(value)


def _check_layers(ladder: Ladder, layers: Sequence[int], available: int) -> None:
    if len(layers) != len(ladder.blocks) or any(not 0 < layer <= available for layer in layers):
        raise InputError(
            f"The side network has {len(ladder.blocks)} blocks: name the hidden state (1 to {available}) that feeds "
            f"each; got {list(layers)}."
        )


def start_from_bert(side: LST, state: Weights, layers: Sequence[int], importance: Weights | None = None) -> None:
    """Initialise the blocks of an LST from the pruned layers of a BERT-like backbone.

    Args:
        layers: number of the hidden state that feeds each block, in order (state i is the output of layer i, from 1).
        state, importance: as for `prune_bert`.

    Raises:
        InputError: another family of backbones, or shapes that the reduction does not divide.
    """
    pruned = prune_bert(state, side.config.reduction, importance)
    _check_layers(side, layers, count_blocks(pruned, "encoder.layer."))
    for block, layer in zip(side.blocks, layers, strict=True):
        _copy(block, pruned, f"encoder.layer.{layer - 1}.")


def start_from_t5(
    side: LSTT5,
    state: Weights,
    encoder_layers: Sequence[int],
    decoder_layers: Sequence[int],
    importance: Weights | None = None,
) -> None:
    """Initialise blocks, norms and position tables of an LSTT5 from the pruned backbone. Projections stay random.

    Args: as for `start_from_bert`, with the hidden states of both stacks.

    Raises:
        InputError: not a T5 encoder-decoder, or shapes that the reduction does not divide.
    """
    if "shared.weight" not in state:
        bert_prefix({})
    pruned = prune_t5(state, side.config.reduction, importance)
    for name, ladder, layers in (("encoder", side.encoder, encoder_layers), ("decoder", side.decoder, decoder_layers)):
        _check_layers(ladder, layers, count_blocks(pruned, f"{name}.block."))
        for block, layer in zip(ladder.blocks, layers, strict=True):
            _copy(block, pruned, f"{name}.block.{layer - 1}.")
        _copy(ladder.norm, pruned, f"{name}.final_layer_norm.")
    side.copy_position_bias(state)


@contextmanager
def _requiring_grad(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    before = [(parameter, parameter.requires_grad) for parameter in parameters]
    try:
        for parameter, _ in before:
            parameter.requires_grad_(True)
        yield
    finally:
        for parameter, flag in before:
            parameter.requires_grad_(flag)


def fisher_importance(
    model: nn.Module, batches: Iterable[Any], loss: Callable[[nn.Module, Any], Tensor]
) -> dict[str, Tensor]:
    """Empirical Fisher information: the sum over samples of the squared gradient of every weight.

    Args:
        model: the backbone with its task head. Its parameters require gradients during the call only; `.grad`, the
            training mode and the weights are left alone.
        batches: batches of ONE sample each (the published setting takes 1,024, shuffled).
        loss: gives the scalar loss of one batch.

    Returns:
        One tensor a parameter, under its name in `model.named_parameters(remove_duplicate=False)`.

    Raises:
        InputError: no batches, or a loss that is not one number.
    """
    named = dict(model.named_parameters())
    total = {name: torch.zeros_like(parameter) for name, parameter in named.items()}
    seen = 0
    with _requiring_grad(named.values()), torch.enable_grad():
        for batch in batches:
            value = loss(model, batch)
            if value.numel() != 1:
                raise InputError(f"The loss must be one number a batch; got shape {list(value.shape)}.")
            gradients = torch.autograd.grad(value.sum(), list(named.values()), allow_unused=True)
            for sums, gradient in zip(total.values(), gradients, strict=True):
                if gradient is not None:
                    sums += gradient.detach().square()
            seen += 1
    if not seen:
        raise InputError("Fisher information needs at least one batch of one sample; none came.")
    first = {id(parameter): name for name, parameter in named.items()}
    return {name: total[first[id(p)]] for name, p in model.named_parameters(remove_duplicate=False)}


def start_from_backbone(
    side: Ladder | EncoderDecoderSide,
    state: Weights,
    layers: Sequence[Sequence[int]],
    importance: Weights | None = None,
) -> None:
    """`start_from_bert` or `start_from_t5`, by the kind of side network.

    Args:
        layers: hidden states that feed the blocks: one list, or two (encoder, decoder) for an encoder-decoder.

    Raises:
        InputError: this side network or backbone cannot start from pruned weights.
    """
    if isinstance(side, LSTT5):
        start_from_t5(side, state, layers[0], layers[1], importance)
    elif isinstance(side, LST):
        start_from_bert(side, state, layers[0], importance)
    else:
        bert_prefix({})
