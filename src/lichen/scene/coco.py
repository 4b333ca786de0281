"""COCO's JSON, both ways: `instances` (boxes of classes) and `captions`.

COCO gives boxes as left, top, width, height, numbers pictures and annotations, and knows only things with a box and a
class. Crowd regions are entities with the attribute "crowd"; masks are not kept, so areas are those of boxes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError, nearest
from ..files import to_json, write_atomic
from .check import Box, shown
from .records import Entity
from .scene import Scene

CROWD = "crowd"
"""Attribute of an entity whose box holds many things of its class, which metrics pass over."""


def to_coco(scenes: Iterable[Scene], categories: Mapping[str, int] | None = None) -> dict[str, dict[str, Any]]:
    """Scenes in COCO's layout. Entities without a box and what COCO has no place for are left out.

    Args:
        scenes: with sizes; their ids are kept where all are whole numbers, and numbered from 1 otherwise
            (then `scene_id` of each picture holds its own).
        categories: number of each class; without it the classes found are numbered from 1 in alphabetical order.

    Returns:
        "instances" and "captions", each what COCO's file of that name holds. Scores and attributes stand in the
        annotations under these names.

    Raises:
        InputError: a scene has no size, an entity with a box has no label, two scenes have the same id, or a class
            is not among `categories`.
    """
    scenes = [scene.validate() for scene in scenes]
    numbers = _numbers([scene.id for scene in scenes], "scenes")
    if categories is None:
        found = {
            entity.label for scene in scenes for entity in scene.entities if entity.box and entity.label is not None
        }
        categories = {name: number for number, name in enumerate(sorted(found), 1)}
    pictures = [_image(scene, number) for scene, number in zip(scenes, numbers, strict=True)]
    boxed = [
        (number, f"Scene {scene.id!r}: entities[{place}]", entity, entity.box)
        for scene, number in zip(scenes, numbers, strict=True)
        for place, entity in enumerate(scene.entities)
        if entity.box is not None
    ]
    ids = _annotation_numbers([entity for _, _, entity, _ in boxed])
    things = [
        {"id": id, "image_id": number, **_annotation(where, entity, box, categories)}
        for id, (number, where, entity, box) in zip(ids, boxed, strict=True)
    ]
    sentences = [
        {"image_id": number, "caption": caption}
        for scene, number in zip(scenes, numbers, strict=True)
        for caption in scene.captions
    ]
    names = [{"id": number, "name": name} for name, number in sorted(categories.items(), key=lambda item: item[1])]
    return {
        "instances": {"images": pictures, "annotations": things, "categories": names},
        "captions": {
            "images": pictures,
            "annotations": [{"id": id, **sentence} for id, sentence in enumerate(sentences, 1)],
        },
    }


def from_coco(
    instances: Mapping[str, Any] | None = None,
    captions: Mapping[str, Any] | None = None,
    folder: str | Path | None = None,
) -> list[Scene]:
    """The inverse of `to_coco`: one scene a picture of either file, in the order of the files.

    This is for files that are as they should be, and stops at the first fault.

    Args:
        instances: what an instances file holds.
        captions: what a captions file holds.
        folder: of the pictures, put before their names.

    Raises:
        InputError: a field is absent, a picture or class is not in the file's lists, or a box has no area.
    """
    pictures: dict[Any, Mapping[str, Any]] = {}
    entities: dict[Any, list[Entity]] = {}
    sentences: dict[Any, list[str]] = {}
    for file, what in ((instances, "instances"), (captions, "captions")):
        for place, image in enumerate(_list(file, what, "images")):
            pictures.setdefault(_get(image, "id", f"{what}: images[{place}]"), image)
    names = {
        _get(item, "id", f"instances: categories[{place}]"): _get(item, "name", f"instances: categories[{place}]")
        for place, item in enumerate(_list(instances, "instances", "categories"))
    }
    for place, item in enumerate(_list(instances, "instances", "annotations")):
        where = f"instances: annotations[{place}]"
        entities.setdefault(_known(item, where, pictures), []).append(_entity(item, where, names))
    for place, item in enumerate(_list(captions, "captions", "annotations")):
        where = f"captions: annotations[{place}]"
        sentences.setdefault(_known(item, where, pictures), []).append(_get(item, "caption", where))
    return [
        _scene(image, entities.get(id, ()), sentences.get(id, ()), None if folder is None else Path(folder))
        for id, image in pictures.items()
    ]


def write_coco(folder: str | Path, scenes: Iterable[Scene], categories: Mapping[str, int] | None = None) -> None:
    """Write `instances.json` and `captions.json` into a folder, which is made if need be.

    Raises:
        InputError: as `to_coco`, or the folder cannot be written.
    """
    made = to_coco(scenes, categories)
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, values in made.items():
            write_atomic(folder / f"{name}.json", to_json(values))
    except OSError as error:
        raise InputError(f"Cannot write into {str(folder)!r}: {error.strerror or error}.") from error


def read_coco(
    instances: str | Path | None = None, captions: str | Path | None = None, folder: str | Path | None = None
) -> list[Scene]:
    """Scenes of COCO files, see `from_coco`.

    Raises:
        InputError: a file cannot be read, is not JSON, or does not hold together.
    """
    loaded = [None if path is None else _load(Path(path)) for path in (instances, captions)]
    return from_coco(loaded[0], loaded[1], folder)


def _load(path: Path) -> Mapping[str, Any]:
    try:
        values = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"Cannot read {str(path)!r}: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{str(path)!r} is not JSON: {error}.") from error
    if not isinstance(values, Mapping):
        raise InputError(f"{str(path)!r} must hold an object; got a {type(values).__name__}.")
    return values


def _numbers(ids: Sequence[str], what: str) -> list[int]:
    """Ids as numbers where each is one, otherwise numbers from 1."""
    if len(set(ids)) < len(ids):
        twice = next(id for place, id in enumerate(ids) if id in ids[:place])
        raise InputError(f"Two {what} have the id {twice!r}; COCO needs an id of its own for each.")
    if all(_is_number(id) for id in ids):
        return [int(id) for id in ids]
    return list(range(1, len(ids) + 1))


def _is_number(text: str | None) -> bool:
    return text is not None and text.isascii() and text.isdigit() and str(int(text)) == text


def _annotation_numbers(entities: Sequence[Entity]) -> list[int]:
    ids = [entity.id for entity in entities]
    if all(_is_number(id) for id in ids) and len(set(ids)) == len(ids):
        return [int(id or "") for id in ids]
    return list(range(1, len(ids) + 1))


def _image(scene: Scene, number: int) -> dict[str, Any]:
    if scene.size is None:
        raise InputError(f"Scene {scene.id!r} has no size, which COCO files state. Set size=(width, height).")
    image: dict[str, Any] = {"id": number, "width": scene.size[0], "height": scene.size[1]}
    if scene.image is not None:
        image["file_name"] = scene.image
    if str(number) != scene.id:
        image["scene_id"] = scene.id
    return image


def _annotation(where: str, entity: Entity, box: Box, categories: Mapping[str, int]) -> dict[str, Any]:
    if entity.label is None:
        raise InputError(f"{where} has a box and no label; COCO needs the class of each box.")
    if entity.label not in categories:
        raise InputError(f"{where}.label: no category {entity.label!r}. {nearest(entity.label, categories)}")
    left, top, right, bottom = box
    annotation: dict[str, Any] = {
        "category_id": categories[entity.label],
        "bbox": [left, top, right - left, bottom - top],
        "area": (right - left) * (bottom - top),
        "iscrowd": int(CROWD in entity.attributes),
        "segmentation": [],
    }
    attributes = [name for name in entity.attributes if name != CROWD]
    if attributes:
        annotation["attributes"] = attributes
    if entity.score is not None:
        annotation["score"] = entity.score
    return annotation


def _list(file: Mapping[str, Any] | None, what: str, name: str) -> Sequence[Any]:
    if file is None:
        return ()
    values = file.get(name)
    if not isinstance(values, list):
        raise InputError(f"{what}: {name!r} must be a list; got {shown(values)}. Is it a COCO file of {what}?")
    return values


def _get(item: Any, name: str, where: str) -> Any:
    if not isinstance(item, Mapping) or item.get(name) is None:
        raise InputError(f"{where} must be an object with {name!r}; got {shown(item)}.")
    return item[name]


def _known(item: Any, where: str, pictures: Mapping[Any, Any]) -> Any:
    id = _get(item, "image_id", where)
    if id not in pictures:
        raise InputError(f"{where}.image_id is {id!r}, and no picture in 'images' has this id.")
    return id


def _entity(item: Mapping[str, Any], where: str, names: Mapping[Any, str]) -> Entity:
    category = _get(item, "category_id", where)
    if category not in names:
        raise InputError(f"{where}.category_id is {category!r}, and no category has this id.")
    box = _get(item, "bbox", where)
    try:
        left, top, width, height = (float(value) for value in box)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}.bbox must be left, top, width, height; got {shown(box)}.") from error
    values = {
        "label": names[category],
        "box": (left, top, left + width, top + height),
        "score": item.get("score"),
        "attributes": [*item.get("attributes", ()), *([CROWD] if item.get("iscrowd") else [])],
        "id": None if item.get("id") is None else str(item["id"]),
    }
    return Entity.from_dict(values, where)


def _scene(image: Mapping[str, Any], entities: Sequence[Entity], captions: Sequence[str], folder: Path | None) -> Scene:
    file, size = image.get("file_name"), (image.get("width"), image.get("height"))
    values = {
        "id": image.get("scene_id", str(image["id"])),
        "image": file if file is None or folder is None else str(folder / file),
        "size": None if None in size else size,
        "captions": captions,
        "entities": [entity.to_dict() for entity in entities],
    }
    return Scene.from_dict(values).validate()
