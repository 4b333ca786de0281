"""Reading speed of the FeatureStore beside a bare numpy.memmap of the same bytes, in one run.

    python benchmarks/store.py [--codecs float32 int8 …] [--workers 0 2] [--seconds 3] [--text 1200] [--pictures 48]

Two stores are made in a temporary folder: texts of 8 to 64 tokens, 7 states of width 384 (the shape of MiniLM-L6), and
pictures, 13 states of 197 tokens of width 768 (ViT-B/16). The models do next to nothing: only the shape of the features
matters here, and `made in` is the writer's own time, digests and fsync included.

The baseline copies the same batches out of a flat numpy.memmap of the stored bytes into one buffer that is allocated
once, sample by sample, with nothing checked and (for a codec) nothing decoded. Rounds alternate; `of memmap` is the
ratio of the medians of the time for one pass over all samples: by the clock, and by the CPU seconds of this process,
which a busy machine does not distort (with worker processes only the clock tells; it starts when the first batch is
there, since processes take a tenth of a second to start). The first round does not count, so both sides read from the
page cache. Needs about 1 GB of disk.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn
from transformers.modeling_outputs import BaseModelOutput

from lichen.backbones.backbone import Backbone
from lichen.features.config import CODECS, StoreConfig
from lichen.features.loader import plan_batches
from lichen.features.record import shard_name
from lichen.features.shards import MappedFile
from lichen.features.store import FeatureStore

GB = 1e9
BATCH = 32
TARGET = 0.7


class Texts(Sequence[Any]):
    """Random texts of uneven lengths."""

    def __init__(self, count: int) -> None:
        lengths = np.random.default_rng(0).integers(8, 65, count).tolist()
        self.items = [torch.arange(length) + 5 for length in lengths]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, row: Any) -> dict[str, torch.Tensor]:
        return {"input_ids": self.items[row], "attention_mask": torch.ones_like(self.items[row])}


class Pictures(Sequence[Any]):
    """Random pictures of 224 x 224."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: Any) -> dict[str, torch.Tensor]:
        return {"pixel_values": torch.randn(3, 224, 224, generator=torch.Generator().manual_seed(row))}


class Layer(nn.Module):
    """Changes a hidden state at next to no cost."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.randn(width))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden + self.shift


class TextShape(transformers.PreTrainedModel):
    """Leaves what MiniLM-L6 leaves, in shape."""

    config_class = transformers.BertConfig

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config.hidden_size) for _ in range(config.num_hidden_layers))
        self.post_init()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, return_dict: bool = True) -> Any:
        hidden = self.embeddings(input_ids)
        for layer in self.layers:
            hidden = layer(hidden)
        return BaseModelOutput(last_hidden_state=hidden)


class PictureShape(transformers.PreTrainedModel):
    """Leaves what ViT-B/16 leaves, in shape: its patches hold as many numbers as its states are wide."""

    config_class = transformers.ViTConfig
    main_input_name = "pixel_values"

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.layers = nn.ModuleList(Layer(config.hidden_size) for _ in range(config.num_hidden_layers))
        self.post_init()

    def forward(self, pixel_values: torch.Tensor, return_dict: bool = True) -> Any:
        patches = nn.functional.unfold(pixel_values, self.config.patch_size, stride=self.config.patch_size).mT
        hidden = torch.cat([patches.mean(1, keepdim=True), patches], 1)
        for layer in self.layers:
            hidden = layer(hidden)
        return BaseModelOutput(last_hidden_state=hidden)


def text_backbone() -> Backbone:
    """7 states of width 384."""
    return Backbone(TextShape(transformers.BertConfig(hidden_size=384, num_hidden_layers=6, vocab_size=200)))


def picture_backbone() -> Backbone:
    """13 states of 197 tokens of width 768."""
    return Backbone(PictureShape(transformers.ViTConfig()))


Run = Callable[[list[np.ndarray]], float | None]
"""Reads batches of rows; may give the seconds that it took by itself."""


def raw_copy(store: FeatureStore, path: Path) -> tuple[np.memmap, np.ndarray]:
    """The stored cells of all samples in one flat file, and where each sample's begin, in cells."""
    begins, place = [], 0
    record, packing = store.record, store._reader.packing
    with path.open("wb") as file:
        for number in range(record.shards):
            data = MappedFile(store.folder / shard_name(number)).arrays["data"]
            rows = record.rows_of(number)
            begins.append(place + store._reader.starts[rows.start : rows.stop] * packing.per_unit)
            place += data.size
            data.tofile(file)
            dtype = data.dtype
    return np.memmap(path, dtype, "r"), np.concatenate(begins)


def bare(store: FeatureStore, raw: np.memmap, begins: np.ndarray) -> Run:
    """Copies batches out of a memmap into one buffer, sample by sample."""
    (field,) = store._reader.packing.fields
    states, cells = field.count, field.cells
    longest = int(store.lengths.max())
    buffer = np.zeros((states, BATCH, longest, cells), raw.dtype)

    def run(batches: list[np.ndarray]) -> None:
        for rows in batches:
            counts = store.lengths[rows].tolist()
            for place, (begin, count) in enumerate(zip(begins[rows].tolist(), counts, strict=True)):
                block = raw[begin : begin + states * count * cells]
                buffer[:, place, :count] = block.reshape(states, count, cells)

    return run


