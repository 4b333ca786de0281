"""JSON in pieces: the same values as in one piece, whatever the size of the pieces; damage is named."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lichen.data.formats import json_stream
from lichen.data.formats.json_stream import elements, lists, members, read_json, starts_with
from lichen.errors import InputError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
small = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.json"


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "CHUNK", 5)


@small
@given(value=VALUES, indent=st.sampled_from([None, 1]), ascii=st.booleans())
def test_any_value_comes_whole(file: Path, value: Any, indent: int | None, ascii: bool) -> None:
    file.write_text(json.dumps(value, indent=indent, ensure_ascii=ascii), "utf-8", errors="surrogatepass")
    try:
        file.read_text("utf-8")
    except UnicodeDecodeError:
        return
    assert read_json(file) == value


@small
@given(value=st.lists(VALUES, max_size=5))
def test_elements_of_a_list(file: Path, value: list[Any]) -> None:
    file.write_text(f"\n {json.dumps(value, indent=2)} \n")
    assert list(elements(file)) == value


@small
@given(value=st.dictionaries(st.text(max_size=5), VALUES, max_size=5))
def test_members_and_lists_of_an_object(file: Path, value: dict[str, Any]) -> None:
    file.write_text(json.dumps(value))
    assert list(members(file)) == list(value.items())
    expected: list[tuple[str, int | None, Any]] = []
    for name, item in value.items():
        whole = not isinstance(item, list) or not item
        expected += [(name, None, item)] if whole else [(name, place, part) for place, part in enumerate(item)]
    assert list(lists(file)) == expected


def test_numbers_are_not_cut_in_two(file: Path) -> None:
    file.write_text(f"[{', '.join(str(10**k + 7) for k in range(30))}, 1.5e-3, -12]")
    assert list(elements(file)) == [10**k + 7 for k in range(30)] + [1.5e-3, -12]
    file.write_text("123456789")
    assert read_json(file) == 123456789


def test_a_name_that_occurs_twice_comes_twice(file: Path) -> None:
    file.write_text('{"a": 1, "a": 2}')
    assert list(members(file)) == [("a", 1), ("a", 2)]


def test_elements_come_before_the_file_is_read(file: Path) -> None:
    file.write_text("[1, 2, 3, " + "4, " * 1000 + "}")
    found = elements(file)
    assert [next(found) for _ in range(3)] == [1, 2, 3]
    with pytest.raises(InputError, match="near character 3,01"):
        list(found)


def test_a_byte_order_mark_and_what_python_also_writes(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf[NaN, Infinity]")
    found = list(elements(file))
    assert math.isnan(found[0]) and found[1] == math.inf


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; expected a JSON list"),
        (b" \n", "is empty; expected a JSON list"),
        (b'{"a": 1}', "holds an object; expected a JSON list"),
        (b"null", "holds null; expected a JSON list"),
        (b"12", "holds a number; expected a JSON list"),
        (b"[1, 2", "not readable as JSON, near character"),
        (b"[1 2]", r"near character 3: expected ',' or '\]'"),
        (b"[1,]", "not readable as JSON, near character 3"),
        (b"[1] 2", "more text after the end"),
        (b'["\xff"]', "the byte 0xff is not UTF-8"),
        (b'["\xc3', "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" + b"9" * 5000 + b"]", "not readable as JSON"),
    ],
)
def test_damage_is_named(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(elements(file))


@pytest.mark.parametrize("content", ['{"a" 1}', '{"a": 1 "b": 2}', "{a: 1}", '{"a": 1,}', '{"a": [1,}', "{1: 2}"])
def test_damaged_objects_are_named(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(InputError, match="not readable as JSON"):
        list(lists(file))
    with pytest.raises(InputError, match="not readable as JSON"):
        list(members(file))


def test_absent_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        list(elements(tmp_path / "absent.json"))
    with pytest.raises(InputError, match="There is no file"):
        starts_with(tmp_path)
    (tmp_path / "x").write_text("  [")
    assert starts_with(tmp_path / "x") == "["
