"""V-COCO: who does what with what in COCO's pictures. The VSRL files with COCO's boxes, or fredzzhang/vcoco's pairs.

A relation's predicate is action and role as the evaluation names them (`eat_obj`, `eat_instr`). All that a person does
stands among the attributes, since an action may have no object (`walk`), or one that nobody marked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...scene import Relation, Scene
from ..classes import coco_80, vcoco_actions
from .coco_file import CocoBox, CocoFile, add_boxes, keep_box, picture_of, read_coco
from .fields import Fields, rows, to_id, to_text, to_whole
from .format import Format
from .interactions import PERSON, Pairs, pair_scene
from .json_stream import elements, read_json
from .problems import shown
from .source import Part, Source, split_name
from .things import Things

_AGENT = "agent"


@dataclass
class _Person:
    """What one annotated person does."""

    where: str
    actions: list[str] = field(default_factory=list)
    roles: list[tuple[str, str]] = field(default_factory=list)
    """Predicate, and the annotation that it is done to."""


def read(source: Source) -> Iterator[Scene]:
    """One scene a picture and split, with all of COCO's boxes in it.

    The boxes may lie in several files, such as those of COCO's own two halves.

    `metadata["people"]` are the entities whose actions were annotated: whoever is not among them may do anything, and
    the evaluation passes over them.
    """
    instances = [read_coco(path, source.problems, keep_box) for path in source.all("instances")]
    files = source.by_split("actions", lambda path: split_name(path, "vcoco"))
    if {"train", "val"} <= set(files):
        # The same people once more.
        files.pop("trainval", None)
    taken: set[str] = set()
    for split, path in files.items():
        for image, people in _people(source, path).items():
            file = next((file for file in instances if image in file.images), None)
            if file is None:
                where = f"{path.name}: image {image}"
                source.problems.add("unknown reference", where, "is not listed in the instances")
                continue
            id = image if image not in taken else f"{image}-{split}"
            taken.add(image)
            yield _scene(source, file, image, id, people, split)


def _people(source: Source, path: Path) -> dict[str, dict[str, _Person]]:
    """Annotated people by image and annotation."""
    result: dict[str, dict[str, _Person]] = defaultdict(dict)
    names = {action.name for action in vcoco_actions()}
    for fields in rows(elements(path), source.problems, path.name):
        action = fields.text("action_name")
        roles = [to_text(role) for role in fields.items("role_name")]
        images, people, labels, objects = (
            fields.items(name) for name in ("image_id", "ann_id", "label", "role_object_id")
        )
        count = len(people)
        if action is None:
            continue
        if action not in names:
            fields.note("unknown class", f"{shown(action)} is none of the 26 actions")
            continue
        if len(images) != count or len(labels) != count or len(objects) != len(roles) * count:
            told = f"{len(images)} images, {len(labels)} labels, {len(objects)} role objects for {len(roles)} roles"
            fields.note("wrong value", f"{count} people, but {told}")
            continue
        for row in range(count):
            _add_row(result, fields, action, roles, row, (images[row], people[row], labels[row]), objects[row::count])
    return result


def _add_row(
    result: dict[str, dict[str, _Person]],
    fields: Fields,
    action: str,
    roles: Sequence[str | None],
    row: int,
    values: tuple[Any, Any, Any],
    objects: Sequence[Any],
) -> None:
    image, person, label = to_id(values[0]), to_id(values[1]), to_whole(values[2])
    if image is None or person is None or label not in (0, 1):
        fields.note("wrong value", f"row {row}: image, person or label cannot be used: {shown(values)}")
        return
    found = result[image].setdefault(person, _Person(f"{fields}: row {row}"))
    if not label:
        return
    found.actions.append(action)
    for role, value in zip(roles, objects, strict=True):
        target = to_id(value)
        if role is None or target is None:
            fields.note("wrong value", f"row {row}: role {shown(role)} of {shown(value)}")
        elif role != _AGENT and target != "0":
            found.roles.append((f"{action}_{role}", target))


def _scene(
    source: Source, instances: CocoFile[CocoBox], image: str, id: str, people: dict[str, _Person], split: str
) -> Scene:
    entry = instances.images[image]
    picture = picture_of(source, instances, image)
    things = Things(source.problems)
    add_boxes(things, instances, image, picture.size, instances.categories)
    entities = list(things.entities)
    relations, annotated = [], []
    for key, person in people.items():
        subject = things.place(key, person.where, "person")
        if subject is None:
            continue
        annotated.append(subject)
        actions = tuple(dict.fromkeys((*entities[subject].attributes, *person.actions)))
        entities[subject] = replace(entities[subject], attributes=actions)
        for predicate, target in person.roles:
            place = things.place(target, person.where, "object")
            if place is not None:
                relations.append(Relation(subject, predicate, place))
    metadata: dict[str, Any] = {"image_id": entry.id, "people": annotated}
    return Scene(
        id,
        image=picture.path,
        size=picture.size,
        entities=tuple(entities),
        relations=tuple(relations),
        metadata={**metadata, "split": split} if split else metadata,
    )


def read_pairs(source: Source) -> Iterator[Scene]:
    """fredzzhang/vcoco: one scene a picture; parallel lists of boxes (x1, y1, x2, y2), actions from 0, objects from 1.

    Object 0 is background and has no box. `point` is not among its 24 classes.
    """
    for path in source.all("pairs"):
        file = Fields(read_json(path), source.problems, path.name)
        classes = [name.replace(" ", "_") for name in file.texts("classes")]
        objects = file.texts("objects", needed=False) or ["background", *coco_80().values()]
        for fields in file.records("annotations"):
            name = fields.text("file_name")
            if name is None:
                continue
            picture = source.picture(fields, name, size=fields.size())
            pairs = Pairs(source.problems, picture.size)
            _add_pairs(pairs, fields, classes, objects)
            yield pair_scene(name, picture.path, pairs, split_name(path, "instances", "vcoco"))


def _add_pairs(pairs: Pairs, fields: Fields, classes: Sequence[str], objects: Sequence[str]) -> None:
    columns = [fields.items(name) for name in ("boxes_h", "boxes_o", "actions", "objects")]
    if len({len(column) for column in columns}) > 1:
        fields.note("wrong value", f"columns of {', '.join(str(len(column)) for column in columns)} entries")
    for human, thing, action, object in zip(*columns, strict=False):
        numbers = to_whole(action), to_whole(object)
        if numbers[0] is None or not 0 <= numbers[0] < len(classes):
            fields.note("unknown class", f"no action has the number {shown(action)}; there are {len(classes)}")
        elif numbers[1] is None or not 0 <= numbers[1] < len(objects):
            fields.note("unknown class", f"no object has the number {shown(object)}; there are {len(objects)}")
        else:
            subject = pairs.find(PERSON, human, "xyxy", fields)
            if subject is not None:
                # An action without an object is no pair; it stands among the attributes, as all do.
                person = pairs.entities[subject]
                actions = dict.fromkeys((*person.attributes, classes[numbers[0]].rpartition("_")[0]))
                pairs.entities[subject] = replace(person, attributes=tuple(actions))
            if numbers[1] > 0:
                place = pairs.find(objects[numbers[1]], thing, "xyxy", fields)
                pairs.pair(subject, classes[numbers[0]], place, fields)


VCOCO = Format(
    "V-COCO (VSRL), with COCO 2014 instances",
    (
        Part("actions", ("vcoco_*.json", "vcoco/vcoco_*.json", "data/vcoco/vcoco_*.json")),
        Part("instances", ("instances*.json", "*/instances*.json")),
    ),
    "entities with actions as attributes, relations",
    read,
    ("images", "train2014", "val2014", "images/train2014", "images/val2014"),
)
VCOCO_PAIRS = Format(
    "V-COCO, pairs of fredzzhang/vcoco",
    (Part("pairs", ("instances_vcoco_*.json",)),),
    "entities, relations",
    read_pairs,
    ("images", "mscoco2014/train2014", "mscoco2014/val2014", "train2014", "val2014"),
)
