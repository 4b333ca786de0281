"""Cuboids of 3D-PRNN, oriented boxes, MATLAB files, clips with boxes."""

from __future__ import annotations

import json
import random
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from lichen.data.formats.clips import natural
from lichen.data.formats.matlab import load_mat, to_list, to_rows
from lichen.data.formats.primitives import rotation
from lichen.errors import InputError
from lichen.scene import Solid, Track

from . import tiny, tiny_files, tiny_words
from .reading import read, read_files
from .tiny_files import Files, write

UNIT = np.array([(x, y, z) for z in (0, 1) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))]) - 0.5


def corners(solid: Solid) -> np.ndarray:
    """The eight corners in the world."""
    turn = np.array(solid.rotation).reshape(3, 3)
    return np.array(solid.centre) + UNIT * np.array(solid.size) @ turn.T


def primset(*objects: dict[str, Any]) -> bytes:
    cell = np.empty((1, len(objects)), dtype=object)
    cell[0, :] = objects
    return tiny_files.mat({"primset": cell})


# --- 3D-PRNN


def test_primitives(tmp_path: Path) -> None:
    scenes, _ = read("3d-prnn", tmp_path)
    seat, leg = scenes[0].solids
    assert seat == Solid((16.0, 16.0, 11.0), (20.0, 20.0, 2.0), part="2")
    # The least corner is that of the box before it is turned, about its centre.
    assert (leg.centre, leg.size, leg.part) == ((7.0, 7.0, 5.0), (2.0, 2.0, 10.0), "3")
    assert leg.mirror == (1.0, 0.0, 0.0, 16.0) and seat.mirror is None


@pytest.mark.parametrize("axis", range(3))
def test_points_are_rows_in_the_files(axis: int) -> None:
    turn = np.zeros(3)
    turn[axis] = 0.4
    rodrigues = Rotation.from_rotvec(turn).as_matrix()
    points = np.random.default_rng(axis).normal(size=(5, 3))
    # p' = p R for rows is the matrix times p for columns.
    assert np.allclose(points @ rodrigues, points @ rotation(turn).T, atol=1e-12)


@pytest.mark.parametrize("axis", range(3))
def test_the_reflection_of_a_primitive_is_its_mirrored_copy(axis: int, tmp_path: Path) -> None:
    turn = np.eye(3)[axis].tolist()
    sign = 1 if axis == 0 else -1
    one = [0.0] * 10 + [4, 3, 6, 5, 8, 2, *turn, 0.3]
    other = [0.0] * 10 + [4, 3, 6, 30 - 5 - 4, 8, 2, *turn, sign * 0.3]
    pair = {"ori": np.array([one]), "sym": np.array([other]), "cls": np.array([1])}
    alone = {"ori": np.array([other]), "sym": np.zeros((1, 20)), "cls": np.array([1])}
    write({"primset.mat": primset(pair, alone)}, tmp_path)
    scenes, problems = read_files("3d-prnn", tmp_path)
    (solid,), (copy,) = scenes[0].solids, scenes[1].solids
    assert solid.mirror == (1.0, 0.0, 0.0, 15.0) and problems == {}
    reflected = corners(solid) * (-1, 1, 1) + (2 * 15.0, 0, 0)
    order = [np.abs(reflected - corner).sum(1).argmin() for corner in corners(copy)]
    assert sorted(order) == list(range(8)) and np.allclose(reflected[order], corners(copy), atol=1e-9)


