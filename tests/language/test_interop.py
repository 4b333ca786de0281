"""Texts of four models: read like their own processors read them, written so that they come back, never raising."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.language import convert, from_text, to_text
from lichen.regions import CODES, iou
from lichen.scene import Entity, Expression, Phrase, Scene
from lichen.scene.coco import from_coco, to_coco

FORMATS = ("paligemma", "florence2", "kosmos2", "locca")
SIZE = (200, 100)
CAPTION = "A man walks two dogs near a red boat."
SCENE = Scene(
    "street",
    size=SIZE,
    captions=("Another one.", CAPTION),
    entities=(
        Entity("man", (20.0, 10.0, 60.0, 90.0)),
        Entity("dog", (70.0, 50.0, 100.0, 90.0)),
        Entity("dog", (110.0, 50.0, 140.0, 90.0)),
        Entity("water"),
        Entity("boat", (150.0, 0.0, 200.0, 40.0)),
    ),
    phrases=(
        Phrase(1, 0, 5, (0,)),
        Phrase(1, 12, 20, (1, 2)),
        Phrase(1, 26, 36, (4,)),
        Phrase(1, 6, 11, (3,)),
        Phrase(0, 0, 7, (0,)),
    ),
    expressions=(Expression("the man on the left", 0), Expression("the rightmost dog", 2)),
)


def test_the_texts_themselves() -> None:
    detect = {
        "paligemma": "<loc0102><loc0102><loc0921><loc0307> man ; <loc0512><loc0358><loc0921><loc0512> dog"
        " ; <loc0512><loc0563><loc0921><loc0716> dog ; <loc0000><loc0767><loc0409><loc1023> boat",
        "florence2": "man<loc_100><loc_100><loc_300><loc_900>dog<loc_350><loc_500><loc_500><loc_900>"
        "dog<loc_550><loc_500><loc_700><loc_900>boat<loc_750><loc_0><loc_999><loc_400>",
        "locca": "GCap: [50, 450, 150, 50] : man\nGCap: [175, 450, 250, 250] : dog\n"
        "GCap: [275, 450, 350, 250] : dog\nGCap: [375, 200, 500, 0] : boat",
    }
    for format, text in detect.items():
        assert to_text(SCENE, format) == text
    assert to_text(SCENE, "locca", "refer").splitlines()[0] == "ARef: the man on the left : [50, 450, 150, 50]"
    kosmos = to_text(SCENE, "kosmos2", "ground", caption=1)
    assert kosmos == (
        "<grounding><phrase> A man</phrase><object><patch_index_0099><patch_index_0905></object> walks"
        "<phrase> two dogs</phrase><object><patch_index_0523><patch_index_0911></delimiter_of_multi_objects/>"
        "<patch_index_0529><patch_index_0918></object> near<phrase> a red boat</phrase>"
        "<object><patch_index_0024><patch_index_0415></object>."
    ) or CODES["kosmos2"].find(kosmos)[0].shape == (4, 2)
    assert to_text(SCENE, "locca", "ground", 1).splitlines()[:2] == [
        f"Cap: {CAPTION}",
        "GCap: [50, 450, 150, 50] : A man",
    ]


@pytest.mark.parametrize("format", FORMATS)
def test_every_content_comes_back(format: str) -> None:
    detected = from_text(to_text(SCENE, format), format, SIZE)
    boxed = [entity for entity in SCENE.entities if entity.box is not None]
    assert detected.malformed == {} and [e.label for e in detected.entities] == [e.label for e in boxed]
    assert near(detected.entities, boxed, format)
    referred = from_text(to_text(SCENE, format, "refer"), format, SIZE, "refer")
    assert [item.text for item in referred.expressions] == [item.text for item in SCENE.expressions]
    assert near(referred.entities, [SCENE.entities[0], SCENE.entities[2]], format)
    caption = None if format in ("kosmos2", "locca") else CAPTION
    grounded = from_text(to_text(SCENE, format, "ground", 1), format, SIZE, "ground", caption)
    assert grounded.captions == (CAPTION,) and grounded.malformed == {}
    spans = [(CAPTION[phrase.start : phrase.end], len(phrase.entities)) for phrase in grounded.phrases]
    assert spans == [("A man", 1), ("two dogs", 2), ("a red boat", 1)]
    grounded.add_to(Scene("a", size=SIZE)).validate()
    # What was read is written the same again.
    for what, found in (("detect", detected), ("refer", referred), ("ground", grounded)):
        scene = found.add_to(Scene("a", size=SIZE))
        assert to_text(scene, format, what) == to_text(SCENE, format, what, 1 if what == "ground" else 0)  # type: ignore[arg-type]


def near(found: tuple[Entity, ...], expected: list[Entity], format: str) -> bool:
    """Boxes within half a bin of the format, one cell for Kosmos-2."""
    bins = {"paligemma": 1023, "florence2": 1000, "kosmos2": 16, "locca": 500}[format]
    given_boxes, right = (torch.tensor([e.box for e in each], dtype=torch.float64) for each in (found, expected))
    scale = torch.tensor([*SIZE, *SIZE]).double()
    return bool(((given_boxes - right).abs() / scale <= 0.5 / bins + 1e-9).all())


@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(FORMATS, 2)))
def test_conversions(source: str, target: str) -> None:
    for what in ("detect", "refer", "ground"):
        text = to_text(SCENE, source, what, 1 if what == "ground" else 0)  # type: ignore[arg-type]
        caption = CAPTION if what == "ground" else None
        there, found = convert(text, source, target, SIZE, what, caption)  # type: ignore[arg-type]
        assert found.malformed == {}
        back, _ = convert(there, target, source, SIZE, what, caption)  # type: ignore[arg-type]
        first, second = (
            torch.tensor([e.box for e in from_text(t, source, SIZE, what, caption).entities])  # type: ignore[arg-type]
            for t in (text, back)
        )
        assert first.shape == second.shape
        assert float(iou(first, second).diagonal().min()) > (0.6 if "kosmos2" in (source, target) else 0.97)
        assert words(text) == words(back)


def words(text: str) -> str:
    return re.sub(r"<[^>]*>|\[[^\]]*\]", "", text)


def test_coco_files_by_way_of_scenes(shared_data: Path) -> None:
    folder = shared_data / "coco_mini"
    file = json.loads((folder / "instances.json").read_bytes())
    file["images"] = file["images"][:40]
    known = {image["id"] for image in file["images"]}
    file["annotations"] = [each for each in file["annotations"] if each["image_id"] in known]
    scenes = from_coco(file)
    boxes, worst = 0, 1.0
    for format in ("paligemma", "florence2", "locca"):
        for scene in scenes:
            assert scene.size is not None
            found = from_text(to_text(scene, format), format, scene.size)
            assert found.malformed == {}
            again = found.add_to(Scene(scene.id, size=scene.size))
            made, given_file = (to_coco([each])["instances"]["annotations"] for each in (again, scene))
            categories = {entity.label for entity in scene.entities}
            assert {entity.label for entity in again.entities} == categories and len(made) == len(given_file)
            before, after = (torch.from_numpy(each.boxes) for each in (scene, again))
            if len(before):
                worst = min(worst, float(iou(before, after).diagonal().mean()))
            boxes += len(made)
    print(f"{boxes} boxes of COCO through three formats: mean IoU of the worst picture {worst:.3f}")
    assert boxes > 500 and worst > 0.8


# --- as the models' own processors read them


def test_kosmos2_equals_transformers() -> None:
    reference = pytest.importorskip("transformers.models.kosmos2.processing_kosmos2")
    texts = [
        to_text(SCENE, "kosmos2", "ground", 1),
        "<grounding> An image of<phrase> a snowman</phrase><object><patch_index_0044><patch_index_0863></object>"
        " warming himself by<phrase> a fire</phrase><object><patch_index_0005><patch_index_0911></object>.",
        "<grounding>  A<phrase> dog</phrase> and<phrase> cats </phrase><object><patch_index_0000><patch_index_0033>"
        "</delimiter_of_multi_objects/><patch_index_0100><patch_index_0300></object> sit",
    ]
    for text in texts:
        caption, entities = reference.clean_text_and_extract_entities_with_bboxes(text.removeprefix("<grounding>"))
        found = from_text(text, "kosmos2", (1, 1), "ground")
        assert found.captions == (caption,) and found.malformed == {}
        assert [(caption[p.start : p.end], (p.start, p.end)) for p in found.phrases] == [e[:2] for e in entities]
        boxes = [box for _, _, group in entities for box in group]
        assert [entity.box for entity in found.entities] == [pytest.approx(box) for box in boxes]


def test_florence2_equals_transformers() -> None:
    reference = pytest.importorskip("transformers.models.florence2.processing_florence2")
    processor = object.__new__(reference.Florence2PostProcessor)
    processor.quantize_bins, processor.banned_grounding_tokens = (1000, 1000), ()
    text = "</s><s>" + to_text(SCENE, "florence2") + "</s><pad>"
    theirs = processor.parse_description_with_bboxes_from_text_and_spans(text, SIZE)
    ours = from_text(text, "florence2", SIZE)
    assert [each["cat_name"] for each in theirs] == [entity.label for entity in ours.entities]
    # They cut fractions of pixels off.
    assert [each["bbox"] for each in theirs] == [[int(value) for value in e.box or ()] for e in ours.entities]
    phrases = to_text(SCENE, "florence2", "ground", 1)
    grounded = processor.parse_phrase_grounding_from_text_and_spans(phrases, SIZE)
    found = from_text(phrases, "florence2", SIZE, "ground", CAPTION)
    assert [each["cat_name"] for each in grounded] == [CAPTION[p.start : p.end] for p in found.phrases]
    assert [len(each["bbox"]) for each in grounded] == [len(p.entities) for p in found.phrases]


def test_kosmos2_processor_takes_what_we_write() -> None:
    reference = pytest.importorskip("transformers.models.kosmos2.processing_kosmos2")
    text = to_text(SCENE, "kosmos2")
    entities = reference.extract_entities_with_patch_indices(text)
    assert [entity[0].strip() for entity in entities] == ["man", "dog", "dog", "boat"]


# --- malformed


def test_malformed_texts_keep_what_parses() -> None:
    pali, florence, kosmos = "<loc0102><loc0102><loc0921><loc0307>", "<loc_1><loc_2><loc_300><loc_400>", "<object>"
    cases: list[tuple[str, str, list[str | None], dict[str, int]]] = [
        ("paligemma", f"{pali} man ; <loc0001><loc0002> dog", ["man"], {"incomplete box": 1, "broken markup": 1}),
        ("paligemma", "<loc0921><loc0102><loc0102><loc0307> man", [], {"inverted box": 1}),
        ("paligemma", f"{pali} man ; <loc0001><loc0002><loc5000><loc0009> dog", ["man"], {"number out of range": 1}),
        ("paligemma", f"{pali}<seg001><seg127> man", ["man"], {"mask left out": 1}),
        ("paligemma", f"{pali} ; {pali} dog<eos>", [None, "dog"], {}),
        ("paligemma", pali.replace("><", "> <") + " dog", ["dog"], {}),
        ("florence2", f"man{florence}<loc_5>dog{florence}", ["man", "dog"], {"incomplete box": 1}),
        ("florence2", f"man{florence} dog", ["man"], {"broken markup": 1}),
        ("florence2", f"man<loc_1><loc_2>dog{florence}", ["dog"], {"incomplete box": 1}),
        ("florence2", f"<od>man{florence}", ["man"], {"broken markup": 1}),
        ("florence2", florence, [None], {}),
        (
            "kosmos2",
            f"<phrase> man</phrase>{kosmos}<patch_index_0000><patch_index_0033></object><phrase> dog</phrase>{kosmos}"
            "<patch_index_0000></object>",
            ["man"],
            {"incomplete box": 1},
        ),
        (
            "kosmos2",
            f"<phrase> man</phrase>{kosmos}<patch_index_0033><patch_index_0000></object>",
            [],
            {"inverted box": 1},
        ),
        ("kosmos2", f"{kosmos}<patch_index_0000><patch_index_0033>", [], {"broken markup": 1}),
        ("kosmos2", f"{kosmos}<patch_index_0000> <patch_index_0033></object>", [None], {}),
        ("locca", "GCap: [50, 450, 150, 50] : man\nGCap: [50, 450] : dog", ["man"], {"no such line": 1}),
        ("locca", "gcap: [150, 450, 50, 50] : man", [], {"inverted box": 1}),
        ("locca", "ARef: a man : here : [50,450,150,50]", ["a man : here"], {}),
    ]
    for format, text, labels, malformed in cases:
        found = from_text(text, format, SIZE)
        assert [entity.label for entity in found.entities] == labels, text
        assert found.malformed == malformed, text


MARKUP = (
    "<loc0001> <loc0900> <loc_5> <loc_900> <patch_index_0003> <patch_index_1000> <object> </object> <phrase> </phrase>"
)
PIECES = [
    *MARKUP.split(),
    "</delimiter_of_multi_objects/>",
    "GCap: ",
    "ARef:",
    "<seg001>",
    "</s>",
    " cat",
    " ; ",
    " : ",
]


@settings(max_examples=120, deadline=None)
@given(
    format=st.sampled_from(FORMATS),
    what=st.sampled_from(["detect", "refer", "ground"]),
    text=st.text(max_size=40)
    | st.lists(
        st.sampled_from([*PIECES, "<", "\n", "[1, 9, 8, 2]", "[9, 1]"]),
        max_size=14,
    ).map("".join),
    caption=st.none() | st.just("a cat : cat"),
)
def test_no_text_raises(format: str, what: str, text: str, caption: str | None) -> None:
    found = from_text(text, format, SIZE, what, caption)  # type: ignore[arg-type]
    found.add_to(Scene("a", size=SIZE)).validate()


@settings(max_examples=80, deadline=None)
@given(
    format=st.sampled_from(FORMATS),
    labels=st.lists(st.from_regex(r"[a-zA-Zé0-9'.,:-]+( [a-zA-Z0-9'.]+){0,2}", fullmatch=True), min_size=1, max_size=4),
    numbers=st.lists(st.tuples(*[st.integers(0, 99)] * 4), min_size=4, max_size=4),
)
def test_any_labels_and_boxes_come_back(format: str, labels: list[str], numbers: list[tuple[int, ...]]) -> None:
    boxes = [(float(min(a, c)), float(min(b, d)), max(a, c) + 1.0, max(b, d) + 1.0) for a, b, c, d in numbers]
    entities = tuple(Entity(label, box) for label, box in zip(labels, boxes, strict=False))
    found = from_text(to_text(Scene("a", size=(100, 100), entities=entities), format), format, (100, 100))
    assert [entity.label for entity in found.entities] == labels and found.malformed == {}


def test_phrases_that_are_not_in_the_caption_become_expressions() -> None:
    text = "<loc0102><loc0102><loc0921><loc0307> A MAN ; <loc0102><loc0102><loc0921><loc0307> a whale"
    found = from_text(text, "paligemma", SIZE, "ground", CAPTION)
    assert [CAPTION[p.start : p.end] for p in found.phrases] == ["A man"]
    assert found.expressions == (Expression("a whale", 1),) and found.malformed == {"phrase not in the caption": 1}
    alone = from_text(text, "paligemma", SIZE, "ground")
    assert alone.captions == () and len(alone.expressions) == 2


def test_equal_phrases_are_found_one_after_another() -> None:
    caption = "a dog, a cat and a dog"
    box = "<loc_1><loc_2><loc_300><loc_400>"
    found = from_text(f"a dog{box}a cat{box}a dog{box}", "florence2", SIZE, "ground", caption)
    assert [(p.start, p.end, p.entities) for p in found.phrases] == [(0, 5, (0,)), (7, 12, (1,)), (17, 22, (2,))]
    # Out of the caption's order they are found too.
    turned = from_text(f"a cat{box}a dog{box}a dog{box}", "florence2", SIZE, "ground", caption)
    assert [(p.start, p.entities) for p in turned.phrases] == [(7, (0,)), (17, (1,)), (0, (2,))]


def test_captions_without_boxes() -> None:
    plain = Scene("a", size=SIZE, captions=(CAPTION,))
    for format in FORMATS:
        text = to_text(plain, format, "ground")
        found = from_text(text, format, SIZE, "ground")
        assert found.captions == (CAPTION,) and found.malformed == {}
        assert to_text(Scene("a", size=SIZE), format) == {"kosmos2": "<grounding>"}.get(format, "")


def test_what_a_format_cannot_hold_is_refused() -> None:
    box = (0.0, 0.0, 9.0, 9.0)

    def scene(*labels: str | None) -> Scene:
        return Scene("a", size=SIZE, entities=tuple(Entity(label, box) for label in labels))

    crossing = Scene(
        "a",
        size=SIZE,
        captions=("a b c",),
        entities=(Entity("b", box),),
        phrases=(Phrase(0, 0, 3, (0,)), Phrase(0, 2, 5, (0,))),
    )
    unseen = Scene("a", size=SIZE, entities=(Entity("b"),), expressions=(Expression("it", 0),))
    for given_scene, format, what, message in (
        (scene("a ; b"), "paligemma", "detect", "Scene 'a': 'a ; b' cannot be written in the format of PaliGemma"),
        (scene("a<b"), "florence2", "detect", "Florence-2: it holds '<'"),
        (scene("a", None), "florence2", "detect", "give every entity a label"),
        (scene("<object>"), "kosmos2", "detect", "Kosmos-2: it holds '<'"),
        (scene("[1, 2,3 ,4]"), "locca", "detect", "LocCa: it holds"),
        (scene(None), "locca", "detect", "no box without words"),
        (crossing, "kosmos2", "ground", "phrases that overlap"),
        (unseen, "locca", "refer", "has no box"),
        (scene("a"), "locca", "ground", "no caption 0; it has 0"),
        (Scene("a", entities=(Entity("a", box),)), "locca", "detect", "how large its picture is"),
        (
            Scene("a", size=(5, 5), entities=(Entity("a", (6.0, 0.0, 9.0, 4.0)),)),
            "locca",
            "detect",
            "outside its picture",
        ),
        (scene("a"), "palligemma", "detect", "Did you mean 'paligemma'"),
    ):
        with pytest.raises(InputError, match=message):
            to_text(given_scene, format, what)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least 1×1"):
        from_text("", "locca", (0, 5))
    with pytest.raises(InputError, match="does not hold its caption"):
        convert("<loc0102><loc0102><loc0921><loc0307> man", "paligemma", "kosmos2", SIZE, "ground")
