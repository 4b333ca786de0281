"""Visual Genome as it was released: objects, attributes, relationships and questions; or its regions with phrases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ...scene import Entity, Expression, Question, Relation, Scene
from .boxes import Size, to_box
from .fields import Fields, id_value, rows, to_id
from .format import Format
from .joined import Joined
from .json_stream import elements
from .problems import shown
from .source import Part, Picture, Source
from .things import Things

FOLDERS = ("images", "VG_100K", "VG_100K_2", "images/VG_100K", "images/VG_100K_2")
"""Where the two halves of the pictures usually lie."""


def images_of(source: Source) -> Iterator[tuple[str, Fields]]:
    """The entries of `image_data.json` by image id, each once."""
    path = source.need("image_data")
    seen: set[str] = set()
    for fields in rows(elements(path), source.problems, path.name):
        id = fields.id("image_id" if "image_id" in fields.values else "id")
        if id is None:
            continue
        if id in seen:
            fields.note("duplicate id", f"image {id} is there twice")
            continue
        seen.add(id)
        yield id, fields


def picture_of(source: Source, id: str, fields: Fields) -> Picture:
    """The picture of an entry. Some sizes in the file are wrong; the picture's own counts where it is found."""
    return source.picture(fields, f"{id}.jpg", size=fields.size())


def read(source: Source) -> Iterator[Scene]:
    """One scene an image, with the objects of all files merged by their ids.

    `objects.json` joined boxes that annotators had drawn twice; the other files still use the ids that went into
    them (`merged_object_ids`), and objects that it left out. Without it, `scene_graphs.json` is read instead.
    """
    graphs = not source.all("objects") and bool(source.all("scene_graphs"))
    files = {
        name: Joined(_path(source, name, graphs), source.problems, ("image_id", "id"))
        for name in ("objects", "attributes", "relationships", "question_answers")
    }
    if graphs:
        files["scene_graphs"] = Joined(source.one("scene_graphs"), source.problems, ("image_id", "id"))
    for id, fields in images_of(source):
        found = {name: file.take(id) for name, file in files.items()}
        yield _scene(id, found, picture_of(source, id, fields), source)
    _note_rest(files.values())


def _path(source: Source, name: str, graphs: bool) -> Path | None:
    return None if graphs and name != "question_answers" else source.one(name)


def _note_rest(files: Iterable[Joined]) -> None:
    for file in files:
        for id, fields in file.rest():
            fields.note("unknown reference", f"image {id} is not in image_data")


def _scene(id: str, found: dict[str, Fields | None], picture: Picture, source: Source) -> Scene:
    graph = found.get("scene_graphs")
    objects, attributes, relationships = (
        (graph, None, graph) if graph else (found["objects"], found["attributes"], found["relationships"])
    )
    things = _Objects(source, picture.size)
    for record in objects.records("objects") if objects else ():
        things.take(record)
    for record in attributes.records("attributes") if attributes else ():
        things.take(record)
    relations = [
        relation
        for record in (relationships.records("relationships") if relationships else ())
        if (relation := things.relation(record)) is not None
    ]
    asked = found["question_answers"]
    questions = [
        question
        for record in (asked.records("qas") if asked else ())
        if (question := things.question(record)) is not None
    ]
    return Scene(
        id,
        image=picture.path,
        size=picture.size,
        entities=tuple(things.finished()),
        relations=tuple(relations),
        questions=tuple(questions),
        metadata={"image_id": id_value(id)},
    )


