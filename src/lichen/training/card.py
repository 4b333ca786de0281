"""The model card of a training run: what it answers, how well, what it costs, how to use it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from ..memory import MIB
from .report import of_one_class


def run_card(settings: Mapping[str, Any], option: str = "") -> str:
    """Markdown with the hub's YAML header.

    Args:
        settings: contents of `lichen.json`.
        option: what `lichen predict` must be told beside the inputs.
    """
    parts: Mapping[str, Any] = settings["parts"]
    facts: Mapping[str, Any] = settings["facts"]
    bases = {name: part["fingerprint"]["model_id"] for name, part in parts.items()}
    public = [base for base in bases.values() if not _is_local(base) and not base.startswith("embedded:")]
    header = ["---", "library_name: lichen", f"tags: [lichen, frozen-backbone, {settings['task']}]"]
    header += [f"base_model: [{', '.join(sorted(set(public)))}]"] if public else []
    beside = " and ".join(sorted({_base(part) for part in parts.values()}))
    lines = [
        *header,
        "license: other",
        "license_name: as-base-model",
        "---",
        "",
        f"# {settings['task']} beside {beside}",
        "",
        f"{settings['trained_parameters']:,} trained parameters that read the hidden states of a frozen backbone. "
        "This folder holds side network and head only; the backbone is loaded separately and unchanged.",
        "",
        "```bash",
        " ".join(["lichen predict THIS_FOLDER INPUT…", *filter(None, [option]), "--draw answer.png"]),
        "lichen evaluate THIS_FOLDER",
        "```",
        "",
        *_metrics(facts.get("metrics", {})),
        "| | |",
        "|---|---|",
        *(f"| {name} | {part['side']['method']} beside {_base(part)} |" for name, part in parts.items()),
        *_rows(facts),
        "",
        "Backbones are told apart by a digest of their weights; another one is refused on loading:",
        "",
        *(
            f"- {name}: {part['fingerprint']['architecture']}, {part['fingerprint']['dtype']}, "
            f"`{part['fingerprint']['weights'][:16]}…`"
            for name, part in parts.items()
        ),
        "",
        "The backbone's licence applies to its weights; see its own card. Lichen is Apache-2.0.",
        "",
    ]
    return "\n".join(lines)


def _base(part: Mapping[str, Any]) -> str:
    base = part["fingerprint"]["model_id"]
    return str(part["fingerprint"]["architecture"] if _is_local(base) else base)


def _is_local(base: str) -> bool:
    """Whether a backbone is a folder. Its path means nothing elsewhere and may tell more than its owner wants."""
    return not base or base.startswith(("/", ".", "~")) or Path(base).is_dir()


def _metrics(metrics: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A table of the metrics by split, without those of single classes."""
    names = [name for name in dict.fromkeys(chain(*metrics.values())) if not of_one_class(name)]
    if not names:
        return []
    head = ["| metric | " + " | ".join(metrics) + " |", "|---|" + "---:|" * len(metrics)]
    rows = []
    for name in names:
        cells = [f"{values[name]:.4f}" if name in values else "–" for values in metrics.values()]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return [*head, *rows, ""]


def _rows(facts: Mapping[str, Any]) -> list[str]:
    """What the training was."""
    rows = [f"| {name} | {facts[name]:,} |" for name in ("examples", "steps") if facts.get(name) is not None]
    if facts.get("seconds") is not None:
        rows.append(f"| training | {facts['seconds']:.1f} s |")
    if facts.get("kept_bytes") is not None:
        rows.append(f"| kept for backward | {facts['kept_bytes'] / MIB:,.2f} MiB a batch |")
    return rows
