"""The model card of a run and its metrics in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lichen.tasks.classify import Classify
from lichen.tasks.retrieve import Retrieve
from lichen.tasks.task import HeadConfig
from lichen.training.card import run_card
from lichen.training.report import shown, table_of_metrics

METRICS = {
    "dev": {"accuracy": 0.9, "matthews": 0.8, "accuracy/up": 1.0},
    "test": {"accuracy": 0.875, "matthews": -0.25, "accuracy/up": 0.5},
}
FACTS = {"examples": 1234, "steps": 50, "seconds": 3.21, "kept_bytes": 2**20 * 3, "metrics": METRICS}


def settings(model: str = "owner/bert", **more: Any) -> dict[str, Any]:
    part = {
        "fingerprint": {
            "model_id": model,
            "architecture": "BertModel of width 16",
            "dtype": "float32",
            "weights": "ab" * 32,
        },
        "side": {"method": "unipt"},
    }
    return {"task": "classify", "trained_parameters": 12345, "parts": {"input": part}, "facts": FACTS, **more}


def test_a_card_says_what_it_is_and_how_well_it_answers() -> None:
    card = run_card(settings())
    header, _, body = card.removeprefix("---\n").partition("\n---\n")
    assert "library_name: lichen" in header and "base_model: [owner/bert]" in header
    assert "# classify beside owner/bert" in body and "12,345 trained parameters" in body
    assert "| metric | dev | test |" in body and "| accuracy | 0.9000 | 0.8750 |" in body
    assert "accuracy/up" not in body
    assert "| examples | 1,234 |" in body and "| steps | 50 |" in body and "| training | 3.2 s |" in body
    assert "3.00 MiB a batch" in body and "`abababababababab…`" in body
    assert "lichen predict" in body


def test_a_folder_is_not_named_in_public(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models" / "bert").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for path in (str(tmp_path / "models"), "./models", "~/models", "models/bert", ""):
        card = run_card(settings(path))
        assert "base_model" not in card and "# classify beside BertModel of width 16" in card
        assert not path or path not in card
    embedded = run_card(settings("embedded:minilm"))
    assert "base_model" not in embedded and "beside embedded:minilm" in embedded


def test_what_was_not_measured_is_left_out() -> None:
    card = run_card(settings(facts={"steps": None}))
    assert "metric" not in card.partition("lichen evaluate")[2].partition("Backbones")[0] and "None" not in card


def test_two_backbones_are_both_named() -> None:
    one, other = settings("owner/vit")["parts"]["input"], settings("owner/bert")["parts"]["input"]
    card = run_card(settings(task="retrieve", parts={"image": one, "text": other}))
    assert "# retrieve beside owner/bert and owner/vit" in card
    assert "base_model: [owner/bert, owner/vit]" in card
    assert "| image | unipt beside owner/vit |" in card and "| text | unipt beside owner/bert |" in card


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("accuracy", 0.87512, "87.51 %"),
        ("matthews", 0.5, "0.5000"),
        ("rsum", 412.34, "412.3"),
        ("image_to_text/r1", 0.5, "50.00 %"),
        ("image_to_text/median_rank", 3.0, "3.0"),
        ("image_to_text/left_out", 2.0, "2"),
    ],
)
def test_metrics_as_people_write_them(name: str, value: float, expected: str) -> None:
    assert shown(name, value) == expected


def test_a_table_begins_with_what_counts_and_leaves_single_classes_out() -> None:
    lines = table_of_metrics(Classify(("up", "down"), False, HeadConfig()), METRICS).splitlines()
    assert lines[0].split() == ["dev", "test"]
    assert [line.split()[0] for line in lines[1:]] == ["accuracy", "matthews"]
    assert lines[1].split()[1:] == ["90.00", "%", "87.50", "%"]
    found = {"dev": {"image_to_text/r1": 0.5, "rsum": 300.0}}
    lines = table_of_metrics(Retrieve(("image", "text"), HeadConfig()), found).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["rsum", "image_to_text/r1"]
