"""Tables say what was measured, with units and with what it means; labels of the picture do not hide each other."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lichen.training.comparing import scatter
from lichen.training.comparing.results import Choice, Comparison, Trial
from lichen.training.comparing.tables import to_csv, to_markdown, to_text

from .test_results import COST, SEEDS, comparison


def test_text_has_a_row_a_method_and_explains_itself() -> None:
    text = to_text(comparison(SEEDS, timed_on=512))
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[2:4]] == ["pooled", "lora"]
    assert len({len(line) for line in lines[:4]}) == 1
    assert "70.00 ± 14.14" in lines[2] and "0.150" in lines[2] and "10.0 + 5.0" in lines[2]
    assert "±: standard deviation over seeds. Standard error from the size of the test side: about 3.0 points" in text
    assert "5.0 s, projected from 512 samples" in text and "seeds 0, 1" in text


def test_what_was_not_measured_is_a_dash_and_one_seed_is_told() -> None:
    text = to_text(comparison([{"pooled": SEEDS[0]["pooled"]}]))
    assert text.splitlines()[2].split()[4] == "–" and "One seed: no spread is known." in text
    assert "step:" not in text


def test_ends_of_ranges_left_out_methods_and_divergence_are_told() -> None:
    lost = Trial(1e-2, {}, (), (1.0,), (), diverged=0)
    choice = Choice(((1e-3, 0.5), (1e-2, 0.6)), 1e-2)
    seeds = [SEEDS[0], {**SEEDS[1], "pooled": lost}]
    choices = {"pooled": choice, "lora": Choice(((1e-3, 0.5), (1e-2, 0.6)), 1e-3)}
    text = to_text(comparison(seeds, choices=choices, left_out={"lst": "It is a ladder."}))
    assert "0.01*" in text and "pooled (highest), lora (lowest)" in text
    assert "Left out: lst. It is a ladder." in text and "(1 of 2 diverged)" in text
    assert "2 learning rates a method tried on dev" in text


def test_figures_from_the_side_of_the_choice_are_told() -> None:
    choices = dict.fromkeys(SEEDS[0], Choice(((1e-3, 0.5), (1e-2, 0.6)), 1e-2))
    on_dev = [
        {name: Trial(1e-2, {"dev": {"accuracy": 0.5}}, (), (1.0,), ()) for name in SEEDS[0]},
    ]
    text = to_text(comparison(on_dev, split="dev", examples={"train": 8, "dev": 8}, choices=choices))
    assert "There is no test side: figures are from the dev side, on which the rates were chosen." in text


def test_markdown_is_a_table() -> None:
    lines = to_markdown(comparison(SEEDS)).splitlines()
    assert lines[1].count("---:") == lines[0].count("|") - 2 == lines[2].count("|") - 2


def test_csv_holds_raw_numbers_and_every_seed() -> None:
    pooled, _lora = csv.DictReader(io.StringIO(to_csv(comparison(SEEDS))))
    assert pooled["method"] == "pooled" and pooled["kept_bytes"] == str(COST["kept_bytes"])
    assert (pooled["seed_0"], pooled["seed_1"]) == ("0.8", "0.6")
    assert float(pooled["step_ratio"]) == pytest.approx(0.15)


def crowded() -> Comparison:
    """Nine methods in nearly the same place."""
    names = ["pooled", "probe", "lora", "lora-last", "lora-last2", "lora-checkpointed", "full", "unipt", "sherl@live"]
    return comparison([dict.fromkeys(names, SEEDS[0]["pooled"])])


def test_labels_of_a_crowd_do_not_hide_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    figures: list[Any] = []
    real = scatter.blank_figure
    monkeypatch.setattr(scatter, "blank_figure", lambda *size: figures.append(real(*size)) or figures[0])
    scatter.draw_comparison(crowded(), tmp_path / "compare.png")
    with Image.open(tmp_path / "compare.png") as picture:
        assert picture.width > 1000
    from matplotlib.text import Text

    renderer = figures[0].canvas.get_renderer()
    for axis in figures[0].axes:
        boxes = [Text.get_window_extent(text, renderer) for text in axis.texts]
        assert len(boxes) == 9
        frame = axis.get_window_extent(renderer)
        for number, box in enumerate(boxes):
            assert frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
            assert not any(box.overlaps(other) for other in boxes[:number])


def test_without_results_there_is_no_picture(tmp_path: Path) -> None:
    scatter.draw_comparison(replace(comparison(SEEDS), seeds={}), tmp_path / "compare.png")
    assert not (tmp_path / "compare.png").exists()
