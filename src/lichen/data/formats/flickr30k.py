"""Flickr30k Entities: five sentences an image with their phrases marked, and boxes of what the phrases stand for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

from ...errors import InputError
from ...scene import Phrase, Scene
from .boxes import Size, clean_size, to_box
from .fields import id_value, parsed, to_text
from .format import Format
from .lines import lines_of
from .markup import Mention, parse
from .problems import shown
from .source import Part, Source
from .things import Things

_UNSEEN = "0"
"""Number of every phrase that stands for nothing one could draw a box around."""


def read(source: Source) -> Iterator[Scene]:
    """One scene an image. Boxes of one thing are entities that share its number as their id.

    Things without a box are entities without one, so that the phrases that stand for them stay tied together. In
    `metadata`, `chains` and `types` go with `phrases`: the number of each phrase's thing, and its types.
    """
    boxes = {path.stem: path for folder in source.all("Annotations") for path in sorted(folder.glob("*.xml"))}
    splits = _splits(source)
    unrelated = _unrelated(source)
    found = False
    for folder in source.all("Sentences"):
        for path in sorted(folder.glob("*.txt")):
            found = True
            yield _scene(source, path, boxes.pop(path.stem, None), splits.get(path.stem), unrelated.get(path.stem, []))
    if not found:
        raise InputError(f"{', '.join(map(str, source.all('Sentences')))} holds no *.txt file.")
    for path in boxes.values():
        source.problems.add("unknown reference", path.name, "there are no sentences for these boxes")


def _splits(source: Source) -> dict[str, str]:
    """Split by image, from train.txt, val.txt and test.txt."""
    result: dict[str, str] = {}
    for path in source.all("split"):
        for number, image in lines_of(path, source.problems):
            if result.setdefault(image, path.stem) != path.stem:
                where = f"{path.name}, line {number}"
                source.problems.add("duplicate id", where, f"image {shown(image)} is in {result[image]} as well")
    return result


def _unrelated(source: Source) -> dict[str, list[int]]:
    """Sentences that say nothing of their image: the numbers of their lines, from 1, by image."""
    result: dict[str, list[int]] = defaultdict(list)
    path = source.one("unrelated captions")
    for number, line in () if path is None else lines_of(path, source.problems):
        image, _, sentence = line.partition(" ")
        place = id_value(sentence.strip())
        if image.isdecimal() and isinstance(place, int) and place > 0:
            result[image].append(place)
        elif number > 1:
            # The released file begins with a line that explains it.
            where = f"{path.name if path else ''}, line {number}"
            source.problems.add("wrong value", where, f"expected an image and a number, got {shown(line)}")
    return result


@dataclass
class _Boxes:
    """What the XML of an image says."""

    size: Size | None = None
    objects: list[tuple[list[str], tuple[Any, ...] | None]] = field(default_factory=list)
    """Things and the four numbers of their box; None for a thing that has none."""


def _scene(source: Source, path: Path, annotations: Path | None, split: str | None, unrelated: list[int]) -> Scene:
    file = _Boxes()
    if annotations is None:
        source.problems.add("unknown reference", path.name, "there is no XML with boxes for these sentences")
    else:
        file = _read_boxes(source, annotations)
    picture = source.picture(path.name, f"{path.stem}.jpg", size=file.size)
    numbers, captions, mentions = _sentences(source, path)
    things = Things(source.problems)
    types: dict[str, str] = {}
    for _, mention in mentions:
        if mention.types:
            types.setdefault(mention.chain, mention.types[0])
    places: dict[str, list[int]] = defaultdict(list)
    for number, (chains, values) in enumerate(file.objects):
        where = f"{annotations.name if annotations else ''}: object[{number}]"
        box = None if values is None else to_box(values, "from one", picture.size, source.problems, where)
        if values is not None and box is None:
            continue
        label = next((types[chain] for chain in chains if chain in types), None)
        place = things.add(number, label, box, id="+".join(chains))
        for chain in chains:
            places[chain].append(place)
    phrases = []
    for caption, mention in mentions:
        if mention.chain not in places and mention.chain != _UNSEEN:
            label = types.get(mention.chain)
            places[mention.chain].append(things.add(("", mention.chain), label, None, id=mention.chain))
        phrases.append(Phrase(caption, mention.start, mention.end, tuple(places.get(mention.chain, ()))))
    metadata: dict[str, Any] = {
        "chains": [mention.chain for _, mention in mentions],
        "types": [list(mention.types) for _, mention in mentions],
    }
    metadata |= {"split": split} if split else {}
    metadata |= {"unrelated": [numbers.index(line) for line in unrelated if line in numbers]} if unrelated else {}
    return Scene(
        path.stem,
        image=picture.path,
        size=picture.size,
        captions=tuple(captions),
        entities=tuple(things.entities),
        phrases=tuple(phrases),
        metadata=metadata,
    )


def _sentences(source: Source, path: Path) -> tuple[list[int], list[str], list[tuple[int, Mention]]]:
    """The lines that hold a sentence, by number; the plain sentences; phrases with the place of their sentence."""
    lines: list[int] = []
    captions: list[str] = []
    mentions: list[tuple[int, Mention]] = []
    for number, line in lines_of(path, source.problems):
        where = f"{path.name}, line {number}"

        def complain(what: str, where: str = where) -> None:
            source.problems.add("wrong value", where, what)

        caption, found = parse(line, complain)
        if not caption.strip():
            complain("holds no words")
            continue
        mentions += [(len(captions), mention) for mention in found]
        captions.append(caption)
        lines.append(number)
    return lines, captions, mentions


def _read_boxes(source: Source, path: Path) -> _Boxes:
    root = _parsed(source, path)
    if root is None:
        return _Boxes()
    size = clean_size(*(_whole(root.findtext(f"size/{name}")) for name in ("width", "height")))
    if size is None:
        source.problems.add("wrong value", path.name, "no usable size of the picture")
    result = _Boxes(size)
    for number, item in enumerate(root.iter("object")):
        where = f"{path.name}: object[{number}]"
        chains = [name for child in item.findall("name") if (name := to_text(child.text)) is not None]
        corners = item.find("bndbox")
        if not chains:
            source.problems.add("wrong value", where, "names nothing that it is a box of")
        elif corners is not None:
            names = ("xmin", "ymin", "xmax", "ymax")
            result.objects.append((chains, tuple(parsed(corners.findtext(name)) for name in names)))
        elif any(item.findtext(name, "").strip() == "1" for name in ("scene", "nobndbox")):
            result.objects.append((chains, None))
        else:
            source.problems.add("wrong value", where, "has neither a box nor a mark that it has none")
    return result


def _parsed(source: Source, path: Path) -> Element | None:
    try:
        data = path.read_bytes()
        # Entities that grow without bound need a document type; no annotation file has one.
        if b"<!" in data.replace(b"<!--", b"") or b"\0" in data:
            raise ParseError("it declares more than an annotation file needs")
        return fromstring(data)
    except (ParseError, ValueError, LookupError) as error:
        source.problems.add("wrong value", path.name, f"is not readable as XML: {error}")
    except OSError as error:
        source.problems.add("wrong value", path.name, f"cannot be read: {error.strerror or error}")
    return None


def _whole(text: str | None) -> int | None:
    value = parsed(text)
    return int(value) if isinstance(value, float) and value.is_integer() else None


FLICKR30K = Format(
    "Flickr30k Entities",
    (
        Part("Sentences", ("Sentences", "*/Sentences"), folder=True),
        Part("Annotations", ("Annotations", "*/Annotations"), folder=True),
        Part("split", ("train.txt", "val.txt", "test.txt"), needed=False),
        Part("unrelated captions", ("UNRELATED_CAPTIONS",), needed=False),
    ),
    "captions, phrases, entities (one a box)",
    read,
    ("images", "flickr30k-images", "flickr30k_images"),
)
