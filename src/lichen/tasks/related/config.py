"""`RelateConfig`: whose boxes a scene graph is made of, which head learns it, how the long tail is lifted."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from ...errors import InputError, pick
from ...heads.scene_graph.config import SceneGraphConfig
from ...heads.scene_graph.modes import MODES
from ...heads.scene_graph.pairing import PairSampling
from ...heads.scene_graph.pooling import PoolingConfig

PROTOCOLS = ("plain", "pysgg", "sgbench", "open-images")


@dataclass(frozen=True, kw_only=True)
class RelateConfig(SceneGraphConfig):
    """Settings of the task relate, the table [head.graph]: those of the head, and these.

    Raises:
        InputError: a value out of range, or settings that do not go together.
    """

    mode: Literal["predcls", "sgcls", "sggen"] = "predcls"
    """predcls: annotated boxes and classes; sgcls: annotated boxes, which are classified; sggen: a detector's boxes,
    which [head.boxes] names."""
    region: int = 256
    """Width of what is taken of a map under a box."""
    cells: int = 3
    """Rows and columns of the grid under a box."""
    reduced: int = 64
    """Channels of the maps under a union of two boxes."""
    masks: int = 32
    """Channels of the layer that reads where in the picture the two boxes lie."""
    mask_side: int = 27
    """Rows and columns of what it reads."""
    pairs: int = 256
    """Pairs of a picture that are learnt from at most."""
    foreground: float = 0.5
    """Largest share of them that have a relation."""
    resample: bool = False
    """Bi-level resampling: pictures with rare predicates come up more often, common relations in them are left out."""
    threshold: float = 0.1
    """resample: predicates of which a smaller share of all relations is are repeated."""
    drop: float = 0.9
    """resample: how strongly relations are left out; 0 never does."""
    pretraining: int = 0
    """bgnn: steps before any message is passed; 2000 in the paper."""
    protocol: Literal["plain", "pysgg", "sgbench", "open-images"] = "plain"
    """How the field's metrics are counted; pysgg is that of the published tables of Visual Genome."""

    def __post_init__(self) -> None:
        super().__post_init__()
        pick("mode", self.mode, MODES)
        pick("protocol", self.protocol, PROTOCOLS)
        if self.mode == "sgcls" and self.entities != "replace":
            raise InputError(
                'mode = "sgcls" classifies annotated boxes, so the head must: set head.graph.entities = "replace".'
            )
        if self.pretraining < 0:
            raise InputError(f"RelateConfig.pretraining is a number of steps; got {self.pretraining}.")
        if not self.threshold > 0 or not self.drop >= 0:
            raise InputError(
                f"RelateConfig.threshold is above 0 and drop at least 0; got {self.threshold} and {self.drop}."
            )
        self.pooling()
        self.sampling()

    @property
    def head(self) -> SceneGraphConfig:
        """Settings of the head alone."""
        own: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(SceneGraphConfig)}
        return SceneGraphConfig(**own)

    def pooling(self) -> PoolingConfig:
        """What is taken of a map under a box."""
        return PoolingConfig(
            cells=self.cells,
            width=self.region,
            reduced=self.reduced,
            masks=self.masks,
            mask_side=self.mask_side,
        )

    def sampling(self) -> PairSampling:
        """Which pairs are learnt from."""
        return PairSampling(most=self.pairs, foreground=self.foreground, released=self.released)
