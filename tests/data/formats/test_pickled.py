"""Plain values out of pickles of every protocol; nothing is ever called."""

from __future__ import annotations

import os
import pickle
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lichen.data.formats.pickled import read_pickle
from lichen.errors import InputError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=300),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.tuples(inner, inner, inner, inner)
        | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "refs.p"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(value=VALUES, protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_values_come_back(file: Path, value: Any, protocol: int) -> None:
    file.write_bytes(pickle.dumps(value, protocol))
    assert read_pickle(file) == value


def test_values_that_are_there_twice_stay_one(file: Path) -> None:
    inner = ["x", 1]
    for protocol in range(6):
        file.write_bytes(pickle.dumps([inner, inner], protocol))
        found = read_pickle(file)
        assert found == [inner, inner] and found[0] is found[1]


def test_texts_of_python_2(file: Path) -> None:
    refs = b"(lp0\n(dp1\nS'sent'\np2\nS'caf\\xe9'\np3\nsS'n'\nI3\nsS'l'\nL12L\nsS'u'\nVx\\u20ac\nsS'b'\nI01\nsa."
    file.write_bytes(refs)
    assert read_pickle(file) == [{"sent": "café", "n": 3, "l": 12, "u": "x€", "b": True}]
    file.write_bytes(b"\x80\x02]U\x04caf\xe9a.")
    assert read_pickle(file) == ["café"]


class Program:
    """What a hostile pickle holds."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("protocol", range(6))
def test_programs_are_refused_and_not_run(file: Path, tmp_path: Path, protocol: int) -> None:
    target = tmp_path / "made"
    file.write_bytes(pickle.dumps([{"ref_id": 1}, Program(target)], protocol))
    with pytest.raises(InputError, match=r"more than plain values: the opcode (STACK_)?GLOBAL at byte.*json.dump"):
        read_pickle(file)
    assert not target.exists()


@pytest.mark.parametrize("code", [b"R", b"b", b"iposix\nsystem\n", b"o", b"\x81", b"\x92", b"Pid\n", b"Q", b"\x82\x01"])
def test_each_opcode_that_calls_is_refused(file: Path, code: bytes) -> None:
    file.write_bytes(b"\x80\x02(]K\x01K\x02" + code + b".")
    with pytest.raises(InputError, match="more than plain values"):
        read_pickle(file)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b".",
        b"]",
        b"(.",
        b"e.",
        b"]]a",
        b"h\x07.",
        b"Ka",
        b"Ifour\n.",
        b"\xfe.",
        b"S'x\n.",
        b"}]]s.",
        b"K\x01K\x02a.",
    ],
)
def test_damage_is_no_traceback(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(InputError, match="is no pickle, or a damaged one"):
        read_pickle(file)


def test_random_damage(file: Path) -> None:
    chance = random.Random(4)
    value = [{"ref_id": n, "sentences": [{"sent": "a b", "tokens": ("a", "b")}], "x": 1.5} for n in range(3)]
    good = [pickle.dumps(value, protocol) for protocol in range(6)]
    for _ in range(400):
        data = bytearray(chance.choice(good))
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(data))
            data[place : place + chance.randint(0, 2)] = struct.pack("<H", chance.randrange(65536))[
                : chance.randint(0, 2)
            ]
        file.write_bytes(bytes(data))
        try:
            read_pickle(file)
        except InputError:
            continue


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_pickle(tmp_path / "absent.p")
