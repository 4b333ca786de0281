"""`WeakHOI`: interactions learnt from labels of whole pictures. Read `losses` for what it learns, `forward` for what.

Sources: arXiv 2303.01313 for the four parts (backbone, recognition of the picture, transfer from the bank of texts,
classification of pairs) and the self-taught relatedness; hoi.md 1.5 to 1.7 for their exact form, which is a
reconstruction.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from .bags import bag_logits
from .bank import Judge, KnowledgeBank
from .config import HOIConfig
from .inputs import HOIInputs, HOIScores
from .layers import ImageVector, PairVectors, related_logits
from .self_taught import Lesson, relatedness_loss, self_taught


class WeakHOI(nn.Module):
    """The network.

    Args:
        image: width of a picture's vector.
        box: width of what lies under a box.
        texts: a vector for each interaction.
        config: settings.
    """

    def __init__(self, image: int, box: int, texts: Float[Tensor, "interactions width"], config: HOIConfig) -> None:
        super().__init__()
        self.config = config
        self.bank = KnowledgeBank(texts, config)
        out = self.bank.width
        self.image = ImageVector(image, out, config.width)
        self.pairs = PairVectors(box, out, config.width, ("human", "object", "union", "places"))
        self.judge_image, self.judge_pair = Judge(config), Judge(config)
        self.related = related_logits(2 * out, config.width) if config.asks_related else None

    def forward(self, inputs: HOIInputs) -> HOIScores:
        """Logits of pictures and pairs."""
        vectors = self.pairs(inputs)
        known = self.bank.read(vectors)
        related = None
        if self.related is not None:
            related = self.related(torch.cat([vectors, known], 1)).squeeze(1)
        return HOIScores(
            image=self.judge_image(self.bank.cosines(self.image(inputs.image))),
            pair=self.judge_pair(self.bank.cosines(vectors + known)),
            related=related,
        )

    def losses(
        self,
        scores: HOIScores,
        inputs: HOIInputs,
        labels: Bool[Tensor, "pictures interactions"],
        unclear: Bool[Tensor, "pictures interactions"],
        teachable: Bool[Tensor, " interactions"],
        teach: bool = True,
    ) -> dict[str, Tensor]:
        """What labels of pictures teach (hoi.md 1.7).

        Args:
            scores: of `forward`.
            inputs: of the same batch.
            labels: interactions of the pictures.
            unclear: entries that nobody was sure of, which are not learnt.
            teachable: interactions that relate two things.
            teach: whether relatedness is learnt yet.

        Returns:
            `image`, `bag` and, where it is learnt, `related`.
        """
        config, known = self.config, ~unclear
        asked = scores.pair
        if config.related_bags and scores.related is not None:
            asked = _both(scores.pair, scores.related)
        bags, filled = bag_logits(asked, inputs.compatible, inputs.picture, inputs.pictures, config.bags)
        found = {
            "image": image_loss(scores.image, labels, known),
            "bag": image_loss(bags, labels, known & filled),
        }
        if scores.related is not None and teach:
            found["related"] = relatedness_loss(scores.related, self_taught(scores, inputs, labels, teachable, config))
        return found

    def supervised_losses(
        self,
        scores: HOIScores,
        inputs: HOIInputs,
        labels: Bool[Tensor, "pictures interactions"],
        unclear: Bool[Tensor, "pictures interactions"],
        truths: Bool[Tensor, "pairs interactions"],
        teachable: Bool[Tensor, " interactions"],
    ) -> dict[str, Tensor]:
        """What annotated pairs teach: the ceiling of the weak method, by the same network.

        Args:
            truths: what each pair really does.
            scores, inputs, labels, unclear, teachable: as in `losses`.

        Returns:
            `image`, `pair` and, where it is learnt, `related`.
        """
        # What nobody was sure of in a picture is not denied to its pairs.
        counts = inputs.compatible & (truths | ~unclear[inputs.picture])
        found = {
            "image": image_loss(scores.image, labels, ~unclear),
            "pair": image_loss(scores.pair, truths, counts),
        }
        if scores.related is not None:
            targets = (truths & teachable).any(1)
            lesson = Lesson(targets.to(scores.related), torch.ones_like(targets))
            found["related"] = relatedness_loss(scores.related, lesson)
        return found


def image_loss(
    logits: Float[Tensor, "rows interactions"],
    labels: Bool[Tensor, "rows interactions"],
    counts: Bool[Tensor, "rows interactions"],
) -> Float[Tensor, ""]:
    """Binary cross-entropy of all that counts, by the number of labels that are true: most of them are not."""
    each = binary_cross_entropy_with_logits(logits, labels.to(logits), reduction="none") * counts
    return each.sum() / (labels & counts).sum().clamp(min=1)


def _both(first: Float[Tensor, "pairs interactions"], second: Float[Tensor, " pairs"]) -> Tensor:
    """Logits of the product of two probabilities."""
    log = nn.functional.logsigmoid(first) + nn.functional.logsigmoid(second)[:, None]
    log = log.clamp(max=-1e-6)
    return log - torch.log(-torch.expm1(log))
