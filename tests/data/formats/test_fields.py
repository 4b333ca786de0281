"""Values out of records by strangers: of the right type, or None and a note."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from lichen.data.formats.fields import Fields, id_value, listed, parsed, to_id, to_number, to_text, to_whole
from lichen.data.formats.problems import Problems, shown
from lichen.errors import InputError


def fields(**values: Any) -> Fields:
    return Fields(values, Problems(), "file.json", "things", 2)


@pytest.mark.parametrize("value", [7, 7.0, "7", " 7 "])
def test_one_id_however_it_is_written(value: Any) -> None:
    assert to_id(value) == "7"


@pytest.mark.parametrize("value", [True, None, 7.5, "", " ", [7], {}, math.nan, math.inf, 10**400, "\ud800", "x" * 201])
def test_what_is_no_id(value: Any) -> None:
    assert to_id(value) is None


def test_ids_as_files_write_them() -> None:
    assert [id_value(text) for text in ("7", "x7", "007", "9" * 30)] == [7, "x7", 7, "9" * 30]


def test_texts_and_numbers() -> None:
    assert to_text("  a b\n") == "a b"
    assert [to_text(value) for value in (" ", "\udfff", 3, None)] == [None] * 4
    assert [to_number(value) for value in (3, 2.5, True, "3", math.nan, 10**400)] == [3.0, 2.5, None, None, None, None]
    assert [to_whole(value) for value in (3, 3.0, 2.5, 2**70)] == [3, 3, None, 2**70]


def test_good_values_leave_no_note() -> None:
    record = fields(
        **{"name": " dog ", "id": 7, "x": 1.5, "n": 4.0, "flag": 1, "width": 9, "height": 8, "list": [1], "t": ["a"]}
    )
    assert (record.text("name"), record.id("id"), record.number_of("x"), record.whole("n")) == ("dog", "7", 1.5, 4)
    assert record.flag("flag") and not record.flag("absent")
    assert (record.size(), list(record.items("list")), record.texts("t")) == ((9, 8), [1], ["a"])
    assert record.text("absent", needed=False) is None and record.text("absent", needed=False) is None
    assert record.record("absent", needed=False) is None and not record.problems


@pytest.mark.parametrize(
    ("ask", "values"),
    [
        (lambda f: f.text("a"), {}),
        (lambda f: f.text("a", needed=False), {"a": 3}),
        (lambda f: f.id("a"), {"a": [1]}),
        (lambda f: f.number_of("a"), {"a": "3"}),
        (lambda f: f.whole("a"), {"a": 3.5}),
        (lambda f: f.flag("a"), {"a": 2}),
        (lambda f: f.flag("a"), {"a": "yes"}),
        (lambda f: f.size(), {"width": 3}),
        (lambda f: f.size(needed=True), {}),
        (lambda f: f.listed_size("a"), {"a": [3, 0]}),
        (lambda f: f.listed_size("a"), {"a": [3]}),
        (lambda f: f.listed_size("a"), {}),
        (lambda f: f.numbers("a", 4), {"a": [[1, 2], [3, "4"]]}),
        (lambda f: f.numbers("a", 3), {"a": [1, 2]}),
        (lambda f: f.numbers("a", 2, needed=False), {"a": 3}),
        (lambda f: f.items("a"), {"a": {"b": 1}}),
        (lambda f: f.texts("a"), {"a": ["x", 3]}),
        (lambda f: list(f.records("a")), {"a": [{}, 7]}),
        (lambda f: f.record("a"), {"a": []}),
        (lambda f: list(f.members("a")), {"a": {"x": 1}}),
    ],
)
def test_wrong_values_leave_one_note(ask: Any, values: dict[str, Any]) -> None:
    record = fields(**values)
    ask(record)
    assert dict(record.problems.counts) == {"wrong value": 1}
    with pytest.raises(InputError):
        ask(Fields(values, Problems(strict=True), "file.json"))


def test_numbers_in_rows_and_sizes_in_lists() -> None:
    record = fields(a=[[1, 2], [3, 4.5]], b=[1, 2], size=[640, 480.0])
    assert record.numbers("a", 4) == [1.0, 2.0, 3.0, 4.5] and record.numbers("b", 2) == [1.0, 2.0]
    assert record.numbers("c", 2, needed=False) is None and record.listed_size("size") == (640, 480)
    assert not record.problems and parsed("2.5") == 2.5 and parsed("x") == "x" and parsed(None) is None


def test_places_are_named() -> None:
    record = fields(a={"b": [{}, {}]})
    inner = record.record("a")
    assert inner is not None
    part = list(inner.records("b"))[1]
    assert str(part) == "file.json: things[2].a.b[1]"
    assert str(Fields({}, Problems(), "file.json", "", 4)) == "file.json[4]"
    top = Fields({"list": [{}]}, Problems(), "file.json")
    assert str(next(iter(top.records("list")))) == "file.json: list[0]"
    part.text("name")
    assert part.problems.examples["wrong value"] == [
        "file.json: things[2].a.b[1]: no usable 'name': expected a text, got nothing"
    ]


def test_a_list_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"info": {}, "data": [{"a": 1}, 3], "more": [4]}))
    problems = Problems()
    assert [record.values for record in listed(path, "data", problems)] == [{"a": 1}, {}]
    assert problems.examples["wrong value"] == ["x.json: data[1]: expected an object, got 3"]
    with pytest.raises(InputError, match=r"has no list 'date'\. Did you mean 'data'"):
        list(listed(path, "date", problems))
    with pytest.raises(InputError, match="has no list 'info'"):
        list(listed(path, "info", problems))


def test_examples_are_few_and_counts_are_not() -> None:
    problems = Problems(listed=2)
    for number in range(7):
        problems.add("unknown class", f"file[{number}]", "no such class")
    problems.add("duplicate id", "file[9]", "twice")
    assert len(problems) == 8 and bool(problems) and not Problems()
    assert problems.to_dict() == {
        "unknown class": {"count": 7, "first": ["file[0]: no such class", "file[1]: no such class"]},
        "duplicate id": {"count": 1, "first": ["file[9]: twice"]},
    }
    assert problems.lines()[0].startswith("7 × unknown class") and problems.lines()[3] == "    … and 5 more"
    with pytest.raises(ValueError, match="Did you mean 'duplicate id'"):
        problems.add("duplicated id", "x", "y")


def test_messages_stay_short() -> None:
    loop: list[Any] = []
    loop += [loop] * 8
    wide: Any = "x"
    for _ in range(30):
        wide = [wide] * 9
    for value in ("x" * 10**6, wide, loop, {"a" * 500: "b" * 500}, 10**6000, "\ud800", list(range(10**5))):
        assert len(shown(value)) < 600 and shown(value).encode()
