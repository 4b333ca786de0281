"""The model card of a saved side network: what it is, what it needs, how to load it."""

from __future__ import annotations

from typing import Any

from ...memory import MIB

_CLASSES = {"unipt": "UniPT", "sherl": "SHERL", "lst": "LST", "probe": "linear probe", "pooled": "pooled side network"}


def model_card(settings: dict[str, Any]) -> str:
    """Markdown with the hub's YAML header.

    Args:
        settings: contents of `lichen.json`.
    """
    backbone, side = settings["backbone"], settings["side"]
    base = backbone["model_id"]
    # A local path means nothing elsewhere and may tell more than its owner wants.
    is_hub = bool(base) and not base.startswith(("/", ".", "~")) and base.count("/") <= 1
    header = ["---", "library_name: lichen", "tags: [lichen, side-network, frozen-backbone]"]
    if is_hub and not base.startswith("embedded:"):
        header.append(f"base_model: {base}")
    header += ["license: other", "license_name: as-base-model", "---", ""]
    method = _CLASSES.get(side["method"], side["method"])
    options = "\n".join(f"| {key} | `{value}` |" for key, value in sorted(side.items()) if key != "method")
    kept = settings["kept"]
    memory = (
        f"{kept['bytes']:,} bytes ({kept['bytes'] / MIB:,.2f} MiB) on the first training batch, shapes {kept['batch']}."
        if kept
        else "not measured: this side network was saved before a training step. "
        "`model.print_trainable_parameters(batch)` measures it."
    )
    labels = ", ".join(settings["id2label"].values()) if settings["heads"] else ""
    source = repr(base) if is_hub else "…"
    imports = ["import lichen, transformers"]
    if base.startswith("embedded:"):
        imports.append("from lichen.backbones.embedded import load_embedded_folder")
        source = f"load_embedded_folder({base.removeprefix('embedded:')!r})"
    lines = [
        f"# {method} beside {base if is_hub else backbone['architecture']}",
        "",
        f"A {method} trained with Lichen on the frozen hidden states of a `{settings['model_class']}`. "
        "This folder holds the side network and the task head only; the backbone is loaded separately and unchanged.",
        "",
        "```python",
        *imports,
        f"model = transformers.{settings['model_class']}.from_pretrained({source}"
        + (f", num_labels={settings['num_labels']})" if settings["heads"] else ")"),
        'model = lichen.load(model, "this folder")',
        "```",
        "",
        f"- **Trained parameters:** {settings['trained_parameters']:,}",
        f"- **Kept for backward:** {memory}",
        *([f"- **Labels:** {labels}"] if labels else []),
        f"- **Backbone:** {backbone['architecture']}, {backbone['dtype']}, "
        f"weights SHA-256 `{backbone['weights'][:16]}…`; another one is refused on loading.",
        "- **Licence:** the backbone's licence applies to its weights; see its own card. Lichen is Apache-2.0.",
        "",
        "| setting | value |",
        "|---|---|",
        options,
        "",
    ]
    return "\n".join([*header, *lines])
