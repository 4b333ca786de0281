"""Scene graphs: which predicate joins two boxes (BGNN, and what it is compared with): read `head.py` first.

`inputs.py` says what the head is told of a batch, `targets.py` makes what it learns of annotated relations, `modes.py`
chooses whose boxes and labels those are, `answers.py` ranks what it says. `visual.py` puts it on
the features of whole pictures.
"""

from __future__ import annotations

from .answers import found_graphs
from .config import CONTEXTS, RELEASED, SceneGraphConfig
from .frequency import FrequencyBias, count_triples
from .head import SceneGraphHead
from .inputs import GraphInputs
from .modes import MODES, as_mode, distinct_labels
from .pairing import PairSampling, sample_annotated, sample_detected
from .pooling import PoolingConfig, RegionFeatures, UnionFeatures
from .targets import GraphTargets
from .visual import VisualSceneGraphHead

__all__ = [
    "CONTEXTS",
    "MODES",
    "RELEASED",
    "FrequencyBias",
    "GraphInputs",
    "GraphTargets",
    "PairSampling",
    "PoolingConfig",
    "RegionFeatures",
    "SceneGraphConfig",
    "SceneGraphHead",
    "UnionFeatures",
    "VisualSceneGraphHead",
    "as_mode",
    "count_triples",
    "distinct_labels",
    "found_graphs",
    "sample_annotated",
    "sample_detected",
]
