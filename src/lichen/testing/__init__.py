"""Conformance suites that any part, also a third party's, can run: `check_side`."""

from .sides import ConformanceError, check_side

__all__ = ["ConformanceError", "check_side"]
