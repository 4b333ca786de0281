"""Interactions of people with things, from labels of pictures or from none: read `weak.py` and `zero_shot.py` first.

`inputs.py` says what the networks are told of a batch, `visual.py` reads it off features, `bank.py` holds the texts of
the interactions, `bags.py` and `self_taught.py` are how labels of pictures teach pairs, `teacher.py` and
`distillation.py` how a model of pictures and texts does, `fusion.py` puts scores together.
"""

from __future__ import annotations

from .config import HOIConfig
from .distillation import TeacherScores
from .fusion import FoundInteractions, best_interactions, teacher_scores, weak_scores, zero_shot_scores
from .inputs import HOIInputs, HOIScores, ProposalConfig, choose_proposals, compatible_pairs, human_pairs
from .visual import HOIReader
from .weak import WeakHOI
from .zero_shot import ZeroShotHOI, loss_weights

__all__ = [
    "FoundInteractions",
    "HOIConfig",
    "HOIInputs",
    "HOIReader",
    "HOIScores",
    "ProposalConfig",
    "TeacherScores",
    "WeakHOI",
    "ZeroShotHOI",
    "best_interactions",
    "choose_proposals",
    "compatible_pairs",
    "human_pairs",
    "loss_weights",
    "teacher_scores",
    "weak_scores",
    "zero_shot_scores",
]
