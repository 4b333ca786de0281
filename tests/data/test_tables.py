"""Tables come back as they were written, and damage is reported by its line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lichen.data.tables import Table, read_table
from lichen.errors import InputError

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
many = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def table(folder: Path, name: str, data: str | bytes) -> Table:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_table(path)


def values(read: Table) -> list[dict[str, Any]]:
    return [record.values for record in read.records]


@many
@given(rows=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=6), bom=st.booleans(), unix=st.booleans())
def test_csv_round_trip(tmp_path: Path, rows: list[tuple[str, ...]], bom: bool, unix: bool) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n" if unix else "\r\n", quoting=csv.QUOTE_ALL)
    writer.writerows([("text", "label", "more"), *rows])
    read = table(tmp_path, "t.csv", buffer.getvalue().encode("utf-8-sig" if bom else "utf-8"))
    assert read.columns == ("text", "label", "more")
    assert [tuple(record.values.values()) for record in read.records] == rows


@many
@given(
    rows=st.lists(
        st.lists(TEXTS.filter(lambda text: not set("\t\n\r") & set(text)), min_size=2, max_size=2).filter(any),
        min_size=1,
        max_size=6,
    )
)
def test_tsv_round_trip(tmp_path: Path, rows: list[list[str]]) -> None:
    read = table(tmp_path, "t.tsv", "\n".join("\t".join(row) for row in [["a", "b"], *rows]) + "\n")
    assert [list(record.values.values()) for record in read.records] == rows


@many
@given(rows=st.lists(st.dictionaries(TEXTS, JSON, max_size=4), min_size=1, max_size=6), ascii=st.booleans())
def test_jsonl_round_trip(tmp_path: Path, rows: list[dict[str, Any]], ascii: bool) -> None:
    read = table(tmp_path, "t.jsonl", "\n".join(json.dumps(row, ensure_ascii=ascii) for row in rows))
    assert values(read) == rows
    assert set(read.columns) == {name for row in rows for name in row}


def test_lines_are_counted_through_quoted_breaks(tmp_path: Path) -> None:
    read = table(tmp_path, "t.csv", 'text,label\n"two\nlines",a\n\nnext,b\n')
    assert [(record.line, record.values["text"]) for record in read.records] == [(2, "two\nlines"), (5, "next")]
    read = table(tmp_path, "t.jsonl", '\n{"a": 1}\n\n{"a": 2}\n')
    assert [record.line for record in read.records] == [2, 4]
    read = table(tmp_path, "t.tsv", "a\tb\r\n\r\n1\t2\r\n")
    assert [(record.line, record.values) for record in read.records] == [(3, {"a": "1", "b": "2"})]


def test_only_line_feeds_end_a_line_of_json(tmp_path: Path) -> None:
    text = "one\u2028two\x85three"
    assert values(table(tmp_path, "t.jsonl", json.dumps({"a": text}, ensure_ascii=False))) == [{"a": text}]


def test_quote_marks_in_tsv_are_text(tmp_path: Path) -> None:
    read = table(tmp_path, "t.tsv", 'text\tlabel\n"a film\t1\nthe end"\t0\n')
    assert values(read) == [{"text": '"a film', "label": "1"}, {"text": 'the end"', "label": "0"}]


def test_ten_megabytes_in_a_cell(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    assert before < 10_000_000
    read = table(tmp_path, "t.csv", "text,label\n" + "x" * 10_000_000 + ",a\n")
    assert len(read.records[0].values["text"]) == 10_000_000
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("t.csv", "a,b\n1,2\n3,4,5\n", "line 3: 3 fields where the header has 2 .a, b.*needs quotes"),
        ("t.csv", 'a,b\n"1\n1",2\n3\n', "line 4: 1 fields"),
        ("t.tsv", "a\tb\n1\t2\t3\n", "line 2: 3 fields.*TSV has no way"),
        ("t.csv", 'a,b\n1,"2\n3,4\n', "line 2: unexpected end of data. A quote that is never closed"),
        ("t.csv", 'a,b\n"1"x,2\n', "line 2: ',' expected after '\"'"),
        ("t.csv", b"a,b\n1,2\n3,\0\n", "line 3: a NUL byte"),
        ("t.csv", b"a,b\n1,2\n\xe9,4\n", "line 3: byte 0xe9 is not UTF-8.*iconv"),
        ("t.jsonl", b'{"a": 1}\n{"a": "\xff"}\n', "line 2: byte 0xff is not UTF-8"),
        ("t.csv", "a,b\n1,2\n".encode("utf-16"), "is UTF-16. Save it as UTF-8"),
        ("t.jsonl", '{"a": 1}\n{"a": 2\n', "line 2: not JSON"),
        ("t.jsonl", '{"a": 1}\n[1]\n', "line 2: a list; expected one JSON object"),
        ("t.jsonl", '{"a": ' + "[" * 100_000 + "\n", "line 1: not JSON"),
        ("t.jsonl", "", "holds no rows"),
        ("t.csv", "", "is empty: expected a first line"),
        ("t.csv", "a,b\n", "holds no rows"),
        ("t.csv", "a,b,a\n1,2,3\n", "names a column twice: 'a'"),
        ("t.xlsx", "x", "is no table: expected a file that ends in .csv"),
    ],
)
def test_damage(tmp_path: Path, name: str, data: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        table(tmp_path, name, data)


def test_absent(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_table(tmp_path / "t.csv")


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    read = table(tmp_path, "t.csv", "text,labels\nx,y\n")
    assert read.require("text", "text") == "text"
    with pytest.raises(InputError, match=r"no column 'label'. Did you mean 'labels'.*data.label"):
        read.require("label", "label")
