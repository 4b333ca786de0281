"""Bytes kept for backward by each way of adapting three backbones, side by side on one batch.

    python benchmarks/memory.py [--json FILE] [--markdown FILE] [--readme FILE] [--only vit-base …]

Exact and repeatable on a CPU: it counts unique storages that autograd saves, parameters and buffers excluded. Weights
are random (the count does not depend on them), so nothing is downloaded. LoRA is PEFT's, r = 8 on queries and values.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

import lichen
from lichen.memory import MIB, MemoryReport, memory_report
from lichen.side.config import SideConfig
from lichen.training.comparing.peers import lora

NUM_LABELS = 10
NOTE = (
    "Gradient checkpointing keeps the input of every layer only, runs each layer a second time, and then holds that "
    "one layer's activations on top of what is counted here."
)
Batch = dict[str, torch.Tensor]


def vit_base() -> tuple[Any, Batch]:
    """ViT-B/16 classifier, 8 pictures of 224 x 224."""
    model = transformers.ViTForImageClassification(transformers.ViTConfig(num_labels=NUM_LABELS))
    return model, {"pixel_values": torch.randn(8, 3, 224, 224), "labels": torch.arange(8)}


def _text(config: transformers.BertConfig) -> tuple[Any, Batch]:
    model = transformers.BertForSequenceClassification(config)
    ids = torch.randint(1000, 2000, (16, 128))
    return model, {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.arange(16) % NUM_LABELS}


def bert_base() -> tuple[Any, Batch]:
    """BERT-base classifier, 16 texts of 128 tokens."""
    return _text(transformers.BertConfig(num_labels=NUM_LABELS))


def minilm() -> tuple[Any, Batch]:
    """MiniLM-L6 classifier (the shape of embedded:minilm), 16 texts of 128 tokens."""
    return _text(
        transformers.BertConfig(
            hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536, num_labels=NUM_LABELS
        )
    )


BACKBONES: dict[str, Callable[[], tuple[Any, Batch]]] = {
    "vit-base": vit_base,
    "bert-base": bert_base,
    "minilm": minilm,
}
SIDES: dict[str, SideConfig] = {
    "UniPT, reduction 2": lichen.UniPTConfig(reduction=2),
    "UniPT, reduction 8": lichen.UniPTConfig(reduction=8),
    "UniPT, reduction 8, int8": lichen.UniPTConfig(reduction=8, keep="int8"),
    "SHERL, one late layer": lichen.SHERLConfig(),
    "LST, reduction 8": lichen.LSTConfig(),
    "Pooled": lichen.PooledConfig(),
    "Probe": lichen.ProbeConfig(),
}


def checkpointed(model: Any) -> Any:
    """LoRA with gradient checkpointing: less memory for more time."""
    model = lora(model)
    # Reentrant: its stored inputs are saved tensors, so the count sees them. It needs an input that requires gradients.
    model.enable_input_require_grads()
    model.gradient_checkpointing_enable({"use_reentrant": True})
    return model


def peers(layers: int) -> dict[str, Callable[[Any], Any]]:
    """What the side networks are compared with."""
    return {
        "full fine-tuning": lambda model: model,
        "LoRA r=8, all layers": lora,
        "LoRA r=8, gradient checkpointing": checkpointed,
        "LoRA r=8, last layer": lambda model: lora(model, layers=[layers - 1]),
        "LoRA r=8, last two layers": lambda model: lora(model, layers=[layers - 2, layers - 1]),
    }


def measure(name: str, build: Callable[[], tuple[Any, Batch]]) -> dict[str, MemoryReport]:
    """Reports of all methods on one backbone, by method."""
    reports: dict[str, MemoryReport] = {}
    torch.manual_seed(0)
    layers = build()[0].config.num_hidden_layers
    makers: dict[str, Callable[[Any], Any]] = dict(peers(layers))
    makers |= {method: lambda model, config=config: lichen.attach(model, config) for method, config in SIDES.items()}
    for method, make in makers.items():
        torch.manual_seed(0)
        model, batch = build()
        print(f"{name}: {method} …", file=sys.stderr)
        reports[method] = memory_report(make(model), batch)
    return reports


def table(name: str, text: str, reports: dict[str, MemoryReport]) -> str:
    """A Markdown table of one backbone."""
    base = reports["LoRA r=8, all layers"].kept_bytes
    rows = [
        f"**{text}** ({name})",
        "",
        "| method | trained parameters | kept for backward, MiB | of LoRA's |",
        "|---|---:|---:|---:|",
    ]
    for method, report in reports.items():
        share = 100 * report.kept_bytes / base
        kept = report.kept_bytes / MIB
        rows.append(f"| {method} | {report.trained_parameters:,} | {kept:,.1f} | {share:.1f} % |")
    return "\n".join(rows)


def describe(name: str) -> str:
    """What is measured on a backbone, in words."""
    return (BACKBONES[name].__doc__ or "").rstrip(".")


def insert(path: Path, tables: dict[str, str]) -> None:
    """Replace what stands between a file's marks by tables."""
    text = path.read_text("utf-8")
    for name, content in tables.items():
        pattern = rf"(<!-- memory: {name} -->\n).*?(<!-- /memory -->)"
        text = re.sub(pattern, lambda match, content=content: f"{match[1]}{content}\n{match[2]}", text, flags=re.DOTALL)
    path.write_text(text, encoding="utf-8")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    parser.add_argument(
        "--readme", type=Path, help="put each table between its <!-- memory: NAME --> marks in this file"
    )
    parser.add_argument("--only", nargs="*", choices=BACKBONES, default=list(BACKBONES), help="backbones to measure")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    results = {name: measure(name, BACKBONES[name]) for name in options.only}
    tables = [table(name, describe(name), reports) for name, reports in results.items()]
    versions = f"torch {torch.__version__.split('+')[0]}, transformers {transformers.__version__}"
    text = "\n\n".join([*tables, f"{NOTE} Measured with {versions}, on a CPU.\n"])
    print(text)
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")
    if options.readme:
        insert(options.readme, {name: table(name, describe(name), reports) for name, reports in results.items()})
    if options.json:
        values = {name: {method: report.to_dict() for method, report in each.items()} for name, each in results.items()}
        options.json.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
