"""A whole sheet: what is on it, in which colours, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image

from lichen.errors import InputError
from lichen.scene import Entity, Expression, Label, Phrase, Question, Relation, Scene, Solid, TextLine, Track
from lichen.scene.drawing import DrawConfig, draw, draw_frames
from lichen.scene.drawing.naming import name_things
from lichen.scene.drawing.palette import BLANK, COLOURS, PAPER
from lichen.scene.drawing.picture import draw_picture, enlarge, scale_of
from lichen.scene.drawing.words import rows_of

from ..strategies import scenes

EDGE = 12
GREEN = (0, 128, 64)


def green(width: int = 96, height: int = 96) -> Image.Image:
    return Image.new("RGB", (width, height), GREEN)


def count(picture: Image.Image, colour: tuple[int, int, int]) -> int:
    return int((np.asarray(picture) == colour).all(-1).sum())


BALL = Scene("a", size=(96, 96), entities=(Entity("ball", (20.0, 30.0, 60.0, 80.0)),))


def test_small_pictures_grow_by_whole_numbers_and_large_ones_shrink() -> None:
    config = DrawConfig()
    assert [scale_of(size, config) for size in ((96, 96), (64, 64), (341, 256), (640, 480))] == [7, 10, 2, 1]
    assert scale_of((4000, 3000), config) == 0.25
    assert scale_of((4000, 3000), DrawConfig(scale=2)) == 2
    dots = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8))
    np.testing.assert_array_equal(np.asarray(enlarge(dots, 3.0)), np.asarray(dots).repeat(3, 0).repeat(3, 1))


def test_a_frame_lies_on_its_box_in_the_colour_of_its_label() -> None:
    sheet = BALL.draw(green(), scale=4)
    pixels = np.asarray(sheet)[EDGE : EDGE + 384, EDGE : EDGE + 384]
    for row, column in ((120, 160), (319, 160), (200, 80), (200, 239), (121, 160), (200, 81)):
        assert tuple(pixels[row, column].tolist()) == COLOURS[0]
    # Nothing of the inside, and nothing outside but for the label above the top left corner.
    assert tuple(pixels[200, 160].tolist()) == GREEN and tuple(pixels[350, 160].tolist()) == GREEN
    label = pixels[100:119, 80:115]
    assert (label == COLOURS[0]).all(-1).mean() > 0.5 and (label.astype(int).sum(-1) > 700).any()


def test_boxes_are_drawn_without_a_picture_and_for_a_picture_of_another_size() -> None:
    assert count(BALL.draw(scale=4), BLANK) > 300 * 300
    half = BALL.draw(green(48, 48), scale=4)
    np.testing.assert_array_equal(np.asarray(half), np.asarray(BALL.draw(green(), scale=4)))


def test_the_files_of_a_scene_are_opened(tmp_path: Path) -> None:
    green().save(tmp_path / "a.png")
    scene = replace(BALL, image=str(tmp_path / "a.png"))
    np.testing.assert_array_equal(np.asarray(scene.draw()), np.asarray(BALL.draw(green())))
    with pytest.raises(InputError, match=r"the picture 'absent\.png' cannot be opened"):
        replace(BALL, image="absent.png").draw()


def test_wrong_options_and_scenes_that_do_not_hold_together_are_refused() -> None:
    with pytest.raises(InputError, match=r"no option 'sclae' for drawing\. Did you mean 'scale'\?"):
        BALL.draw(sclae=2)
    with pytest.raises(InputError, match=r"relations\[0\]\.object is 4"):
        replace(BALL, relations=(Relation(0, "on", 4),)).draw()


def test_things_have_a_colour_each_where_words_speak_of_them_and_one_a_class_otherwise() -> None:
    box = (0.0, 0.0, 9.0, 9.0)
    plain = Scene("a", entities=(Entity("cat", box), Entity("dog", box), Entity("cat", box), Entity(None, box)))
    names = name_things(plain, DrawConfig())
    assert names.entities == ("cat", "dog", "cat", "?")
    assert names.colours == (COLOURS[0], COLOURS[1], COLOURS[0], COLOURS[2])
    for spoken in (
        replace(plain, relations=(Relation(0, "on", 1),)),
        replace(plain, questions=(Question("Who?", entities=(1,)),)),
        replace(plain, entities=(Entity("cat", box, attributes=("red",)), *plain.entities[1:])),
    ):
        names = name_things(spoken, DrawConfig())
        assert names.entities == ("cat 1", "dog", "cat 2", "?") and names.colours == COLOURS[:4]
    crowd = replace(plain, entities=(Entity("cat", box, attributes=("crowd",)), *plain.entities[1:]))
    assert name_things(crowd, DrawConfig()).entities == ("cat (crowd)", "dog", "cat", "?")


def test_relations_stand_beside_the_picture_in_the_colours_of_the_boxes() -> None:
    things = (Entity("man", (5.0, 5.0, 40.0, 90.0)), Entity("horse", (50.0, 30.0, 90.0, 90.0)))
    scene = Scene("a", size=(96, 96), entities=things, relations=(Relation(0, "riding", 1, 0.5),))
    sheet = scene.draw(green(), scale=4)
    beside = sheet.crop((EDGE + 384 + EDGE, 0, sheet.width, sheet.height))
    assert beside.width > 250 and count(beside, GREEN) == 0
    # Two nodes of at least 40×20 pixels, filled with the colours of their boxes.
    assert min(count(beside, COLOURS[0]), count(beside, COLOURS[1])) > 500
    alone = replace(scene, relations=()).draw(green(), scale=4)
    assert alone.width < sheet.width


def test_what_is_left_out_is_counted() -> None:
    box = (1.0, 1.0, 9.0, 9.0)
    scene = Scene(
        "a",
        size=(96, 96),
        entities=tuple(Entity("cat", box, score=score) for score in (0.1, 0.9, 0.5)),
        relations=(Relation(0, "on", 1), Relation(1, "under", 0)),
    )
    assert name_things(scene, DrawConfig(entities=1)).hidden == {0, 2}
    full, less = scene.draw(), scene.draw(entities=1, relations=1)
    assert less.height > full.height  # by the line that says so
    crowded = Scene("a", size=(60, 60), entities=tuple(Entity("elephant", box) for _ in range(40)))
    _, lost = draw_picture(crowded, None, name_things(crowded, DrawConfig()), DrawConfig(scale=1))
    assert 0 < lost < 40


def test_phrases_have_the_colours_of_their_boxes_in_the_caption() -> None:
    scene = Scene(
        "a",
        captions=("A man on a brown horse.", "Nobody."),
        entities=(Entity("man"), Entity("horse")),
        phrases=(Phrase(0, 0, 5, (0,)), Phrase(0, 9, 22, (1, 0)), Phrase(0, 11, 16), Phrase(0, 17, 22, (1,))),
    )
    rows = rows_of(scene, name_things(scene, DrawConfig()), DrawConfig())
    assert [row.heading for row in rows] == ["caption", "caption"]
    assert ["".join(run.text for run in row.runs) for row in rows] == list(scene.captions)
    found = {run.text: run.lines for run in rows[0].runs}
    grey = found["brown"][0]
    assert found == {
        "A man": (COLOURS[:1],),
        " on ": (),
        "a ": ((COLOURS[1], COLOURS[0]),),
        "brown": (grey, (COLOURS[1], COLOURS[0])),
        " ": ((COLOURS[1], COLOURS[0]),),
        "horse": (COLOURS[1:2], (COLOURS[1], COLOURS[0])),
        ".": (),
    }
    assert grey[0] not in COLOURS
    sheet = scene.draw()
    assert count(sheet, COLOURS[0]) > 50 and count(sheet, COLOURS[1]) > 50


def test_questions_labels_and_expressions_are_written() -> None:
    scene = Scene(
        "a",
        text="once\nupon",
        labels=(Label("dog", 0.25), Label("cat", 0.75)),
        entities=(Entity("cat"), Entity("mat")),
        expressions=(Expression("what it lies on", 1, 0.5),),
        questions=(Question("Who?", ("cat", "dog", "cat", "cow", "hen"), entities=(0,)),),
    )
    rows = rows_of(scene, name_things(scene, DrawConfig()), DrawConfig())
    texts = ["".join(run.text for run in row.runs) for row in rows]
    expected = ["once upon", "what it lies on  0.50", "Who?   cat (2), dog, cow, 1 more", "cat  0.75", "dog  0.25"]
    assert texts == expected
    assert [row.swatches for row in rows[1:3]] == [(COLOURS[1],), (COLOURS[0],)]
    assert [row.bar for row in rows[3:]] == [0.75, 0.25]
    many = replace(scene, questions=scene.questions * 20)
    assert "and 8 more" in [row.runs[0].text for row in rows_of(many, name_things(many, DrawConfig()), DrawConfig())]


def test_attributes_are_told_below_and_not_in_the_label() -> None:
    things = (Entity("cat", attributes=("red", "striped")), Entity("mat"), Entity("cat", attributes=("crowd", "blue")))
    scene = Scene("a", entities=things)
    (row,) = rows_of(scene, name_things(scene, DrawConfig()), DrawConfig())
    assert row.heading == "attributes"
    assert "".join(run.text for run in row.runs) == "cat red, striped   cat (crowd) blue"
    assert [run.lines for run in row.runs if run.lines] == [(COLOURS[:1],), ((COLOURS[2],),)]


def test_a_word_longer_than_the_sheet_stays_on_it() -> None:
    sheet = Scene("a", captions=("x" * 400,)).draw()
    pixels = np.asarray(sheet)
    assert (pixels[:, -EDGE // 2 :] == PAPER).all() and sheet.height > 100


def test_a_track_is_a_trail_to_its_last_box() -> None:
    boxes = tuple((4.0 + 8 * step, 40.0, 14.0 + 8 * step, 50.0) for step in range(8))
    scene = Scene("a", size=(96, 96), tracks=(Track((*boxes[:3], None, *boxes[4:]), "ball"), Track((None,) * 8)))
    pixels = np.asarray(scene.draw(scale=4))[EDGE : EDGE + 384, EDGE : EDGE + 384].astype(int)
    strength = [int(np.abs(pixels[178:182, 4 * x : 4 * x + 4] - BLANK).sum(-1).max()) for x in (17, 49)]
    assert 0 < strength[0] < strength[1]
    assert tuple(pixels[180, 4 * 60].tolist()) == COLOURS[0]
    assert (np.abs(pixels[180, 4 * 72 : 4 * 96] - BLANK).sum(-1) == 0).all()


def test_frames_of_a_clip_are_boxed_and_shown_as_a_strip() -> None:
    boxes = tuple((float(4 * step), 2.0, float(4 * step + 6), 9.0) for step in range(4))
    scene = Scene("a", size=(32, 16), tracks=(Track((*boxes[:3], None), "ball"),))
    frames = [green(32, 16) for _ in range(4)]
    drawn = draw_frames(scene, frames)
    assert [count(frame, COLOURS[0]) for frame in drawn] == [22, 22, 22, 0]
    assert drawn[1].getpixel((4, 2)) == COLOURS[0] and drawn[1].getpixel((5, 4)) == GREEN
    assert draw_frames(scene, frames, DrawConfig(scale=3))[0].size == (96, 48)
    assert scene.draw(frames).height > scene.draw(frames[-1]).height
    with pytest.raises(InputError, match="4 entries, and the clip 2 frames"):
        draw_frames(scene, frames[:2])
    with pytest.raises(InputError, match="There are 2 frames"):
        scene.draw(frames[:2])


def test_a_track_of_an_entity_is_drawn_once() -> None:
    box = (10.0, 10.0, 40.0, 40.0)
    scene = Scene("a", size=(96, 96), entities=(Entity("cat", box),), tracks=(Track((box, box), entity=0),))
    names = name_things(scene, DrawConfig())
    assert names.hidden == {0} and names.tracks == ("cat",) and names.track_colours == (COLOURS[0],)


def test_lines_of_text_are_outlined_and_quoted() -> None:
    outline = ((10.0, 10.0), (80.0, 20.0), (78.0, 40.0), (8.0, 30.0))
    line = TextLine("STOP", (8.0, 10.0, 80.0, 40.0), outline)
    scene = Scene("a", size=(96, 96), lines=(line,))
    pixels = np.asarray(scene.draw(scale=4))[EDGE:, EDGE:]
    # On the slanted upper edge, and not on the corner of the box around it.
    assert tuple(pixels[60, 180].tolist()) != BLANK and tuple(pixels[157, 34].tolist()) == BLANK
    assert count(scene.draw(scale=4), BLANK) < count(Scene("a", size=(96, 96)).draw(green(), scale=4), GREEN)


def test_solids_are_drawn_beside_words_and_a_scene_of_nothing_says_so() -> None:
    scene = Scene("chair", solids=(Solid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), part="seat"),))
    assert scene.draw().width > 700
    assert Scene("a").draw().height < 60


@settings(max_examples=6, deadline=None)
@given(scenes())
def test_anything_can_be_drawn(scene: Scene) -> None:
    assert draw(replace(scene, image=None, frames=(), size=(640, 480)), scale=1).mode == "RGB"