def test_corners_of_the_authors_code(shared_data: Path, tmp_path: Path) -> None:
    case = json.loads((shared_data / "golden" / "solids.json").read_text())["cases"]["cuboid.conversions"]
    rows = [item["prim (size 3, minimum corner 3, axis 3, angle)"] for item in case["cuboids"]]
    copies = [item["mirror"] or [0.0] * 10 for item in case["cuboids"]]
    file = primset(
        {"ori": np.array([[0.0] * 10 + row for row in rows]), "sym": np.array([[0.0] * 10 + c for c in copies])}
    )
    write({"primset.mat": file}, tmp_path)
    scenes, problems = read_files("3d-prnn", tmp_path)
    assert problems == {} and len(scenes[0].solids) == len(rows) > 2
    for solid, item in zip(scenes[0].solids, case["cuboids"], strict=True):
        found = np.minimum(corners(solid), case["V"]) / case["V"]
        assert np.allclose(found, item["corners_div_V"], atol=1e-9)
        assert (solid.mirror is not None) == item["has_mirror"]
        assert solid.mirror is None or solid.mirror == pytest.approx((1, 0, 0, case["V"] / 2))


@pytest.mark.parametrize(
    ("changes", "problems", "solids"),
    [
        ({"ori": np.zeros((1, 19))}, {"wrong value": 1}, 0),
        ({"ori": "none"}, {"wrong value": 1}, 0),
        ({"sym": np.zeros((3, 20))}, {"wrong value": 1}, 2),
        ({"cls": np.array([1, 2, 3])}, {"wrong value": 1}, 2),
        ({"ori": np.zeros((2, 20))}, {"wrong value": 2}, 0),
        ({"ori": np.full((2, 20), np.nan)}, {"wrong value": 2}, 0),
        # A copy that is no mirror image is kept as it stands.
        ({"sym": np.array([[0.0] * 20, [0.0] * 10 + [1, 2, 3, 4, 5, 6, 0, 0, 0, 0]])}, {"wrong value": 1}, 3),
    ],
)
def test_primitives_with_faults(changes: dict[str, Any], problems: dict[str, int], solids: int, tmp_path: Path) -> None:
    rows = np.array([[0.0] * 10 + [4, 3, 6, 5, 8, 2, 0, 0, 0, 0]] * 2)
    chair = {"ori": rows, "sym": np.zeros((2, 20)), "cls": np.array([1, 2]), **changes}
    write({"primset.mat": primset(chair)}, tmp_path)
    scenes, found = read_files("3d-prnn", tmp_path)
    assert found == problems and len(scenes[0].solids) == solids


# --- MATLAB files


def loaded(tmp_path: Path, compress: bool = False, **variables: Any) -> dict[str, Any]:
    file = BytesIO()
    savemat(file, variables, do_compression=compress)
    (tmp_path / "x.mat").write_bytes(file.getvalue())
    return load_mat(tmp_path / "x.mat")


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("form", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_numbers_come_as_they_were(form: str, compress: bool, tmp_path: Path) -> None:
    table = np.arange(12).reshape(3, 4).astype(form)
    found = loaded(tmp_path, compress, table=table, cube=np.arange(24.0).reshape(2, 3, 4), one=np.array(7, form))
    assert found["table"].dtype == form and np.array_equal(found["table"], table)
    assert np.array_equal(found["cube"], np.arange(24.0).reshape(2, 3, 4)) and found["one"] == 7


def test_texts_structs_and_cells(tmp_path: Path) -> None:
    cell = np.empty((2, 1), dtype=object)
    cell[:, 0] = ["first", np.array([1.0, 2.0])]
    struct = {"name": "chair", "inner": {"a": 1}, "none": np.empty((0, 0)), "empty": ""}
    several = np.array([(1, "x"), (2, "yy")], dtype=[("id", "O"), ("word", "O")])
    found = loaded(tmp_path, text="héllo", cell=cell, struct=struct, several=several, rows=np.array(["ab", "cde"]))
    assert found["text"] == "héllo" and found["rows"] == ["ab", "cde"]
    assert found["cell"][0] == "first" and np.array_equal(found["cell"][1], [[1.0, 2.0]])
    assert (found["struct"]["name"], found["struct"]["inner"], found["struct"]["empty"]) == ("chair", {"a": 1}, "")
    assert found["several"] == [{"id": 1, "word": "x"}, {"id": 2, "word": "yy"}]
    assert load_mat(tmp_path / "x.mat", ["text"]) == {"text": "héllo"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no MATLAB file"),
        (b"MATLAB 7.3 MAT-file" + bytes(200), "saved by MATLAB 7.3"),
        (b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + b"\x01\x02\x03", "not readable as a MATLAB file"),
        (
            b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + (9).to_bytes(4, "little") + (8).to_bytes(4, "little") + bytes(8),
            "type 9",
        ),
        (b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + b"\x0f\x00\x00\x00\xff\xff\xff\x7f", "ends too early"),
    ],
)
def test_files_that_are_none(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.mat").write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_mat(tmp_path / "x.mat")


def test_classes_that_no_data_set_uses(tmp_path: Path) -> None:
    from scipy.sparse import eye_array

    with pytest.raises(InputError, match="class 5"):
        loaded(tmp_path, sparse=eye_array(3))
    with pytest.raises(InputError, match="complex"):
        loaded(tmp_path, complex=np.array([1j, 2]))


def test_damage_is_an_error_and_no_crash(tmp_path: Path) -> None:
    good = tiny.hico_mat()["anno_bbox.mat"] + tiny_words.prnn()["Myprimset_all.mat"][128:]
    chance = random.Random(7)
    for _ in range(60):
        data = bytearray(good)
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(128, len(data))] = chance.randrange(256)
        (tmp_path / "x.mat").write_bytes(data)
        try:
            load_mat(tmp_path / "x.mat")
        except InputError:
            continue


