"""What a trained `ground` run must beat, on its own test side: same boxes, same phrases, same metrics.

    python benchmarks/grounding_baselines.py RUN [--vectors embedded:minilm] [--clip embedded:playground-clip]
        [--draws 50] [--split test] [--data FOLDER] [--set KEY=VALUE …]

RUN is the folder of a run, or the name of a recipe: then only the baselines are measured. They are: any box (the mean
over draws), the largest, the one that the detector is surest of, the one whose class suits the phrase best by word
vectors (--vectors), and the one whose crop a model of pictures and texts finds most like the phrase (--clip; an empty
name leaves it out). The upper bound is the share of phrases that have a right box among those of their picture; a run
that moves boxes may go beyond it. The published matching-only baseline is a run of its own:
`--set head.grounding.variant=matching`. Prints percent.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lichen.backbones.backbone import Backbone
from lichen.data.dataset import Dataset
from lichen.data.readers import load
from lichen.errors import InputError
from lichen.heads.crops import embed_crops, embed_texts
from lichen.heads.grounding.baselines import (
    confidence_scores,
    pick_boxes,
    prior_scores,
    random_scores,
    similarity_scores,
    size_scores,
)
from lichen.heads.grounding.candidates import Candidates
from lichen.heads.grounding.prior import WordVectors, prior_table
from lichen.metrics.grounding import phrase_grounding, proposal_ceiling
from lichen.regions import Regions
from lichen.tasks.ground import IMAGE, Ground
from lichen.tasks.grounded.captioned import Answers
from lichen.tasks.task import Examples
from lichen.training.pipeline import prepare
from lichen.training.recipe import Recipe, load_recipe
from lichen.training.run import RECIPE, Run

SHOWN = ("any_acc50", "merged_acc50", "any_pointing")


@dataclass(frozen=True, eq=False)
class Asked:
    """The phrases of a split, the boxes that each may mean, and those that it does."""

    phrases: tuple[str, ...]
    candidates: Candidates
    regions: Regions
    """Of the pictures that have a caption."""
    rows: tuple[int, ...]
    """Of these pictures in the data set."""
    answers: Answers

    @classmethod
    def of(cls, examples: Examples) -> Asked:
        """What the examples of a split ask."""
        table, numbers = examples.known[0], examples.targets["number"]
        said = table.said(numbers)
        read = [table.read[number] for number in numbers.tolist()]
        candidates = Candidates.every(said.captions.picture[said.captions.caption], said.regions)
        phrases = tuple(phrase for each in read for phrase in each.parsed.phrases)
        rows = tuple(examples.rows[IMAGE][said.first].tolist())
        answers = Answers.of(read)
        if not len(answers.measured):
            raise InputError("No phrase of this split has an annotated box. Give another --split, or other data.")
        return cls(phrases, candidates, said.regions, rows, answers)

    def score(self, scores: Tensor) -> dict[str, float]:
        """Metrics of the box with the highest score of each phrase."""
        answers = self.answers
        found = pick_boxes(self.candidates, scores, self.regions)[answers.measured, None]
        return phrase_grounding(found, answers.boxes, answers.phrase, answers.kinds)

    def ceiling(self) -> dict[str, float]:
        """What can be reached by choosing."""
        answers, candidates = self.answers, self.candidates
        number = torch.full((candidates.phrases,), -1)
        number[answers.measured] = torch.arange(len(answers.measured))
        owner = number[candidates.phrase]
        kept = owner >= 0
        boxes = self.regions.boxes[candidates.region[kept]]
        found = proposal_ceiling(boxes, owner[kept], answers.boxes, answers.phrase, len(answers.measured))
        return {"any_acc50": found["any_ceiling"], "merged_acc50": found["merged_ceiling"]}


def by_chance(asked: Asked, draws: int) -> dict[str, float]:
    """The mean over draws of a box for each phrase."""
    found = [asked.score(random_scores(asked.candidates, seed)) for seed in range(draws)]
    return {name: sum(each[name] for each in found) / draws for name in SHOWN}


def by_class(asked: Asked, task: Ground, source: str) -> dict[str, float]:
    """The box whose class suits the phrase best, by its words alone."""
    texts = [*task.spoken.words, *asked.phrases, *task.classes]
    prior = prior_table(asked.phrases, task.classes, WordVectors.load(source, texts), task.config.floor)
    return asked.score(prior_scores(asked.candidates, asked.regions, prior))


def by_crop(asked: Asked, dataset: Dataset, name: str) -> dict[str, float]:
    """The box whose crop is most like the phrase."""
    backbone = Backbone.from_pretrained(name)
    pictures = [dataset.picture(row) for row in asked.rows]
    sizes = torch.tensor([picture.size for picture in pictures], dtype=torch.float32)
    regions = asked.regions.resized(sizes)
    distinct = sorted(set(asked.phrases))
    place = {phrase: number for number, phrase in enumerate(distinct)}
    phrases = embed_texts(backbone, distinct)[[place[phrase] for phrase in asked.phrases]]
    return asked.score(similarity_scores(asked.candidates, phrases, embed_crops(backbone, pictures, regions)))


def opened(args: argparse.Namespace) -> tuple[Recipe, Run | None]:
    """The recipe, and the run where one is given."""
    root = args.data.resolve() if args.data else None
    if not (Path(args.run) / RECIPE).is_file():
        return load_recipe(args.run, args.changes, root=root), None
    return load_recipe(str(Path(args.run) / RECIPE), args.changes, root=root), Run.open(args.run)


def show(rows: Mapping[str, Mapping[str, float]]) -> None:
    """The table, in percent."""
    print(f"| the box of a phrase | {' | '.join(SHOWN)} |\n|---|{'---:|' * len(SHOWN)}")
    for name, found in rows.items():
        cells = [f"{100 * found[key]:.1f}" if key in found else "" for key in SHOWN]
        print(f"| {name} | {' | '.join(cells)} |")


def main(given: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="folder of a run, or name of a recipe")
    parser.add_argument("--vectors", default="", help="text backbone or file of word vectors, such as embedded:minilm")
    parser.add_argument("--clip", default="embedded:playground-clip", help="model of pictures and texts")
    parser.add_argument("--draws", type=int, default=50, help="of a random box")
    parser.add_argument("--split", default="test", choices=("train", "dev", "test"))
    parser.add_argument("--data", type=Path, help="where relative paths of the recipe's [data] start")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args(given)
    recipe, run = opened(args)
    if recipe.task != Ground.name:
        raise InputError(f"These are baselines of the task ground; {args.run!r} is of {recipe.task}.")
    own: dict[str, float] | None = None
    if run is None:
        dataset = load(recipe.data)
        # Without a text backbone, since nothing here reads whole captions.
        task = Ground.of(dataset, recipe.data, recipe.head, (IMAGE,))
        task.gather(dataset)
        examples = task.examples(dataset, args.split)
    else:
        layers = {part: record.layers for part, record in run.parts.items()}
        needed = layers if recipe.store.layers is None else None
        prepared = prepare(recipe, layers=needed, asked=run.task, splits=[args.split])
        dataset, task, examples = prepared.dataset, run.task, prepared.examples(args.split)
        own = run.score(prepared.sources, examples)
    asked = Asked.of(examples)
    rows = {
        f"a random one (mean of {args.draws} draws)": by_chance(asked, args.draws),
        "the largest": asked.score(size_scores(asked.candidates, asked.regions)),
    }
    if bool((asked.regions.scores < 1).any()):
        rows["the detector's surest"] = asked.score(confidence_scores(asked.candidates, asked.regions))
    if args.vectors:
        rows[f"by its class alone ({args.vectors})"] = by_class(asked, task, args.vectors)
    if args.clip:
        rows[f"by its crop ({args.clip})"] = by_crop(asked, dataset, args.clip)
    if own is not None:
        rows[f"the run {args.run}"] = own
    rows["upper bound of choosing"] = asked.ceiling()
    share = len(asked.regions) / len(asked.rows)
    print(f"{len(asked.answers.measured)} phrases, {len(asked.rows)} pictures, {share:.1f} boxes a picture\n")
    show(rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
