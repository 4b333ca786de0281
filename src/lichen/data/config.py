"""`DataConfig`: where samples come from and how they are split, as the `[data]` table of a recipe says it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

from ..errors import InputError, pick

HOLDOUT = 0.1
"""Share of the training samples held out as dev where a data set brings none."""

_COMMON = frozenset({"kind", "holdout", "test_share", "seed", "limit", "eval_limit"})
_FILES = frozenset({"path", "train", "dev", "test"})
_LABELS = frozenset({"label", "multi_label", "label_separator", "classes"})
KINDS: dict[str, frozenset[str]] = {
    "folder": _FILES | {"classes"},
    "table": _FILES | _LABELS | {"text", "image", "images", "id"},
    "pairs": _FILES | {"query", "answer", "id"},
    "image-pairs": _FILES | {"image", "answer", "images", "id"},
    "coco-labels": _FILES | {"instances", "splits"},
    "coco-captions": _FILES | {"captions", "instances", "splits"},
    "npz": _FILES,
    "digits": frozenset(),
    "datasets": _FILES | _LABELS | {"text", "image", "subset", "revision"},
    "playground": _FILES | {"size", "pixels", "label"},
    "playground-solids": _FILES | {"size", "pixels", "channels", "furniture", "occluded", "views"},
    "scenes": _FILES | {"images", "multi_label", "classes", "expressions"},
    "easy-vqa": frozenset(),
}
"""Settings that each kind reads, beside those that all of them read."""
PAIRED: dict[str, Literal["image", "text"]] = {
    "coco-captions": "image",
    "image-pairs": "image",
    "pairs": "text",
    "playground": "image",
    "scenes": "image",
}
"""Kinds with captions or answers to retrieve by, and what these belong to."""
_NAMED_SPLITS = ("coco-labels", "coco-captions", "datasets", "playground", "playground-solids")
"""Kinds whose train, dev and test are names inside the data, not paths."""


@dataclass(frozen=True)
class DataConfig:
    """One data set. Paths may be relative; `readers.load` resolves them."""

    kind: str
    """folder, table, pairs, image-pairs, coco-labels, coco-captions, npz, digits, datasets, playground,
    playground-solids, scenes or easy-vqa."""
    path: str | None = None
    """One file or folder of everything; coco: the folder of the pictures; datasets: a saved folder or hub id;
    playground, playground-solids: what `lichen data make` wrote, or None to make the pictures in memory."""
    train: str | None = None
    """File or folder of the training samples, instead of `path`; coco, datasets, playground: the name of that split."""
    dev: str | None = None
    """As `train`, for the samples on which settings are chosen; may stand beside `path`."""
    test: str | None = None
    """As `train`, for the samples that are only ever measured; may stand beside `path`."""
    images: str | None = None
    """table, image-pairs, scenes: folder that picture paths start from; None takes the folder of the table or file."""
    captions: str | None = None
    """coco-captions: the captions JSON."""
    instances: str | None = None
    """coco-labels: the instances JSON; coco-captions: the same, where boxes are wanted beside the captions."""
    splits: str | None = None
    """coco: JSON object with lists of image ids by split; without it all pictures are training samples."""
    text: str = "text"
    """Column of the texts. A table that has it is one of texts, otherwise one of pictures."""
    image: str = "image"
    """Column of the picture paths."""
    label: str = "label"
    """Column of the labels; playground: place, objects or interactions."""
    query: str = "query"
    """pairs: column of the texts that are searched with."""
    answer: tuple[str, ...] = ("answer",)
    """pairs, image-pairs: columns of the texts that belong to the query or picture. Rows of the same one are joined."""
    id: str | None = None
    """Column of the sample ids; None numbers the lines."""
    multi_label: bool = False
    """A sample may have any number of labels: a JSON list, or one cell with separators."""
    label_separator: str = "|"
    """What stands between the labels in one cell."""
    classes: tuple[str, ...] = ()
    """All classes in the order to number them; empty sorts the names found in training."""
    holdout: float | None = None
    """Share of train held out as dev; None holds a tenth out where no dev is given, 0.0 nothing."""
    test_share: float = 0.0
    """Share of train held out as test, where no test is given."""
    seed: int = 0
    """Chooses which samples are held out and which remain under a limit."""
    limit: int | None = None
    """At most this many training samples, drawn after dev and test were held out, class by class in proportion."""
    eval_limit: int | None = None
    """At most this many samples of dev and of test each."""
    expressions: bool = False
    """scenes: take the expressions of boxes in place of captions, each as one phrase that means its box."""
    subset: str | None = None
    """datasets: name of the configuration on the hub."""
    revision: str | None = None
    """datasets: branch, tag or commit on the hub."""
    size: str | None = None
    """playground, playground-solids: smoke, small, medium (pictures alone) or full, of what is made in memory."""
    pixels: int = 96
    """playground, playground-solids: edge of those pictures."""
    channels: str = "colour"
    """playground-solids: colour, or depth for pictures of depth and mask."""
    furniture: tuple[str, ...] = ()
    """playground-solids: kinds of objects, of chair, table, sofa, bed, desk and shelf; empty takes all."""
    occluded: float = 0.0
    """playground-solids: share of the pictures made in memory in which something stands before the object."""
    views: int = 4
    """playground-solids: pictures of each object, where they are made in memory."""

    def __post_init__(self) -> None:
        for name in ("answer", "classes", "furniture"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        pick("kind of data", self.kind, KINDS)
        known = _COMMON | KINDS[self.kind]
        for field in fields(self):
            if field.name not in known and getattr(self, field.name) != field.default:
                raise InputError(
                    f"data.{field.name} means nothing for kind = {self.kind!r}, which reads "
                    f"{', '.join(sorted(known - {'kind'}))}. Remove it or change the kind."
                )
        for name, value in (("holdout", self.holdout), ("test_share", self.test_share)):
            if value is not None and not 0.0 <= value < 1.0:
                raise InputError(f"data.{name} is a share from 0 to below 1; got {value!r}.")
        if (self.holdout or 0.0) + self.test_share >= 1.0:
            raise InputError(
                "data.holdout and data.test_share together leave no training sample; they must add to < 1."
            )
        for name, value in (("limit", self.limit), ("eval_limit", self.eval_limit)):
            if value is not None and value < 1:
                raise InputError(f"data.{name} is a number of samples, at least 1; got {value!r}.")
        if not self.label_separator:
            raise InputError('data.label_separator is empty. Give what stands between the labels, such as "|".')
        if len(set(self.classes)) != len(self.classes):
            raise InputError(f"data.classes names a class twice: {', '.join(self.classes)}.")

    @property
    def paired(self) -> Literal["image", "text"] | None:
        """For data to retrieve in: what the captions belong to. None for data with labels."""
        return PAIRED.get(self.kind)

    @property
    def named_splits(self) -> bool:
        """True where train, dev and test are names inside the data rather than paths."""
        return self.kind in _NAMED_SPLITS

    def resolve(self, root: Path) -> DataConfig:
        """The same settings with all paths starting from `root`; absolute paths stay.

        A hub id stays as it is unless a folder of that name exists.
        """
        names = ["path", "images", "captions", "instances", "splits"]
        names += [] if self.named_splits else ["train", "dev", "test"]
        changes: dict[str, str] = {}
        for name in names:
            value = getattr(self, name)
            if value is None:
                continue
            path = root / Path(value).expanduser()
            if name != "path" or self.kind != "datasets" or path.is_dir():
                changes[name] = str(path)
        # mypy cannot tell which fields a mapping fills; all of these hold text.
        return replace(self, **changes)  # type: ignore[arg-type]
