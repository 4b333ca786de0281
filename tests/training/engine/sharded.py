"""Two processes train a network under DDP or FSDP; what they save goes on bit for bit. Run by a launcher."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from torch.optim import AdamW, Optimizer

from lichen.training.engine.resume import load_optimiser, load_weights, optimiser_state, save_weights, weights_of
from lichen.training.engine.trees import read_tree, write_tree


def make(kind: str) -> tuple[nn.Module, Optimizer]:
    torch.manual_seed(0)
    model: nn.Module = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 4))
    model.register_buffer("count", torch.zeros(()))
    if kind == "fsdp":
        fully_shard(model)
    elif kind == "ddp":
        model = DistributedDataParallel(model)
    flat = [value for value in model.parameters() if value.ndim == 1]
    deep = [value for value in model.parameters() if value.ndim > 1]
    return model, AdamW([{"params": deep, "weight_decay": 0.1}, {"params": flat, "weight_decay": 0.0}], lr=0.1)


def step(model: nn.Module, optimiser: Optimizer, number: int) -> None:
    inputs = torch.randn(8, 6, generator=torch.Generator().manual_seed(number))
    optimiser.zero_grad()
    model(inputs.chunk(2)[dist.get_rank()]).square().mean().backward()
    optimiser.step()


def main(kind: str, folder: Path) -> None:
    dist.init_process_group("gloo")
    straight, optimiser = make(kind)
    for number in range(3):
        step(straight, optimiser, number)
    weights, state = weights_of(straight), optimiser_state(straight, optimiser)
    if dist.get_rank() == 0:
        save_weights(weights, folder)
        write_tree(folder, "optimizer", state)
    dist.barrier()
    resumed, other = make(kind)
    load_weights(resumed, folder)
    load_optimiser(resumed, other, read_tree(folder, "optimizer"))
    for number in range(3, 6):
        step(straight, optimiser, number)
        step(resumed, other, number)
    ends = weights_of(straight), weights_of(resumed)
    if dist.get_rank() == 0:
        if len(ends[0]) != 7 or any(not torch.equal(value, ends[1][name]) for name, value in ends[0].items()):
            raise SystemExit("resumed differs from straight")
        # A plain model takes what was saved whole.
        load_weights(make("plain")[0], folder)
    dist.destroy_process_group()


main(sys.argv[1], Path(sys.argv[2]))
