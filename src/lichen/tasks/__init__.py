"""Tasks: one question asked of samples. A task ties data, head, loss, metric and drawing together.

`TASKS` holds one row a task. Read `task.py` for what a task is, then one of the others.
"""

from __future__ import annotations

from .classify import Classify
from .ground import Ground
from .interact import Interact
from .relate import Relate
from .retrieve import Retrieve
from .solids import Solids
from .task import Task
from .write import Write

TASKS: dict[str, type[Task]] = {
    "classify": Classify,
    "retrieve": Retrieve,
    "write": Write,
    "relate": Relate,
    "ground": Ground,
    "interact": Interact,
    "solids": Solids,
}
"""By the `task` of a recipe."""
