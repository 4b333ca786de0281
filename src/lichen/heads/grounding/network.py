"""`GroundingNetwork`: phrases to boxes, learnt from captions alone, coarse to fine.

1. Words become phrases (`sentences.py`), what lies under boxes becomes vectors.
2. Coarse: every box of the picture is weighed by every phrase of the caption (`matching.py`), with what the detector's
   class says (`prior.py`).
3. The best few boxes of a phrase are moved, and looked at again; related phrases exchange what they saw (`graph.py`).
4. Fine: these few are weighed once more. Steps 3 and 4 can be repeated.
5. From what it attended to, each phrase is rebuilt (`decoder.py`), each relation named, each picture tied to its
   sentence (`losses.py`).

Source: ReIR, CVPR 2021, arXiv 2103.12989; graphs.md section 2, which the released code decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ...backbones.features import Features
from ...errors import InputError
from ...regions import NO_CLASS, Regions, area, clip, decode_deltas
from ...regions.groups import segment_rows
from .candidates import Candidates
from .captions import Captions
from .config import GroundingConfig
from .decoder import PhraseDecoder
from .graph import PhraseGraph
from .losses import Contrast, box_contrast_loss, caption_means, regression_loss, relation_loss, relation_weights
from .matching import Matcher
from .norm import make_norm
from .sentences import Sentences

TINY = 1e-12
"""Least part of the prior of which a logarithm is taken; what is masked has none."""
Look = Callable[[Tensor, Tensor], Tensor]
"""(boxes, picture of each) to what lies under them: (boxes 4), (boxes,) to (boxes, width)."""


@dataclass(frozen=True, eq=False)
class Stage:
    """How the phrases see one list of candidate boxes."""

    candidates: Candidates
    boxes: Float[Tensor, "candidates 4"]
    """Where the stage looked, in pixels."""
    scores: Float[Tensor, " candidates"]
    """Raw scores of the matcher."""
    attention: Float[Tensor, " candidates"]
    """Share of each phrase's attention; over all candidates of a phrase it sums to 1, or to 0 if none suits."""
    weight: Float[Tensor, " candidates"]
    """What the stage answers by: the attention of the coarse stage, of a fine one times that of the coarse."""
    deltas: Float[Tensor, "candidates 4"] | None
    """How each box should be moved; None in a network that moves none."""
    visual: Float[Tensor, "phrases width"]
    """What each phrase sees: the sum of its boxes by weight."""


@dataclass(frozen=True, eq=False)
class Grounding:
    """What the network makes of a batch."""

    regions: Regions
    """The proposals."""
    sentences: Sentences
    """Words, phrases and captions as vectors."""
    phrases: Float[Tensor, "phrases width"]
    """Normalised phrases, as they meet boxes."""
    proposals: Float[Tensor, "boxes width"]
    """What lies under the proposals, as it meets phrases."""
    stages: tuple[Stage, ...]
    """The coarse stage, then the fine ones."""
    moved: bool
    """Whether boxes are answered as moved; False while no box is refined."""

    @property
    def seen(self) -> Bool[Tensor, " phrases"]:
        """Which phrases have a box to choose from."""
        coarse = self.stages[0].candidates
        return torch.bincount(coarse.phrase, minlength=coarse.phrases) > 0

    def boxes(self, stage: int = -1, by: str = "weight") -> Float[Tensor, "phrases 4"]:
        """The box of each phrase, x1, y1, x2, y2 in pixels, not cut off at the picture; NaN where there is no box.

        Args:
            stage: 0 for the coarse one, -1 for the last.
            by: "weight", what the method answers by, or "attention" of that stage alone.
        """
        found = self.stages[stage]
        boxes = found.boxes
        if self.moved and found.deltas is not None:
            boxes = decode_deltas(boxes, found.deltas)
        place = found.candidates.best(found.weight if by == "weight" else found.attention)
        return torch.where(place[:, None] >= 0, _rows(boxes, place), torch.nan)

    @property
    def scores(self) -> Float[Tensor, " phrases"]:
        """Weight of each phrase's box, from 0 to 1; 0 where there is none."""
        last = self.stages[-1]
        place = last.candidates.best(last.weight)
        return torch.where(place >= 0, _rows(last.weight, place), 0)

    @property
    def proposal(self) -> Int[Tensor, " phrases"]:
        """Row of the proposal that each phrase's box comes from; -1 where there is none."""
        last = self.stages[-1]
        place = last.candidates.best(last.weight)
        return torch.where(place >= 0, _rows(last.candidates.region, place), -1)

    def ranked(self, most: int = 10) -> Float[Tensor, "phrases most 4"]:
        """The best boxes of each phrase by the coarse stage, as moved by it; NaN where there are no more."""
        coarse = self.stages[0]
        boxes = coarse.boxes
        if self.moved and coarse.deltas is not None:
            boxes = decode_deltas(boxes, coarse.deltas)
        places = coarse.candidates.top(coarse.weight, most)
        phrase = coarse.candidates.phrase[places]
        counts = torch.bincount(phrase, minlength=coarse.candidates.phrases)
        rank = segment_rows(torch.zeros_like(counts), counts)
        result = boxes.new_full((coarse.candidates.phrases, most, 4), torch.nan)
        return result.index_put((phrase, rank), boxes[places])