def test_lists_and_tables() -> None:
    assert (to_list({"a": 1}), to_list([1, 2]), to_list(np.empty((0, 0))), to_list(None)) == (
        [{"a": 1}],
        [1, 2],
        [],
        [],
    )
    assert to_rows(np.empty((0, 0)), 2).shape == (0, 2) and to_rows(np.ones((3, 3)), 2) is None  # type: ignore[union-attr]
    assert to_rows("x", 2) is None and to_rows(4, 1).tolist() == [[4.0]]  # type: ignore[union-attr]


# --- oriented boxes


def test_oriented_boxes_are_turned_upright(tmp_path: Path) -> None:
    scenes, _ = read("solid-boxes", tmp_path)
    first = scenes[0].solids[1]
    # (z, x, y) of the file is (x, y, z) of a scene; sizes stay along the own axes.
    assert first.centre == pytest.approx((0.3, 0.1, 0.2)) and first.size == pytest.approx((0.3, 0.2, 0.1))
    # The first edge points along x of the file, which is y of a scene.
    assert np.array(first.rotation).reshape(3, 3)[:, 0].tolist() == [0, 1, 0]
    assert [scene.metadata for scene in scenes] == [{"base": 4}, {"base": 5}]


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"size": np.array([[0, 1, 1], [1, 1, 1], [1, 1, 1]])}, {"wrong value": 1}),
        (
            {"axes": np.array([[[1, 0, 0], [1, 0, 0]], [[2, 0, 0], [0, 1, 0]], [[np.nan, 0, 0], [0, 1, 0]]])},
            {"wrong value": 3},
        ),
        ({"offsets": np.array([0, 2, 9])}, {"unknown reference": 1}),
        ({"offsets": np.array([2, 0, 3])}, {"unknown reference": 1}),
    ],
)
def test_oriented_boxes_with_faults(changes: dict[str, Any], problems: dict[str, int], tmp_path: Path) -> None:
    assert read("solid-boxes", tmp_path, changed(**changes))[1] == problems


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": None}, "has no array 'axes'"),
        ({"size": np.ones((2, 3))}, r"size is \(2, 3\); expected \(3, 3\)"),
        ({"center": np.array(["a"] * 3)}, "center holds"),
        ({"center": np.array([{}, {}, {}], dtype=object)}, "not readable as an .npz file"),
        ({"offsets": np.array([0.0, np.inf])}, "offsets must be finite"),
    ],
)
def test_arrays_that_are_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read("solid-boxes", tmp_path, changed(**changes))