class _Objects(Things):
    """Objects by their ids and by the ids that were merged into them."""

    def __init__(self, source: Source, size: Size | None) -> None:
        super().__init__(source.problems)
        self.size = size
        self.said: dict[int, dict[str, None]] = {}

    def take(self, record: Fields) -> str | None:
        """Add an object, or what this record says more of one that is there. Returns its id."""
        id = record.id("object_id")
        if id is None:
            return None
        if id not in self:
            self._new(id, record)
        place = self.get(id)
        if place is not None:
            for other in record.items("merged_object_ids", needed=False):
                merged = to_id(other)
                if merged is None:
                    record.note("wrong value", f"merged_object_ids holds {shown(other)}, which is no id")
                else:
                    self.also(merged, place)
            said = dict.fromkeys(text.lower() for text in record.texts("attributes", needed=False))
            self.said.setdefault(place, {}).update(said)
        return id

    def _new(self, id: str, record: Fields) -> None:
        names = record.texts("names", needed=False)
        label = names[0] if names else record.text("name")
        box = to_box([record.values.get(key) for key in "xywh"], "xywh", self.size, self.problems, record)
        if label is None or box is None:
            self.lose(id)
        else:
            self.add(id, label.lower(), box, id=id)

    def relation(self, record: Fields) -> Relation | None:
        """A relationship; its subject and object are whole objects, or ids in scene graphs."""
        predicate = record.text("predicate")
        places = []
        for role in ("subject", "object"):
            part = record.record(role, needed=False)
            id = record.id(f"{role}_id") if part is None else self.take(part)
            places.append(None if id is None else self.place(id, record, role))
        if predicate is None or places[0] is None or places[1] is None:
            return None
        return Relation(places[0], predicate.lower(), places[1])

    def question(self, record: Fields) -> Question | None:
        """A question with its one answer, and the objects that its words were tied to."""
        text, answer = record.text("question"), record.text("answer")
        if text is None or answer is None:
            return None
        ids = [
            id
            for role in ("q_objects", "a_objects")
            for part in record.records(role, needed=False)
            if (id := part.id("object_id")) is not None
        ]
        places = [place for id in dict.fromkeys(ids) if (place := self.place(id, record, "object")) is not None]
        return Question(text, (answer,), entities=tuple(places))

    def finished(self) -> Iterator[Entity]:
        """All objects with all of their attributes."""
        for place, entity in enumerate(self.entities):
            said = tuple(self.said.get(place, ()))
            yield Entity(entity.label, entity.box, attributes=said, id=entity.id) if said else entity


def read_regions(source: Source) -> Iterator[Scene]:
    """One scene an image; each region is an entity without a class, and an expression."""
    file = Joined(source.need("region_descriptions"), source.problems, ("id", "image_id"))
    for id, fields in images_of(source):
        record = file.take(id)
        picture = picture_of(source, id, fields)
        things = Things(source.problems)
        expressions = []
        for region in record.records("regions") if record else ():
            number, phrase = region.id("region_id"), region.text("phrase")
            values = [region.values.get(key) for key in ("x", "y", "width", "height")]
            box = to_box(values, "xywh", picture.size, source.problems, region)
            if number is not None and number in things:
                region.note("duplicate id", f"region {number} is there twice")
            elif number is not None and phrase is not None and box is not None:
                expressions.append(Expression(phrase, things.add(number, None, box, id=number)))
        metadata: dict[str, Any] = {"image_id": id_value(id)}
        yield Scene(
            id,
            image=picture.path,
            size=picture.size,
            entities=tuple(things.entities),
            expressions=tuple(expressions),
            metadata=metadata,
        )
    _note_rest([file])


_IMAGES = Part("image_data", ("*image_data*.json",))
VISUAL_GENOME = Format(
    "Visual Genome, raw (1.2, 1.4)",
    (
        _IMAGES,
        Part("objects", ("objects*.json",), needed=False),
        Part("attributes", ("attributes*.json",), needed=False),
        Part("relationships", ("relationships*.json",), needed=False),
        Part("scene_graphs", ("scene_graphs*.json",), needed=False),
        Part("question_answers", ("question_answers*.json",), needed=False),
    ),
    "entities with attributes, relations, questions",
    read,
    FOLDERS,
)
REGIONS = Format(
    "Visual Genome, region descriptions",
    (_IMAGES, Part("region_descriptions", ("region_descriptions*.json",))),
    "entities without a class, one expression each",
    read_regions,
    FOLDERS,
)