def _rows(table: Tensor, rows: Tensor) -> Tensor:
    """Rows of a table; any value for -1, also where the table is empty."""
    table = torch.cat([table, table.new_zeros(1, *table.shape[1:])])
    return table[rows]


class GroundingNetwork(nn.Module):
    """Weakly supervised phrase grounding.

    Args:
        sentences: reads captions, see `sentences.py`; as wide as the config says.
        features: width of what lies under a box.
        phrase_vocabulary: ids of words in phrases, 0 (the end) included.
        relation_counts: how often each category of relations occurs in the training captions; empty for none.
        config: sizes and parts.
    """

    def __init__(
        self,
        sentences: nn.Module,
        features: int,
        phrase_vocabulary: int,
        relation_counts: Sequence[float | int] = (),
        config: GroundingConfig = GroundingConfig(),
    ) -> None:
        super().__init__()
        self.config = config
        width = config.width
        alone = "repeat" if config.released else "running"
        self.sentences = sentences
        self.phrase_norm = make_norm(config.norm, width, alone)
        self.enter = nn.Linear(features, width)
        self.box_norm = make_norm(config.norm, width, alone)
        self.matcher = Matcher(width, config.hidden if config.regress else None, config.match == "product")
        self.decoder = PhraseDecoder(width, phrase_vocabulary)
        self.contrast = Contrast(width, config.joint) if config.contrast else None
        self.graph = PhraseGraph(width, config.joint) if config.relate else None
        self.name = None
        if config.relate and len(relation_counts):
            self.name = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, len(relation_counts)))
        self.category_weights: list[float] = relation_weights(relation_counts).tolist()

    def forward(
        self,
        look: Look,
        regions: Regions,
        captions: Captions,
        *,
        prior: Float[Tensor, "phrases classes"] | None = None,
        refine: int = 1,
        text: Features | None = None,
    ) -> Grounding:
        """Ground the phrases of a batch.

        Args:
            look: what lies under boxes. It is asked for the proposals, and for the moved boxes of every refinement.
            regions: proposals of all pictures.
            captions: sentences about them.
            prior: how well the class of a box suits each phrase, 0 for "not at all", by label of the regions; see
                `prior.py`. A box without class suits none. None lets every box take part alike.
            refine: how often boxes are moved and looked at anew before the last fine stage. 0 as in the first 7500
                steps of the published training (no box is moved, not even in the answer), 1 as afterwards. More repeat
                the fine stage on what the one before moved.
            text: features of a frozen text backbone, where the sentence encoder reads one.

        Raises:
            InputError: fewer than 0 refinements, some of a network that moves no boxes, or a prior of other phrases.
        """
        self._check(regions, captions, prior, refine)
        read = self.sentences(captions, text)
        phrases = self.phrase_norm(read.phrases, captions.caption, len(captions))
        proposals = self._see(look(regions.boxes, regions.picture), regions.picture, regions.pictures)
        coarse, fits = self._coarse(phrases, proposals, regions, captions, prior)
        stages = [coarse]
        if self.config.fine:
            places = coarse.candidates.top(coarse.attention, self.config.top)
            first = _chosen(coarse, places)
            visual = proposals[first.candidates.region]
            for step in range(max(refine, 1)):
                boxes = first.boxes
                if refine:
                    boxes = self._moved(stages[-1] if step else first, first, regions)
                    owner = captions.caption[first.candidates.phrase]
                    picture = regions.picture[first.candidates.region]
                    visual = self._see(look(boxes, picture), owner, len(captions))
                stages.append(self._fine(phrases, visual, boxes, first, fits[places], captions))
        self.phrase_norm.settle()
        self.box_norm.settle()
        return Grounding(regions, read, phrases, proposals, tuple(stages), moved=refine > 0)

    def losses(self, found: Grounding, captions: Captions) -> dict[str, Tensor]:
        """What the network learns from, each a mean over the captions; `config.WEIGHTS` has the published weights.

        Args:
            found: what `forward` made of these captions.

        Returns:
            `reconstruction`: of the phrases, from the last stage; `reconstruction_coarse`: from the first.
            `relations`: which categories a relation has, from what its two phrases see.
            `regression_coarse`, `regression_fine`: self-taught regression of each stage, before the factor 0.1; that of
                several fine stages is their mean.
            `contrast_coarse`, `contrast_fine`: pictures and sentences; that of the last fine stage.
            `contrast_boxes`: pictures and sentences by their best boxes.
            Those of parts that the config leaves out are absent. None is ever NaN: what cannot be learnt from (no box,
            no phrase, no relation) counts as zero.
        """
        config, stages = self.config, found.stages
        result = {"reconstruction": self._reconstruction(stages[-1], found, captions)}
        if config.reconstruct_coarse:
            result["reconstruction_coarse"] = self._reconstruction(stages[0], found, captions)
        if self.name is not None:
            visual = stages[-1].visual[captions.relations].flatten(1)
            result["relations"] = relation_loss(
                self.name(visual),
                captions.categories,
                visual.new_tensor(self.category_weights),
                captions.caption[captions.relations[:, 0]],
                len(captions),
            )
        if config.regress:
            losses = [self._regression(stage, captions) for stage in stages]
            result["regression_coarse"] = losses[0]
            if config.fine:
                result["regression_fine"] = torch.stack(losses[1:]).mean()
        if self.contrast is not None:
            for name, stage in (("coarse", stages[0]), ("fine", stages[-1])):
                if name == "coarse" or config.fine:
                    result[f"contrast_{name}"] = self.contrast(
                        stage.visual,
                        found.sentences.whole,
                        captions.caption,
                        found.seen,
                        captions.picture,
                        config.margin,
                    )
        if config.contrast_boxes:
            table = self.matcher.table(found.phrases, found.proposals)
            result["contrast_boxes"] = box_contrast_loss(
                table, captions.caption, found.regions.picture, captions.picture, found.regions.pictures
            )
        return result

    def _check(self, regions: Regions, captions: Captions, prior: Tensor | None, refine: int) -> None:
        if refine < 0 or (refine and not (self.config.regress and self.config.fine)):
            raise InputError(
                f"refine must be 0 in a network without a fine stage or without regression, and at least 0 in others; "
                f"got {refine}."
            )
        if prior is not None and len(prior) != captions.phrases:
            raise InputError(f"The prior holds {len(prior)} phrases, the captions {captions.phrases}.")

    def _see(self, features: Tensor, group: Tensor, groups: int) -> Tensor:
        """What lies under boxes, as it meets phrases."""
        return self.box_norm(self.enter(features.to(self.enter.weight.dtype)).relu(), group, groups)

    def _coarse(
        self,
        phrases: Tensor,
        proposals: Tensor,
        regions: Regions,
        captions: Captions,
        prior: Tensor | None,
    ) -> tuple[Stage, Tensor]:
        """The first stage, and how well the class of each candidate fits its phrase."""
        candidates = Candidates.every(captions.picture[captions.caption], regions)
        pair = (candidates.phrase, candidates.region)
        scores = self.matcher.scores(phrases, proposals, *pair)
        fits = torch.ones_like(scores)
        if prior is not None:
            label = regions.labels[candidates.region]
            fits = torch.where(label == NO_CLASS, 0, prior[candidates.phrase, label.clamp(min=0)].to(scores))
            if not self.config.released:
                fits = torch.where(candidates.any(fits > 0)[candidates.phrase], fits, 1)
        attention = self._attend(candidates, scores, fits)
        deltas = self.matcher.deltas(phrases, proposals, *pair)
        visual = candidates.sum(attention[:, None] * proposals[candidates.region])
        boxes = regions.boxes[candidates.region].to(scores.dtype)
        return Stage(candidates, boxes, scores, attention, attention, deltas, visual), fits

    def _attend(self, candidates: Candidates, scores: Tensor, fits: Tensor) -> Tensor:
        """Attention of each phrase over its candidates, with what their classes say."""
        if self.config.prior == "factor":
            return candidates.softmax(scores * fits, fits > 0, self.config.released)
        return candidates.softmax(scores + fits.clamp(min=TINY).log(), fits > 0, self.config.released)

    def _moved(self, before: Stage, first: Stage, regions: Regions) -> Tensor:
        """Boxes where the stage before would have them; one that leaves its picture goes back to its proposal."""
        assert before.deltas is not None
        sizes = regions.sizes[regions.picture[first.candidates.region]].to(before.boxes)
        boxes = clip(decode_deltas(before.boxes, before.deltas), sizes)
        return torch.where((area(boxes) > 0)[:, None], boxes, first.boxes)

    def _fine(
        self, phrases: Tensor, visual: Tensor, boxes: Tensor, first: Stage, fits: Tensor, captions: Captions
    ) -> Stage:
        """A second look at the best candidates, with what related phrases tell."""
        candidates = first.candidates
        if self.graph is not None:
            context = candidates.sum(first.weight[:, None] * visual)
            learnt = self.graph(context, captions.relations, captions.caption, len(captions), self.config.released)
            visual = visual + first.weight[:, None] * learnt[candidates.phrase]
        pair = (candidates.phrase, torch.arange(len(candidates), device=visual.device))
        scores = self.matcher.scores(phrases, visual, *pair)
        attention = self._attend(candidates, scores, fits)
        weight = attention * first.weight
        deltas = self.matcher.deltas(phrases, visual, *pair)
        return Stage(candidates, boxes, scores, attention, weight, deltas, candidates.sum(weight[:, None] * visual))

    def _reconstruction(self, stage: Stage, found: Grounding, captions: Captions) -> Tensor:
        kept = found.seen.nonzero()[:, 0]
        losses, counts = self.decoder(stage.visual[kept], found.sentences.words[kept], captions.spoken[kept])
        return caption_means(losses, counts.to(losses.dtype), captions.caption[kept], len(captions))

    def _regression(self, stage: Stage, captions: Captions) -> Tensor:
        assert stage.deltas is not None
        return regression_loss(
            stage.candidates,
            stage.boxes,
            stage.deltas,
            stage.attention,
            captions.caption,
            len(captions),
            overlap=self.config.overlap,
            gap=self.config.gap,
            stay=self.config.stay,
            detach=self.config.detach_targets,
        )


def _chosen(stage: Stage, places: Tensor) -> Stage:
    """A stage cut down to some of its candidates."""
    return replace(
        stage,
        candidates=stage.candidates.select(places),
        boxes=stage.boxes[places],
        scores=stage.scores[places],
        attention=stage.attention[places],
        weight=stage.weight[places],
        deltas=None if stage.deltas is None else stage.deltas[places],
    )
