"""Things and what lies between them: relations of pictures, and messages that pass along them.

Everything is flat: the entities of all pictures of a batch are rows of one table, their pairs are rows of another that
names two entities each. Nothing is padded, so pictures may have any number of both, also none.
"""

from __future__ import annotations

from .aggregate import mean_at, sum_at
from .bipartite import BipartiteMessages, BipartiteRound
from .found import FoundGraph, TrueGraph
from .messages import Fusion, MessageGate
from .relations import Relations
from .residual import ResidualMessages

__all__ = [
    "BipartiteMessages",
    "BipartiteRound",
    "FoundGraph",
    "Fusion",
    "MessageGate",
    "Relations",
    "ResidualMessages",
    "TrueGraph",
    "mean_at",
    "sum_at",
]
