"""Scenes as graphs in two formats that other programs read: GraphML (networkx, Gephi, yEd) and DOT (Graphviz).

A thing with a box is a node, a relation an edge; several pictures are parts of one graph that nothing joins. Phrases
are nodes too, joined to the things that they mean by edges called "means".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from xml.etree import ElementTree

from .scene import Scene

Node = tuple[str, dict[str, str | float]]
Edge = tuple[str, str, dict[str, str | float]]
_NAMESPACE = "http://graphml.graphdrawing.org/xmlns"


def to_graphml(scenes: Sequence[Scene]) -> str:
    """One directed graph in GraphML.

    Nodes have `picture`, `label`, `x1`, `y1`, `x2`, `y2` (pixels) and `score`, edges `label` and `score`, as far as
    they are known.
    """
    nodes = [node for number, scene in enumerate(scenes) for node in _nodes(number, scene)]
    edges = [edge for number, scene in enumerate(scenes) for edge in _edges(number, scene)]
    root = ElementTree.Element("graphml", {"xmlns": _NAMESPACE})
    keys: dict[tuple[str, str], str] = {}
    for kind, values in [*(("node", each[1]) for each in nodes), *(("edge", each[2]) for each in edges)]:
        for name, value in values.items():
            if (kind, name) not in keys:
                keys[kind, name] = f"{kind}-{name}"
                told = {"id": keys[kind, name], "for": kind, "attr.name": name}
                told["attr.type"] = "string" if isinstance(value, str) else "double"
                ElementTree.SubElement(root, "key", told)
    graph = ElementTree.SubElement(root, "graph", {"id": "scenes", "edgedefault": "directed"})
    for name, values in nodes:
        _filled(ElementTree.SubElement(graph, "node", {"id": name}), "node", values, keys)
    for start, end, values in edges:
        _filled(ElementTree.SubElement(graph, "edge", {"source": start, "target": end}), "edge", values, keys)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _filled(
    element: ElementTree.Element, kind: str, values: Mapping[str, str | float], keys: Mapping[tuple[str, str], str]
) -> None:
    for name, value in values.items():
        entry = ElementTree.SubElement(element, "data", {"key": keys[kind, name]})
        entry.text = _printable(value) if isinstance(value, str) else f"{value:.6g}"


def _printable(text: str) -> str:
    """Text without the characters that XML, or any file in UTF-8, cannot hold."""
    return "".join(letter for letter in text if letter in "\t\n\r" or (letter >= " " and not _unwritable(letter)))


def _unwritable(letter: str) -> bool:
    return "\ud800" <= letter <= "\udfff" or letter in "\ufffe\uffff"


def to_dot(scenes: Sequence[Scene]) -> str:
    """One directed graph in DOT, each picture a cluster of its own."""
    lines = ["digraph scenes {", "  rankdir=LR;", '  node [shape=box, style=rounded, fontname="sans-serif"];']
    for number, scene in enumerate(scenes):
        lines += [f"  subgraph cluster_{number} {{", f"    label={_text(scene.id)};"]
        for name, values in _nodes(number, scene):
            shape = ", shape=plaintext" if values["kind"] == "phrase" else ""
            lines.append(f"    {name} [label={_quoted(values)}{shape}];")
        for start, end, values in _edges(number, scene):
            lines.append(f"    {start} -> {end} [label={_quoted(values)}];")
        lines.append("  }")
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(values: Mapping[str, str | float]) -> str:
    """Label and score between quotes."""
    score = f" {values['score']:.2f}" if "score" in values else ""
    return _text(f"{values['label']}{score}")


def _text(text: str) -> str:
    """Text between quotes."""
    return json.dumps(_printable(text), ensure_ascii=False)


def _nodes(number: int, scene: Scene) -> Iterator[Node]:
    for place, thing in enumerate(scene.entities):
        values: dict[str, str | float] = {"kind": "thing", "picture": scene.id, "label": thing.label or "thing"}
        if thing.box is not None:
            values |= dict(zip(("x1", "y1", "x2", "y2"), map(float, thing.box), strict=True))
        yield f"p{number}_{place}", _scored(values, thing.score)
    for place, phrase in enumerate(scene.phrases):
        words = scene.captions[phrase.caption][phrase.start : phrase.end]
        yield (
            f"p{number}_phrase{place}",
            _scored({"kind": "phrase", "picture": scene.id, "label": words}, phrase.score),
        )


def _edges(number: int, scene: Scene) -> Iterator[Edge]:
    for relation in scene.relations:
        values = _scored({"label": relation.predicate}, relation.score)
        yield f"p{number}_{relation.subject}", f"p{number}_{relation.object}", values
    for place, phrase in enumerate(scene.phrases):
        for entity in phrase.entities:
            yield f"p{number}_phrase{place}", f"p{number}_{entity}", {"label": "means"}


def _scored(values: Mapping[str, str | float], score: float | None) -> dict[str, str | float]:
    return dict(values) if score is None else {**values, "score": float(score)}


GRAPHS: dict[str, Callable[[Sequence[Scene]], str]] = {".graphml": to_graphml, ".dot": to_dot, ".gv": to_dot}
"""By the ending of a file: scenes as the text that stands in it."""
