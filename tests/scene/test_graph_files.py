"""Scenes as GraphML and DOT: read back by other means."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from lichen.scene import Entity, Phrase, Relation, Scene
from lichen.scene.graph_files import GRAPHS, to_dot, to_graphml

NAMES = {"g": "http://graphml.graphdrawing.org/xmlns"}
STREET = Scene(
    "street <1>",
    size=(90, 60),
    captions=('a "man" rides',),
    entities=(Entity("man", (1.0, 2.0, 30.5, 40.0), score=0.5), Entity("horse", (5.0, 6.0, 7.0, 8.0)), Entity(None)),
    relations=(Relation(0, "rides & holds", 1, 0.25),),
    phrases=(Phrase(0, 0, 7, (0,), 0.75), Phrase(0, 8, 13)),
)


def _read(text: str) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    root = ElementTree.fromstring(text)
    names = {key.get("id"): key.get("attr.name") for key in root.findall("g:key", NAMES)}
    found: tuple[list[dict[str, str]], list[dict[str, str]]] = ([], [])
    for kind, rows in zip(("node", "edge"), found, strict=True):
        for element in root.findall(f"g:graph/g:{kind}", NAMES):
            values = {str(names[data.get("key")]): data.text or "" for data in element.findall("g:data", NAMES)}
            rows.append({**dict(element.items()), **values})
    return found


def test_graphml_holds_boxes_relations_and_phrases() -> None:
    nodes, edges = _read(to_graphml([STREET, STREET]))
    assert len(nodes) == 2 * 5 and len({node["id"] for node in nodes}) == len(nodes)
    man, horse, thing, said, bare = nodes[:5]
    assert (man["label"], float(man["x2"]), float(man["score"]), man["picture"]) == ("man", 30.5, 0.5, "street <1>")
    assert "score" not in horse and float(horse["y1"]) == 6 and thing["label"] == "thing" and "x1" not in thing
    assert said["kind"] == "phrase" and said["label"] == 'a "man"' and bare["label"] == "rides"
    ride, means = edges[:2]
    assert (ride["source"], ride["target"], ride["label"]) == (man["id"], horse["id"], "rides & holds")
    assert float(ride["score"]) == 0.25 and (means["source"], means["target"]) == (said["id"], man["id"])
    assert len(edges) == 4 and {edge["source"] for edge in edges[2:]}.isdisjoint({man["id"], said["id"]})


def test_keys_are_declared_with_their_types() -> None:
    root = ElementTree.fromstring(to_graphml([STREET]))
    types = {(key.get("for"), key.get("attr.name")): key.get("attr.type") for key in root.findall("g:key", NAMES)}
    assert types["node", "x1"] == types["edge", "score"] == "double" and types["node", "label"] == "string"


def test_dot_holds_the_same() -> None:
    text = to_dot([STREET])
    assert text.startswith("digraph scenes {") and text.count("{") == text.count("}") == 2
    assert 'label="street <1>";' in text and 'p0_0 [label="man 0.50"];' in text
    assert 'p0_0 -> p0_1 [label="rides & holds 0.25"];' in text and 'p0_phrase0 -> p0_0 [label="means"];' in text
    assert r'p0_phrase0 [label="a \"man\" 0.75", shape=plaintext];' in text


def test_characters_that_no_file_can_hold_are_left_out() -> None:
    odd = Scene("a\x00b\ud800c\ufffe", entities=(Entity("x\x1by\n猫"),), size=(1, 1))
    for make in GRAPHS.values():
        text = make([odd])
        assert not re.search("[\x00\x1b\ud800\ufffe]", text) and "xy" in text and "猫" in text and text.encode()
    assert _read(to_graphml([odd]))[0][0]["picture"] == "abc"


def test_no_scenes_and_empty_ones() -> None:
    assert _read(to_graphml([])) == ([], []) and _read(to_graphml([Scene("s")])) == ([], [])
    assert to_dot([]).count("}") == 1 and set(GRAPHS) == {".graphml", ".dot", ".gv"}
