"""What a transformers task model is made of: frozen trunks, and the heads that are trained beside a side network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from ...backbones.describe import describe
from ...backbones.parts import parts_of, projection_of
from ...backbones.trunk import Trunk
from ...errors import InputError

TOKEN_TASKS = ("ForTokenClassification", "ForQuestionAnswering")


@dataclass(frozen=True)
class Anatomy:
    """Parts of one task model, by name."""

    paths: dict[str, str]
    """Part to dotted path of its trunk: "backbone"; or "vision" and "text"; or "encoder" and "decoder"."""
    trunks: dict[str, Trunk]
    """Part to trunk."""
    heads: tuple[str, ...]
    """Attributes of the model that a task trains; language-model heads are not among them."""
    projections: dict[str, str]
    """Tower to the attribute that projects its pooled output into a joint space."""
    embeds: dict[str, int]
    """Tower to the width of that joint space."""
    needs_tokens: bool
    """True where the head reads every token, so one vector a sample is not enough."""

    @property
    def kind(self) -> Literal["single", "towers", "encoder-decoder"]:
        """How the trunks belong together."""
        if "decoder" in self.paths:
            return "encoder-decoder"
        return "towers" if "vision" in self.paths else "single"


def dissect(model: Any) -> Anatomy:
    """Find trunks and heads of a transformers task model.

    Raises:
        InputError: not a transformers model, or one without layers or heads that Lichen can work with.
    """
    if not isinstance(model, nn.Module) or not hasattr(model, "config") or not hasattr(model, "base_model"):
        raise InputError(
            "attach() takes a transformers model such as AutoModelForSequenceClassification; "
            f"got {type(model).__name__}."
        )
    root: Any = model
    paths = parts_of(root)
    trunks = {part: describe(root.get_submodule(path)) for part, path in paths.items()}
    if "" in paths.values():
        raise InputError(
            f"{type(model).__name__} is a bare backbone without a task head. Load it with an AutoModelFor… class, "
            "or use lichen.Backbone and a side network directly."
        )
    language_head = root.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    projections = {part: path for part in paths if (path := projection_of(model, part)) is not None}
    frozen = {path.split(".")[0] for path in (*paths.values(), *projections.values())}
    heads = tuple(
        name
        for name, child in model.named_children()
        if name not in frozen
        and name != "shared"
        and any(True for _ in child.parameters())
        and not (language_head is not None and any(module is language_head for module in child.modules()))
    )
    needs_tokens = language_head is not None or type(model).__name__.endswith(TOKEN_TASKS)
    embeds = {part: root.get_submodule(path).out_features for part, path in projections.items()}
    return Anatomy(paths, trunks, heads, projections, embeds, needs_tokens)
