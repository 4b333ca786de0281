"""What captions are worth that nobody wrote for a picture: a baseline for recipes that learn captions.

    python benchmarks/nearest_captions.py coco-captions --data FOLDER [--set KEY=VALUE …]

Every test picture gets the first caption of the training picture whose frozen features are nearest (the mean over the
tokens of each backbone, standardised over the training side, joined; by cosine); and, below that, the first caption of
a training picture drawn by chance. Same pictures, same references and same metric as the recipe's own test figure.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lichen.metrics.captions import caption_scores
from lichen.side.fit import reading_of
from lichen.training.pipeline import Prepared, prepare
from lichen.training.recipe import load_recipe

BATCH = 64
SCORES = ("cider", "bleu", "rouge_l")


def vectors(prepared: Prepared, rows: Sequence[int]) -> Tensor:
    """One vector a picture: the means of all backbones' tokens, joined."""
    found = []
    for part, source in prepared.sources.items():
        layers = reading_of(prepared.recipe.sides[part], source.outline).stored
        parts = []
        for some in torch.tensor(rows).split(BATCH):
            final = source.features(some, layers).final.float()
            parts.append(final.flatten(2).mean(2) if final.ndim == 4 else final.mean(1))
        found.append(torch.cat(parts))
    return torch.cat([normalize(each, dim=1) for each in found], 1)


def main() -> int:
    """Find neighbours and print the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--data", type=Path, help="where relative paths of the recipe's [data] start")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args()
    prepared = prepare(load_recipe(args.recipe, args.changes, root=args.data))
    dataset = prepared.dataset
    train, test = dataset.rows("train"), dataset.rows("test")
    known, asked = vectors(prepared, train), vectors(prepared, test)
    mean, spread = known.mean(0), known.std(0).clamp(min=1e-6)
    likeness = normalize((asked - mean) / spread, dim=1) @ normalize((known - mean) / spread, dim=1).T
    references = [dataset.scenes[row].captions for row in test]
    by_chance = torch.randint(len(train), (len(test),), generator=torch.Generator().manual_seed(0))
    print(f"| captions of {len(test)} pictures | {' | '.join(SCORES)} |\n|---|{'---:|' * len(SCORES)}")
    for name, places in (
        ("of the nearest training picture", likeness.argmax(1)),
        ("of one drawn by chance", by_chance),
    ):
        said = [dataset.scenes[train[place]].captions[0] for place in places.tolist()]
        scores = caption_scores(said, references, SCORES)
        shown = [100 * scores["cider"], 100 * scores["bleu_4"], 100 * scores["rouge_l"]]
        print(f"| {name} | {' | '.join(f'{value:.1f}' for value in shown)} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
