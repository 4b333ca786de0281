"""Cuboids of an object from features of one picture: the primitive graph network, and what it is compared with."""

from __future__ import annotations

from .config import RELEASED, SolidsConfig
from .graph import PrimitiveGraph
from .head import SolidsHead, Told
from .proposals import Parts, ProposalNetwork, Proposals

__all__ = [
    "RELEASED",
    "Parts",
    "PrimitiveGraph",
    "ProposalNetwork",
    "Proposals",
    "SolidsConfig",
    "SolidsHead",
    "Told",
]