def changed(**arrays: Any) -> Any:
    def change(files: Files) -> None:
        found = dict(np.load(BytesIO(files["boxes.npz"]))) | arrays
        file = BytesIO()
        np.savez(file, **{name: value for name, value in found.items() if value is not None})
        files["boxes.npz"] = file.getvalue()

    return change


# --- clips


def test_clips(tmp_path: Path) -> None:
    scenes, _ = read("clips", tmp_path, look=True)
    found = {scene.id: scene for scene in scenes}
    assert found["A"].tracks == (Track(((1.0, 2.0, 11.0, 12.0), None, (3.0, 2.0, 13.0, 12.0)), "dog"),)
    assert [Path(frame).name for frame in found["A"].frames] == ["1.jpg", "2.jpg", "10.jpg"]
    # GOT-10K: out of sight by nan and by absence.label, a caption of two words.
    assert found["b"].tracks == (Track(((1.5, 2.0, 11.5, 12.0), None, None), "dog"),)
    assert found["b"].captions == ("A dog that is running.",)
    # OTB counts from 1, with tabs, blanks or commas.
    assert found["c"].tracks[0].boxes[0] == (1.0, 2.0, 11.0, 12.0) and found["c"].tracks[0].label is None
    assert [track.label for track in found["d"].tracks] == ["cat", "cup"]
    assert found["d"].tracks[0].boxes == ((1.0, 1.0, 6.0, 9.0), None, (10.0, 1.0, 15.0, 9.0))
    assert {scene.size for scene in scenes} == {(40, 30)}


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (lambda f: f["a/track.json"]["frames"][0].update(box=[1, 2, -3, 4]), {"box inverted": 1}),
        (lambda f: f["a/track.json"]["frames"].append({"file": "11.jpg", "box": None}), {"missing picture": 1}),
        (lambda f: f["a/track.json"].update(width=20), {"picture size": 3}),
        (lambda f: f.update({"b/groundtruth.txt": f["b/groundtruth.txt"] + "1,2,3,4"}), {"wrong value": 1}),
        (lambda f: f.update({"b/groundtruth.txt": "a,b,c\n1,2,3,4\n1,2,3,4\n"}), {"wrong value": 1}),
        (lambda f: f.update({"b/absence.label": "0\n7\n1"}), {"wrong value": 1}),
        (
            lambda f: f.update({"d/boxes.jsonl": '{"file": "9.jpg", "label": "x", "bbox": [1, 2, 3, 4]}'}),
            {"unknown reference": 1},
        ),
        (lambda f: f.update({"d/boxes.jsonl": f["d/boxes.jsonl"] + '\n{"file": "1.jpg"}\n{'}), {"wrong value": 2}),
        (lambda f: f.update({"d/boxes.jsonl": f["d/boxes.jsonl"] + "\n" + f["d/boxes.jsonl"]}), {"duplicate id": 4}),
    ],
)
def test_clips_with_faults(change: Any, problems: dict[str, int], tmp_path: Path) -> None:
    scenes, found = read("clips", tmp_path, change, look=True)
    assert found == problems and len(scenes) == 4


def test_otb_follows_several_things_in_one_clip(tmp_path: Path) -> None:
    def two(files: Files) -> None:
        boxes = files.pop("c/groundtruth_rect.txt")
        files |= {"c/groundtruth_rect.1.txt": boxes, "c/groundtruth_rect.2.txt": boxes.replace("2", "5", 1)}

    scenes, problems = read("clips", tmp_path, two, look=True)
    (scene,) = (scene for scene in scenes if scene.id == "c")
    assert [track.boxes[0] for track in scene.tracks] == [(1.0, 2.0, 11.0, 12.0), (4.0, 2.0, 14.0, 12.0)]
    assert problems == {} and len(scenes) == 4 and len(scene.frames) == 3


def test_frames_are_sorted_by_their_numbers() -> None:
    names = ["img10b.jpg", "img2.jpg", "img10a.jpg", "1.jpg"]
    assert [path.name for path in sorted(map(Path, names), key=natural)] == [
        "1.jpg",
        "img2.jpg",
        "img10a.jpg",
        "img10b.jpg",
    ]