def loaded(store: FeatureStore, workers: int) -> Run:
    """Takes all batches of the store's loader, in the same order as `bare`.

    With workers it gives the seconds of a pass by itself: from the first batch on, over four passes in one.
    """
    rows = np.tile(store.usable, 4 if workers else 1)

    def run(batches: list[np.ndarray]) -> float | None:
        first, later = 0.0, 0
        for numbers, _features in store.loader(rows, BATCH, shuffle=True, workers=workers):
            later += int(store.lengths[numbers.numpy()].sum()) if first else 0
            first = first or time.perf_counter()
        taken = time.perf_counter() - first
        return taken * int(store.lengths.sum()) / later if workers else None

    return run


def direct(store: FeatureStore) -> Run:
    """The same batches by `store[rows]`, without a loader."""

    def run(batches: list[np.ndarray]) -> None:
        for rows in batches:
            store[rows]

    return run


Times = tuple[float, float]
"""Seconds by the clock and of the CPU."""


def race(runs: dict[str, Run], store: FeatureStore, seconds: float) -> dict[str, Times]:
    """Medians for one pass over all samples, rounds alternating."""
    batches = plan_batches(store.usable, store.lengths[store.usable], BATCH, shuffle=True)
    times: dict[str, list[Times]] = {name: [] for name in runs}
    end = time.perf_counter() + seconds * len(runs)
    while time.perf_counter() < end or len(next(iter(times.values()))) < 4:
        for name, run in runs.items():
            start, used = time.perf_counter(), time.process_time()
            own = run(batches)
            times[name].append((own or time.perf_counter() - start, time.process_time() - used))
    # The first round of each touches fresh pages.
    return {
        name: (statistics.median(wall for wall, _ in found[1:]), statistics.median(cpu for _, cpu in found[1:]))
        for name, found in times.items()
    }


def measure(kind: str, options: argparse.Namespace, folder: Path) -> list[str]:
    """Lines of the table for one shape of features."""
    backbone = text_backbone() if kind == "text" else picture_backbone()
    dataset = Texts(options.text) if kind == "text" else Pictures(options.pictures)
    lines = []
    for codec in options.codecs:
        where = folder / f"{kind}-{codec}"
        config = StoreConfig(codec=codec, shard=256 if kind == "text" else 16)
        start = time.perf_counter()
        store = FeatureStore.build(backbone, dataset, where, config, batch=32 if kind == "text" else 8)
        wrote = time.perf_counter() - start
        raw, begins = raw_copy(store, folder / "raw.bin")
        decoded = 4 * int(store.lengths.sum()) * sum(shape[0] for shape in store.record.shapes)
        for workers in options.workers:
            runs = {"bare": bare(store, raw, begins), "direct": direct(store), "loader": loaded(store, workers)}
            if workers:
                del runs["direct"]
            found = race(runs, store, options.seconds)
            ways = [name for name in ("direct", "loader") if name in found]
            wall, cpu = found["bare"]
            lines += [
                f"| {kind} | {codec} | {'store[rows]' if way == 'direct' else f'loader, {workers} workers'} "
                f"| {store.nbytes / GB:.3f} | {wrote:.1f} | {decoded / GB / found[way][0]:.2f} "
                f"| {raw.nbytes / GB / found[way][0]:.2f} | {raw.nbytes / GB / wall:.2f} "
                f"| {wall / found[way][0]:.2f} | {'–' if workers else f'{cpu / found[way][1]:.2f}'} |"
                for way in ways
            ]
            print("\n".join(lines[-len(ways) :]), flush=True)
        del raw
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codecs", nargs="*", choices=CODECS, default=list(CODECS))
    parser.add_argument("--workers", nargs="*", type=int, default=[0, 2], help="worker processes of the loader")
    parser.add_argument("--seconds", type=float, default=3.0, help="time for each way of reading")
    parser.add_argument("--text", type=int, default=1200, help="texts; about 0.4 MB each in float32")
    parser.add_argument("--pictures", type=int, default=48, help="pictures; 7.9 MB each in float32")
    parser.add_argument("--only", choices=("text", "pictures"), nargs="*", default=["text", "pictures"])
    options = parser.parse_args()
    torch.manual_seed(0)
    print(
        "| features | codec | way | GB | made in, s | float32 GB/s | stored GB/s | memmap GB/s | of memmap | by CPU |"
    )
    print("|---|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for kind in options.only:
        with tempfile.TemporaryDirectory() as folder:
            measure(kind, options, Path(folder))
    print(f"goal: float32 at {TARGET:.2f} or more (torch {torch.__version__}, {torch.get_num_threads()} threads)")


if __name__ == "__main__":
    main()
