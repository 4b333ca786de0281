"""`VisualSceneGraphHead`: features of whole pictures and boxes in, a scene graph out. It pools, then asks the head."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from ...backbones.features import Features
from ...errors import InputError
from ...regions.regions import Regions
from ..given import Given
from ..maps import as_map
from .config import SceneGraphConfig
from .head import SceneGraphHead
from .inputs import GraphInputs
from .pooling import PoolingConfig, RegionFeatures, UnionFeatures
from .targets import GraphTargets


class VisualSceneGraphHead(nn.Module):
    """A scene graph head on the final output of any backbone or side network that keeps places apart.

    Args:
        given: what reaches the head.
        classes: how many there are of boxes.
        predicates: how many there are.
        config: method and sizes.
        pooling: what is taken of the map under a box.
        counts, words: as `SceneGraphHead` takes them.

    Raises:
        InputError: one vector a sample arrives, or only what the side network leaves as it is.
    """

    def __init__(
        self,
        given: Given,
        classes: int,
        predicates: int,
        config: SceneGraphConfig = SceneGraphConfig(),
        pooling: PoolingConfig = PoolingConfig(),
        counts: Int[Tensor, "subjects objects columns"] | None = None,
        words: Float[Tensor, "classes width"] | None = None,
    ) -> None:
        super().__init__()
        if given.kind == "vector" or given.modality == "text":
            raise InputError(
                "A scene graph needs to know what lies where, but these features are one vector a sample or of a text. "
                "Choose a backbone for pictures and a side network that adapts its tokens, such as unipt with "
                "form='generic'."
            )
        if given.adapted and "final" not in given.adapted:
            raise InputError(
                "This side network changes only the pooled output, in which nothing lies anywhere: it would never be "
                "trained. Choose another form, or the probe."
            )
        width = None if config.context == "frequency" else pooling.width
        self.boxes = self.unions = None
        if width is not None:
            self.boxes = RegionFeatures((given.width,), pooling, released=config.released)
            self.unions = UnionFeatures((given.width,), pooling, released=config.released)
        self.head = SceneGraphHead(config, classes, predicates, width, width, counts, words)

    def inputs(
        self, features: Features, regions: Regions, pairs: Int[Tensor, "pairs 2"], *, labels_known: bool = False
    ) -> GraphInputs:
        """What the head is told: the features under each box and around each pair.

        Args:
            features: of the regions' pictures, which each fill their map.
            regions: boxes.
            pairs: rows of the regions; pairs of a picture lie together, in the order of the pictures.
            labels_known: whether the labels are the annotated ones.
        """
        if self.boxes is None or self.unions is None:
            return GraphInputs(regions, pairs, labels_known=labels_known)
        maps = as_map(features.final, features.grid)
        maps = maps.to(torch.promote_types(maps.dtype, torch.float32))
        if not self.head.config.released:
            # Backbones differ by orders of magnitude in the scale of their outputs.
            maps = layer_norm(maps.movedim(1, -1), maps.shape[1:2]).movedim(-1, 1)
        return GraphInputs(
            regions,
            pairs,
            self.boxes([maps], regions),
            self.unions([maps], regions, pairs),
            labels_known=labels_known,
        )

    def forward(
        self,
        features: Features,
        regions: Regions,
        pairs: Int[Tensor, "pairs 2"],
        targets: GraphTargets | None = None,
        *,
        labels_known: bool = False,
        pretraining: bool = False,
    ) -> dict[str, Tensor]:
        """Pool, and judge the pairs; see `inputs` and `SceneGraphHead.forward` for arguments and results."""
        inputs = self.inputs(features, regions, pairs, labels_known=labels_known)
        return self.head(inputs, targets, pretraining=pretraining)
