"""Pairs for the tests of the losses. As a script: one process of two, which writes its loss and gradients.

python pairs.py FOLDER RANK SIZE0 SIZE1
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch import Tensor

from lichen.backbones.features import Features
from lichen.heads.contrastive import Contrastive, Triplet, TwoTower
from lichen.heads.embedder import Embedder
from lichen.heads.given import Given
from lichen.heads.summary import Summary

GROUP = torch.tensor([0, 1, 2, 1, 3, 0])
"""Captions of one picture stand in both processes."""
SIZES = ((3, 3), (4, 2))
"""How the six pairs are shared out between two processes."""
LOSSES = ("contrastive", "triplet")


def embeddings(seed: int, rows: int) -> Tensor:
    """Vectors of length one in float64."""
    x = torch.randn(rows, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x / x.norm(dim=1, keepdim=True)


def part(name: str) -> Features:
    """Six pictures or six texts."""
    random = torch.Generator().manual_seed(len(name))
    return Features((), torch.randn(6, 5, 8, generator=random, dtype=torch.float64))


def build(loss: str) -> TwoTower:
    """The same small head in every process."""
    torch.manual_seed(0)
    embedders = {name: Embedder(Summary(Given("tokens", 8)), 4) for name in ("image", "text")}
    return TwoTower(embedders, Contrastive() if loss == "contrastive" else Triplet()).double()


def main(folder: Path, rank: int) -> None:
    """Take this process's rows, make the loss with the other process, write what came out."""
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=2)
    results = {}
    for sizes in SIZES:
        rows = slice(sum(sizes[:rank]), sum(sizes[: rank + 1]))
        for name in LOSSES:
            head, key = build(name), f"{name} {sizes[0]}"
            features = {name: part(name)[rows] for name in ("image", "text")}
            loss = head(features, {"group": GROUP[rows]})["loss"]
            loss.backward()
            results |= {f"{key} {parameter}": value.grad for parameter, value in head.named_parameters()}
            results[f"{key} loss"] = loss.detach()
            if rank == 0:
                # Would hang if an evaluation waited for the other process.
                results[f"{key} alone"] = head.eval()(features, {"group": GROUP[rows]})["loss"].detach()
    save_file(results, folder / f"{rank}.safetensors")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
