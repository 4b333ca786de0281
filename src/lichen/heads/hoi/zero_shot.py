"""`ZeroShotHOI`: interactions learnt without any label, from what a model of pictures and texts says.

Three levels: the whole picture, the box around a pair, and its two boxes. Sources: arXiv 2309.05069 for the levels and
the two teachers; hoi.md 2.3 and 2.4 for their exact form, which is a reconstruction.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from .bags import bag_logits
from .bank import Judge, KnowledgeBank
from .config import HOIConfig
from .distillation import TeacherScores, distribution, divergence, present
from .inputs import HOIInputs, HOIScores
from .layers import ImageVector, PairVectors


class ZeroShotHOI(nn.Module):
    """The student.

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
        self.image = ImageVector(image, out, config.width) if "image" in config.levels else None
        self.unions = PairVectors(box, out, config.width, ("union",)) if "union" in config.levels else None
        instances = ("human", "object", "places")
        self.pairs = PairVectors(box, out, config.width, instances) if "instances" in config.levels else None
        self.judges = nn.ModuleDict({level: Judge(config) for level in config.levels})

    def forward(self, inputs: HOIInputs) -> HOIScores:
        """Logits of all levels; zeros for one that is left out."""
        image, pair, union = (inputs.image.new_zeros(n, len(self.bank)) for n in self._rows(inputs))
        if self.image is not None:
            image = self.judges["image"](self.bank.cosines(self.image(inputs.image)))
        if self.pairs is not None:
            vectors = self.pairs(inputs)
            pair = self.judges["instances"](self.bank.cosines(vectors + self.bank.read(vectors)))
        if self.unions is not None:
            union = self.judges["union"](self.bank.cosines(self.unions(inputs)))
        return HOIScores(image, pair, None, union)

    def _rows(self, inputs: HOIInputs) -> tuple[int, int, int]:
        return inputs.pictures, len(inputs.pairs), len(inputs.pairs)

    def losses(self, scores: HOIScores, inputs: HOIInputs, teacher: TeacherScores) -> dict[str, Tensor]:
        """What the teacher's scores teach (hoi.md 2.4).

        Args:
            scores: of `forward`.
            inputs: of the same batch.
            teacher: cosines for the same pictures and pairs.

        Returns:
            `image`, `union`, `instances`: those of the levels that are learnt.
        """
        config = self.config
        there = present(inputs.compatible, inputs.picture, inputs.pictures)
        whole = distribution(config.teacher_scale * teacher.image, there)
        crops = distribution(config.teacher_scale * teacher.union, inputs.compatible)
        found: dict[str, Tensor] = {}
        if "image" in config.levels:
            found["image"] = divergence(scores.image, whole, there, config.divergence)
        if "union" in config.levels and scores.union is not None:
            found["union"] = divergence(scores.union, crops, inputs.compatible, config.divergence)
        if "instances" in config.levels:
            bags, filled = bag_logits(scores.pair, inputs.compatible, inputs.picture, inputs.pictures, config.bags)
            by_picture = divergence(bags, whole, filled, config.divergence)
            by_crop = divergence(scores.pair, crops, inputs.compatible, config.divergence)
            found["instances"] = by_picture + config.instance_mix * by_crop
        return found


def loss_weights(config: HOIConfig) -> dict[str, float]:
    """Of all losses of both methods, by name."""
    return {
        "image": 1.0,
        "bag": 1.0,
        "pair": 1.0,
        "related": config.related_weight,
        "union": config.union_weight,
        "instances": config.instance_weight,
    }
