"""Accuracy of every method on sentence classification with a frozen MiniLM, at equal steps, several seeds.

    python benchmarks/text.py FOLDER [--steps 432] [--tune-steps 432] [--seeds 3] [--json FILE] [--markdown FILE]

FOLDER holds train.jsonl and dev.jsonl with {"text", "label"} on each line (such as SST-2). A tenth of the training side
is held out; each method tries the same number of learning rates on it with a seed of its own, and the best is then
trained with every seed on the rest. The test figures are from dev.jsonl, which takes no part in any choice.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

import lichen
from lichen.backbones.embedded import load_embedded_folder, load_processor
from lichen.memory import MIB
from lichen.training.compare import Contender, Score, draw_batches, score, train_together
from lichen.training.peers import lora

MAX_TOKENS = 64
RATES = (0.3, 1.0, 3.0)
"""Each method tries its rate times these."""
CONFIGS: dict[str, tuple[Any, float]] = {
    "UniPT, reduction 2": (lichen.UniPTConfig(reduction=2), 1e-3),
    "UniPT, reduction 8": (lichen.UniPTConfig(reduction=8), 1e-3),
    "SHERL, one late layer": (lichen.SHERLConfig(), 1e-3),
    "LST, reduction 8": (lichen.LSTConfig(), 4e-3),
    "Pooled": (lichen.PooledConfig(), 2e-3),
    "Probe": (lichen.ProbeConfig(), 3e-2),
}
LORA = "LoRA r=8, all layers"
PEERS: dict[str, float] = {LORA: 3e-3, "LoRA r=8, last layer": 5e-3, "full fine-tuning": 1e-4}


@dataclass
class Data:
    """Tokens, labels and stored hidden states of all samples."""

    ids: list[list[int]]
    labels: Tensor
    train: Tensor
    test: Tensor
    states: list[Tensor]
    """One (states, tokens, width) tensor a sample."""
    pooled: Tensor

    def inputs(self, rows: Tensor) -> dict[str, Any]:
        """Padded tokens, mask and labels."""
        parts = [torch.tensor(self.ids[row]) for row in rows.tolist()]
        ids = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)
        mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(part) for part in parts], batch_first=True)
        return {"input_ids": ids, "attention_mask": mask, "labels": self.labels[rows]}

    def stored(self, rows: Tensor) -> dict[str, Any]:
        """The same samples as stored features."""
        parts = [self.states[row] for row in rows.tolist()]
        longest = max(part.shape[1] for part in parts)
        block = parts[0].new_zeros(len(parts[0]), len(parts), longest, parts[0].shape[2])
        mask = torch.zeros(len(parts), longest, dtype=torch.bool)
        for index, part in enumerate(parts):
            block[:, index, : part.shape[1]] = part
            mask[index, : part.shape[1]] = True
        states = tuple(block.unbind(0))
        features = lichen.Features(
            states, states[-1], mask, pooled=self.pooled[rows], indices=tuple(range(len(states)))
        )
        return {"features": features, "labels": self.labels[rows]}


def load_data(folder: Path, backbone: lichen.Backbone) -> Data:
    """Read a data set and pass all of it through the backbone once."""
    sides = []
    for name in ("train", "dev"):
        with (folder / f"{name}.jsonl").open(encoding="utf-8") as lines:
            sides.append([json.loads(line) for line in lines])
    rows = [row for side in sides for row in side]
    names = sorted({row["label"] for row in rows})
    labels = torch.tensor([names.index(row["label"]) for row in rows])
    ids = load_processor("minilm")([row["text"] for row in rows], truncation=True, max_length=MAX_TOKENS)["input_ids"]
    data = Data(ids, labels, torch.arange(len(sides[0])), torch.arange(len(sides[0]), len(rows)), [], torch.empty(0))
    # Sentences of like length share a batch, so that little padding is computed.
    order = torch.tensor(sorted(range(len(ids)), key=lambda row: len(ids[row])))
    states: dict[int, Tensor] = {}
    pooled = torch.empty(len(ids), backbone.widths()[-1])
    for part in order.split(64):
        batch = data.inputs(part)
        batch.pop("labels")
        features = backbone(**batch)
        assert features.pooled is not None
        pooled[part] = features.pooled
        for index, row in enumerate(part.tolist()):
            states[row] = torch.stack([state[index, : len(ids[row])] for state in features.states])
    data.states = [states[row] for row in range(len(ids))]
    data.pooled = pooled
    return data


def build(method: str, rate: float, data: Data, classes: int, seed: int) -> Contender:
    """A fresh contender. Side networks learn from stored features, the others run the backbone in every step."""
    torch.manual_seed(seed)
    folder = load_embedded_folder("minilm")
    model: Any = transformers.AutoModelForSequenceClassification.from_pretrained(folder, num_labels=classes)
    if method in CONFIGS:
        return Contender(method, lichen.attach(model, CONFIGS[method][0]), data.stored, rate)
    if method != "full fine-tuning":
        last = model.config.num_hidden_layers - 1
        model = lora(model, layers=[last] if "last" in method else None)
    return Contender(method, model, data.inputs, rate)


def run(
    methods: dict[str, float], data: Data, train: Tensor, test: Tensor, steps: int, size: int, seed: int
) -> list[Score]:
    """Train the methods together with one seed and score them on `test`."""
    classes = int(data.labels.max()) + 1
    contenders = [build(method, rate, data, classes, seed) for method, rate in methods.items()]
    batches = draw_batches(train, size, steps, seed)
    started = time.perf_counter()
    train_together(contenders, batches, lambda step: _tell(step, steps, started))
    return [score(contender, test, data.labels, data.inputs(batches[0])) for contender in contenders]


def _tell(step: int, steps: int, started: float) -> None:
    if step % 20 == 0 or step == steps:
        spent = time.perf_counter() - started
        print(f"\r  step {step} of {steps}, {spent:.0f} s", end="\n" if step == steps else "", file=sys.stderr)


def choose_rates(data: Data, steps: int, size: int, wanted: list[str]) -> dict[str, float]:
    """The best of the same number of learning rates for each method, on samples held out from the training side."""
    held, kept = data.train[::10], data.train[torch.arange(len(data.train)) % 10 != 0]
    base = {**{name: rate for name, (_, rate) in CONFIGS.items()}, **PEERS}
    best: dict[str, tuple[float, float]] = {}
    for factor in RATES:
        rates = {name: base[name] * factor for name in wanted}
        for result in run(rates, data, kept, held, steps, size, seed=1000):
            print(f"    {result.name}: rate {rates[result.name]:.2g} → {100 * result.accuracy:.1f}", file=sys.stderr)
            best[result.name] = max(best.get(result.name, (0.0, 0.0)), (result.accuracy, rates[result.name]))
    return {name: rate for name, (_, rate) in best.items()}


def table(results: list[list[Score]], rates: dict[str, float]) -> str:
    """Markdown: one row a method, mean and standard deviation over seeds."""
    rows = [
        "| method | trained parameters | kept, MiB | step / LoRA step | training, s | accuracy, % | learning rate |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    base = next(
        (statistics.mean(score.step_seconds for score in runs) for runs in results if runs[0].name == LORA), None
    )
    for runs in results:
        first = runs[0]
        spread = statistics.stdev(run.accuracy for run in runs) if len(runs) > 1 else 0.0
        ratio = "" if base is None else f"{statistics.mean(run.step_seconds for run in runs) / base:.3f}"
        rows.append(
            f"| {first.name} | {first.trained_parameters:,} | {first.kept_bytes / MIB:.2f} | {ratio} "
            f"| {statistics.mean(run.seconds for run in runs):.1f} "
            f"| {100 * statistics.mean(run.accuracy for run in runs):.2f} ± {100 * spread:.2f} "
            f"| {rates[first.name]:.2g} |"
        )
    return "\n".join(rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with train.jsonl and dev.jsonl")
    parser.add_argument("--steps", type=int, default=432)
    parser.add_argument(
        "--tune-steps", type=int, default=None, help="steps of each learning-rate trial; default --steps"
    )
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=[*CONFIGS, *PEERS], default=[*CONFIGS, *PEERS])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    started = time.perf_counter()
    data = load_data(options.folder, lichen.Backbone.from_pretrained("embedded:minilm"))
    read = time.perf_counter() - started
    print(f"read the backbone once over {len(data.ids):,} texts: {read:.1f} s", file=sys.stderr)
    tune = options.tune_steps or options.steps
    rates = choose_rates(data, tune, options.batch, options.only)
    scores = [
        run(rates, data, data.train, data.test, options.steps, options.batch, seed) for seed in range(options.seeds)
    ]
    text = table([list(column) for column in zip(*scores, strict=True)], rates)
    error = 100 * (0.85 * 0.15 / len(data.test)) ** 0.5
    text += (
        f"\n\n{options.folder.name}: {len(data.train):,} training and {len(data.test):,} test texts, {options.steps} "
        f"steps of {options.batch} (learning rates chosen at {tune} steps), seeds 0 to {options.seeds - 1} (± standard "
        f"deviation over seeds; standard error of the test about {error:.1f}). Side networks train from hidden states "
        f"that one pass of {read:.0f} s stored; SHERL's late layer runs in every step. {torch.get_num_threads()} CPU "
        f"threads, torch {torch.__version__.split('+')[0]}.\n"
    )
    print(text)
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")
    if options.json:
        values = [[each.to_dict() for each in runs] for runs in scores]
        options.json.write_text(json.dumps({"rates": rates, "seeds": values}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
