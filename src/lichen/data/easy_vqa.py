"""`kind = "easy-vqa"`: 5,000 pictures of one shape each with 48,000 questions, out of the Python package easy-vqa.

The set is by Victor Zhou (MIT licence). Thirteen answers; always answering "yes" or "no" is right about 40 % of the
time.
"""

from __future__ import annotations

import json
from collections import defaultdict

from ..errors import InputError
from ..packages import PackageFile
from ..scene import Question, Scene
from .assemble import Part, assemble
from .config import DataConfig
from .dataset import Dataset

EDGE = 64
"""Of a picture, in pixels."""
_SHA256 = {
    "train": "bb67697636aed0e65631d4266824aebeae5c833b0f37ed781e20752e85617ec5",
    "test": "0d4630a51bafec65343e2f6af9cdd20cf8eae214344ef57636202eec409553f7",
}


def read_easy_vqa(config: DataConfig) -> Dataset:
    """Pictures with their questions; training and test side as the package has them.

    Raises:
        MissingPackageError: the package is not installed.
        CheckpointError: it holds other questions than its version 1.0.
        InputError: the questions are not laid out as this reader knows them.
    """
    parts = {}
    for split, digest in _SHA256.items():
        file = PackageFile(
            "data set easy-vqa", "easy-vqa", "1.0", "easy_vqa", f"data/{split}/questions.json", digest
        ).verified()
        asked: dict[int, list[Question]] = defaultdict(list)
        for row in json.loads(file.read_text("utf-8")):
            if not (isinstance(row, list) and len(row) == 3):
                raise InputError(f"{str(file)!r} should hold [question, answer, picture] in each row; got {row!r}.")
            question, answer, picture = row
            asked[int(picture)].append(Question(str(question), (str(answer),), _kind(str(question), str(answer))))
        scenes = [
            Scene(
                f"{split}/{number}",
                image=str(file.parent / "images" / f"{number}.png"),
                size=(EDGE, EDGE),
                questions=tuple(asked[number]),
            )
            for number in sorted(asked)
        ]
        parts[split] = Part(f"easy-vqa ({split})", scenes)
    return assemble(config, parts, labelled=False)


def _kind(question: str, answer: str) -> str:
    """yes/no, colour or shape."""
    if answer in ("yes", "no"):
        return "yes/no"
    return "colour" if "color" in question else "shape"
