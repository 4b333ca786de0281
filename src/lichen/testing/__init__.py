"""Conformance suites that any part, also a third party's, can run: `check_side`, `check_head`."""

from .heads import check_head
from .sides import ConformanceError, check_side

__all__ = ["ConformanceError", "check_head", "check_side"]
