"""What is written for the official tools says the same when it is read back."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from lichen.data.classes import coco_80, hico_600
from lichen.errors import InputError, MissingPackageError
from lichen.metrics import hoi_files
from lichen.metrics.hoi import edges_of_pixels
from lichen.metrics.hoi_files import pixels_of_edges, write_matlab, write_vsrl

from .pairs import pairs

BOX, OTHER = (0.0, 0.0, 10.0, 20.0), (5.5, 6.0, 30.0, 40.0)


def test_pixels_and_edges() -> None:
    boxes = np.array([BOX, OTHER])
    for first in (0, 1):
        np.testing.assert_array_equal(edges_of_pixels(pixels_of_edges(boxes, first), first), boxes)
    assert pixels_of_edges(boxes, 1)[0].tolist() == [1.0, 1.0, 10.0, 20.0]


def test_matlab(tmp_path: Path) -> None:
    # 18 of 600 is to ride a bicycle, 10 the first interaction of bicycles; 160 the first of people.
    assert hico_600()[18] == ("ride", "bicycle") and hico_600()[10].object == "bicycle"
    rows = [(2, 18, BOX, OTHER), (0, 160, OTHER, BOX), (2, 18, OTHER, OTHER), (1, 10, BOX, BOX)]
    files = write_matlab(pairs(rows, [0.5, 0.25, 0.75, 1.0]), 3, tmp_path / "out")
    assert len(files) == 80 and files[0].name == "detections_01.mat" and files[-1].name == "detections_80.mat"
    assert list(coco_80().values())[1] == "bicycle"
    cells = loadmat(files[1])["all_boxes"]
    assert cells.shape == (sum(each.object == "bicycle" for each in hico_600()), 3)
    assert cells[8, 2].tolist() == [
        [0.0, 0.0, 9.0, 19.0, 5.5, 6.0, 29.0, 39.0, 0.5],
        [5.5, 6.0, 29.0, 39.0, 5.5, 6.0, 29.0, 39.0, 0.75],
    ]
    assert cells[0, 1].shape == (1, 9) and sum(cell.size > 0 for cell in cells.ravel()) == 2
    people = loadmat(files[0])["all_boxes"]
    assert people.shape == (10, 3) and people[0, 0][0, 8] == 0.25


def test_the_other_order_of_objects(tmp_path: Path) -> None:
    found = pairs([(0, 0, BOX, OTHER)], [0.5])
    coco, hico = (write_matlab(found, 1, tmp_path / order, order) for order in ("coco", "hico"))  # type: ignore[arg-type]
    # The airplane is the fifth object of COCO and the first by the alphabet.
    assert loadmat(coco[4])["all_boxes"][0, 0].shape == loadmat(hico[0])["all_boxes"][0, 0].shape == (1, 9)
    assert loadmat(coco[0])["all_boxes"][0, 0].size == 0


def test_vsrl_and_the_pickle_that_the_docstring_makes_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roles = pairs([(1, 0, BOX, OTHER), (0, 1, OTHER, (0.0, 0.0, 0.0, 0.0))], [0.5, 0.25])
    agents = pairs([(0, 1, BOX, BOX)], [0.75])
    write_vsrl(roles, [42, 7], tmp_path / "found.json", agents)
    text = (tmp_path / "found.json").read_text("utf-8")
    assert "NaN" not in text and len(json.loads(text)["roles"]) == 25
    assert hoi_files.__doc__ is not None
    code = "\n".join(line[4:] for line in hoi_files.__doc__.splitlines() if line.startswith("    "))
    # The files that the snippet leaves open are closed here, since warnings are errors.
    code = code.replace("json.load(open(", "json.loads(Path(").replace('json"))', 'json").read_text())')
    code = code.replace("pickle.dump(", "made.extend(").replace(', open("found.pkl", "wb"))', ")")
    made: list[dict[str, object]] = []
    monkeypatch.chdir(tmp_path)
    exec(code, {"Path": Path, "made": made})
    records = pickle.loads(pickle.dumps(made))
    assert records[0]["image_id"] == 7 and records[0]["person_box"] == [0.0, 0.0, 9.0, 19.0]
    assert records[0]["hold_obj"] == [5.5, 6.0, 29.0, 39.0, 0.5] and np.isnan(records[0]["hold_agent"])
    assert records[1]["sit_instr"] == [0.0, 0.0, 0.0, 0.0, 0.25] and np.isnan(records[1]["hold_obj"]).all()
    assert records[2]["image_id"] == 42 and records[2]["stand_agent"] == 0.75
    # All that the tool asks of each record.
    assert {len(record) for record in records} == {2 + 25 + 26}


def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = pairs([(3, 599, BOX, BOX)], [0.5])
    with pytest.raises(InputError, match="has picture 3; there are 3"):
        write_matlab(found, 3, tmp_path / "a")
    with pytest.raises(InputError, match="has class 600; HICO-DET has 600"):
        write_matlab(pairs([(0, 600, BOX, BOX)], [0.5]), 3, tmp_path / "a")
    with pytest.raises(InputError, match="no scores"):
        write_matlab(pairs([(0, 0, BOX, BOX)]), 3, tmp_path / "a")
    with pytest.raises(InputError, match="roles have categories to 599 and pictures to 3; there are 25 and 1"):
        write_vsrl(found, [1], tmp_path / "b.json")
    with pytest.raises(InputError, match="agents have no scores"):
        write_vsrl(pairs([], []), [1], tmp_path / "b.json", pairs([(0, 0, BOX, BOX)]))
    assert not any(tmp_path.iterdir())
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'lichen\[metrics\]'"):
        write_matlab(found, 4, tmp_path / "a")
