"""Files in COCO's layout: `images`, `annotations` and, for boxes, `categories`, in any order, read once.

Everything that is built on COCO reads it here: recipes, instances and captions, RefCOCO, V-COCO, VG150 as COCO.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Generic, NamedTuple, TypeVar

from ...errors import InputError, nearest
from ...scene.coco import CROWD
from .boxes import FORMS, Size, cut, four_numbers
from .fields import Fields, to_id
from .json_stream import lists
from .problems import Problems, shown
from .source import Picture, Source
from .things import Things

T = TypeVar("T")


class CocoImage(NamedTuple):
    """One entry of `images`."""

    id: int | str
    """As it stands in the file."""
    file_name: str
    size: Size | None
    number: int
    """Its place in the list."""


class CocoBox(NamedTuple):
    """What a scene needs of one annotation with a box."""

    id: str | None
    category: str
    box: tuple[float, float, float, float] | None
    """Left, top, width, height in pixels, unchecked; None in a blank."""
    crowd: bool


BLANK = CocoBox(None, "", None, False)
"""Stands for an annotation that cannot be used."""


@dataclass
class CocoFile(Generic[T]):
    """A file in COCO's layout. Ids are texts, so that 7, 7.0 and "7" are one."""

    name: str
    """The file's name, for messages."""
    images: dict[str, CocoImage] = field(default_factory=dict)
    """By image id, in the order of the file."""
    categories: dict[str, str] = field(default_factory=dict)
    """Names by category id, in the order of the ids."""
    annotations: dict[str, list[tuple[int, T]]] = field(default_factory=dict)
    """What was kept of the annotations, with their places in the list, by the id of an image that is listed."""

    def where(self, number: int) -> str:
        """The place of an annotation, for messages."""
        return f"{self.name}: annotations[{number}]"


def read_coco(
    path: Path,
    problems: Problems,
    keep: Callable[[Fields], T | None],
    *,
    categories: bool = True,
    blank: T | None = None,
) -> CocoFile[T]:
    """Read a file in COCO's layout.

    Args:
        path: the file.
        problems: where everything wrong is noted.
        keep: what to remember of an annotation; None drops it. The rest, such as outlines and keypoints, is dropped at
            once, so that the file is never in memory as a whole.
        categories: whether the file has to have a list of categories.
        blank: what stands for an annotation of a known image that cannot be used, where others name annotations by
            their places; without it they are dropped.

    Raises:
        InputError: it is not readable, or a list is absent.
    """
    file: CocoFile[T] = CocoFile(path.name)
    kept: dict[str, list[tuple[int, T]]] = defaultdict(list)
    seen: dict[str, type] = {}
    names: dict[str, tuple[int | str, str]] = {}
    ids: set[str] = set()
    for name, number, value in lists(path):
        seen[name] = list if number is not None or value == [] else type(value)
        if number is None:
            continue
        fields = Fields(value, problems, file.name, name, number) if name in _LISTS else None
        if name == "images" and fields is not None:
            _add_image(file, fields, number)
        elif name == "categories" and fields is not None:
            _add_category(names, fields)
        elif name == "annotations" and fields is not None:
            _keep(kept, ids, fields, number, keep, blank)
    for name in _LISTS if categories else _LISTS[:2]:
        if seen.get(name) is not list:
            hint = nearest(name, seen) if seen else "The file is empty."
            raise InputError(f"{str(path)!r} has no list {name!r}, so it is not in COCO's layout. {hint}")
    file.categories = {id: name for id, (_, name) in sorted(names.items(), key=lambda item: _order(item[1][0]))}
    for key, items in kept.items():
        if key in file.images:
            file.annotations[key] = items
            continue
        for number, _ in items:
            problems.add("unknown reference", file.where(number), f"belongs to image {key}, which is not listed")
    return file


_LISTS = ("images", "annotations", "categories")


def _order(id: int | str) -> tuple[bool, int | str]:
    # Ids are numbers in COCO itself and texts in some files of others.
    return isinstance(id, str), id


def _add_image(file: CocoFile[Any], fields: Fields, number: int) -> None:
    id, name = fields.id("id"), fields.text("file_name")
    if id is None or name is None:
        return
    if id in file.images:
        fields.note("duplicate id", f"lists an image id twice: {id}. Keep one entry an image")
        return
    raw = fields.values["id"]
    file.images[id] = CocoImage(raw if isinstance(raw, int) else id, name, fields.size(), number)


def _add_category(names: dict[str, tuple[int | str, str]], fields: Fields) -> None:
    id, name = fields.id("id"), fields.text("name")
    if id is None or name is None:
        return
    if id in names:
        fields.note("duplicate id", f"lists category id {id} twice")
        return
    if any(name == other for _, other in names.values()):
        fields.note("duplicate id", f"there are two categories of one name, {name!r}. Rename one of them")
    raw = fields.values["id"]
    names[id] = (raw if isinstance(raw, int) else id, name)


def _keep(
    kept: dict[str, list[tuple[int, T]]],
    ids: set[str],
    fields: Fields,
    number: int,
    keep: Callable[[Fields], T | None],
    blank: T | None,
) -> None:
    image = fields.id("image_id")
    if image is None:
        return
    id = to_id(fields.values.get("id"))
    value = None
    if id is not None and id in ids:
        fields.note("duplicate id", f"lists annotation id {id} twice")
    else:
        value = keep(fields)
    if value is not None and id is not None:
        ids.add(id)
    value = blank if value is None else value
    if value is not None:
        kept[image].append((number, value))


def picture_of(source: Source, file: CocoFile[Any], image: str, *names: str) -> Picture:
    """The picture of an image, by the name in the file, by that without its folders, or by others."""
    entry = file.images[image]
    bare = PurePosixPath(entry.file_name).name or entry.file_name
    where = f"{file.name}: images[{entry.number}]"
    return source.picture(where, entry.file_name, bare, *names, size=entry.size)


def keep_box(fields: Fields) -> CocoBox | None:
    """What to remember of an annotation of `instances`."""
    category = fields.id("category_id")
    box = four_numbers(fields.values.get("bbox"))
    if box is None:
        fields.note("wrong value", f"expected a bbox of four finite numbers, got {shown(fields.values.get('bbox'))}")
    id = fields.id("id", needed=False)
    return None if category is None or box is None else CocoBox(id, category, box, fields.flag("iscrowd"))


def keep_caption(fields: Fields) -> str | None:
    """What to remember of an annotation of `captions`."""
    return fields.text("caption")


def add_boxes(
    things: Things, file: CocoFile[CocoBox], image: str, size: Size | None, categories: Mapping[str, str]
) -> None:
    """Add the boxes of an image as entities, by annotation id where they have one. A crowd says so by an attribute."""
    for number, item in file.annotations.get(image, ()):
        where = file.where(number)
        key = number if item.id is None else item.id
        if item.box is None:
            things.lose(key)
            continue
        box = cut(FORMS["xywh"](*item.box), size, things.problems, where)
        label = categories.get(item.category)
        if label is None:
            things.problems.add("unknown class", where, f"has category {item.category}, which is not listed")
        if box is None or label is None:
            things.lose(key)
            continue
        things.add(key, label, box, id=item.id, attributes=[CROWD] if item.crowd else [])
