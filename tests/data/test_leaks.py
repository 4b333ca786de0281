"""Leaks between training and evaluation: found by path, contents, name and looks; and nothing found that is none."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from lichen.data.dataset import Dataset
from lichen.data.leaks import Leak, assert_disjoint, find_leaks
from lichen.errors import InputError
from lichen.scene import Scene


def photograph(seed: int, size: tuple[int, int] = (96, 80)) -> Image.Image:
    """Smooth random colours, which a hash sees as it sees a photograph."""
    colours = np.random.default_rng(seed).integers(0, 256, (6, 7, 3), np.uint8)
    return Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC)


def saved(path: Path, picture: Image.Image, **options: int) -> Scene:
    path.parent.mkdir(exist_ok=True)
    picture.save(path, **options)
    return Scene(path.name, image=str(path))


def ways(train: object, evaluation: object, by: tuple[str, ...] | None = None) -> list[str]:
    report = find_leaks(train, evaluation) if by is None else find_leaks(train, evaluation, by)
    return [leak.way for leak in report.leaks]


def test_different_pictures_are_no_leak(tmp_path: Path) -> None:
    train = [saved(tmp_path / "a" / f"t{seed}.png", photograph(seed)) for seed in range(40)]
    test = [saved(tmp_path / "b" / f"e{seed}.png", photograph(seed)) for seed in range(40, 60)]
    report = assert_disjoint(train, test)
    assert report.leaks == () and report.pictures == {"train/train": 40, "evaluation/evaluation": 20}
    assert str(report) == "Leaks: none. Pictures: train/train 40, evaluation/evaluation 20."


def test_the_same_file_whatever_its_id_and_its_way(tmp_path: Path) -> None:
    scene = saved(tmp_path / "a" / "x.png", photograph(0))
    (tmp_path / "link.png").symlink_to(tmp_path / "a" / "x.png")
    for path in (scene.image, str(tmp_path / "a" / ".." / "a" / "x.png"), str(tmp_path / "link.png")):
        assert ways([scene], [Scene("other", image=path)]) == ["path"]
    assert ways([scene], [Scene("other", image=scene.image)], ("looks",)) == ["looks"]


def test_a_copy_is_found_by_its_contents(tmp_path: Path) -> None:
    train = saved(tmp_path / "a" / "x.png", photograph(0))
    copy = saved(tmp_path / "b" / "y.png", photograph(0))
    assert ways([train], [copy]) == ["contents"]
    assert ways([train], [copy], ("path", "name")) == []


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "smaller": lambda picture: picture.resize((60, 50)),
    "square": lambda picture: picture.resize((224, 224)),
    "grey": lambda picture: picture.convert("L"),
    "paler": lambda picture: ImageEnhance.Contrast(picture).enhance(0.8),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.1),
    "one pixel cut off": lambda picture: picture.crop((0, 0, picture.width - 1, picture.height - 1)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_by_its_looks(tmp_path: Path, change: str) -> None:
    train = [saved(tmp_path / "a" / f"t{seed}.png", photograph(seed)) for seed in range(6)]
    test = [saved(tmp_path / "b" / f"e{seed}.jpg", CHANGES[change](photograph(seed)), quality=60) for seed in range(6)]
    report = find_leaks(train, test)
    assert [(leak.train[1], leak.evaluation[1], leak.way) for leak in report.leaks] == [
        (f"t{seed}.png", f"e{seed}.jpg", "looks") for seed in range(6)
    ]


def test_coco_numbers_agree_over_data_sets() -> None:
    """No picture is there to be opened: names are all that is known of VQA's, COCO's and RefCOCO's pictures."""
    train = {
        "captions": [Scene("9", image="train2017/000000000009.jpg"), Scene("42", image="train2017/000000000042.jpg")],
        "answers": [Scene("77", image="COCO_train2014_000000000077.jpg")],
        "texts": [Scene("42", text="no picture")],
    }
    test = {
        "refer": [Scene("r", image="images/COCO_train2014_000000000042.jpg")],
        "vqa": [Scene("420", image="COCO_val2014_000000000420.jpg"), Scene("7", image="a1b2c3.jpg")],
    }
    report = find_leaks(train, test)
    assert report.leaks == (Leak(("captions", "42"), ("refer", "r"), "name"),)
    assert report.pictures["train/texts"] == 0
    assert report.train_ids("captions") == {"42"} and report.train_ids("answers") == frozenset()
    assert set(report.unread) == {
        "train/captions/9", "train/captions/42", "train/answers/77", "evaluation/refer/r", "evaluation/vqa/420",
        "evaluation/vqa/7",
    }  # fmt: skip
    assert "1 of refer in captions, same name" in str(report) and "6 could not be opened" in str(report)


def test_equal_names_of_unlike_pictures_are_chance(tmp_path: Path) -> None:
    train = [saved(tmp_path / "a" / f"{number}.png", photograph(number)) for number in range(20)]
    test = [saved(tmp_path / "b" / f"{number}.png", photograph(100 + number)) for number in range(20)]
    report = find_leaks(train, test)
    assert report.coincidences + len(report.leaks) == 20 and report.coincidences >= 18
    assert f"{report.coincidences} of one name by chance" in str(report)
    # Unless one of them cannot be seen.
    (tmp_path / "b" / "3.png").write_bytes(b"damaged")
    assert any(leak.evaluation[1] == "3.png" and leak.way == "name" for leak in find_leaks(train, test).leaks)


def test_pictures_in_memory() -> None:
    pixels = np.stack([np.asarray(photograph(seed, (40, 40))) for seed in range(4)])
    scenes = [tuple(Scene(f"{part}{number}", image=f"{number}.png") for number in range(4)) for part in "ab"]
    train = Dataset(scenes[0], {"train": (0, 1, 2, 3)}, pixels=pixels)
    other = np.concatenate([pixels[3:], 255 - pixels[:1], pixels[1:2] // 2 + 60, 255 - pixels[2:3]])
    report = find_leaks(train, Dataset(scenes[1], {"train": (0, 1, 2, 3)}, pixels=other))
    assert [(leak.train[1], leak.evaluation[1], leak.way) for leak in report.leaks] == [
        ("a3", "b0", "contents"),
        ("a1", "b2", "looks"),
    ]

    def encoded(picture: Image.Image) -> bytes:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG")
        return buffer.getvalue()

    files = Dataset(scenes[1], {"train": (0, 1, 2, 3)}, encoded=[encoded(photograph(seed)) for seed in (9, 8, 0, 7)])
    assert [(leak.train[1], leak.evaluation[1], leak.way) for leak in find_leaks(train, files, ("looks",)).leaks] == [
        ("a0", "b2", "looks")
    ]


def test_blank_pictures_look_like_nothing(tmp_path: Path) -> None:
    train = [saved(tmp_path / "a" / f"t{level}.png", Image.new("RGB", (40, 40), (level,) * 3)) for level in (0, 128)]
    test = [saved(tmp_path / "b" / f"e{level}.png", Image.new("RGB", (40, 40), (level,) * 3)) for level in (1, 128)]
    assert [(leak.evaluation[1], leak.way) for leak in find_leaks(train, test).leaks] == [("e128.png", "contents")]


def test_pictures_with_hardly_any_contrast_look_like_nothing(tmp_path: Path) -> None:
    def step(level: int) -> Image.Image:
        values = np.full((40, 40), level, np.uint8)
        values[:, 20:] += 1
        return Image.fromarray(values)

    train, test = saved(tmp_path / "t.png", step(40)), saved(tmp_path / "e.bmp", step(40))
    assert ways([train], [test]) == []


def waves(amplitudes: np.ndarray) -> np.ndarray:
    """A picture with these amplitudes of its lowest 8 by 8 frequencies, from 0 to 255."""
    ticks = np.arange(64)
    basis = np.cos(np.pi * (2 * ticks + 1) * np.arange(8)[:, None] / 128)
    values = basis.T @ amplitudes @ basis
    return values * (110 / np.abs(values).max()) + 128


def test_one_hash_is_not_enough(tmp_path: Path) -> None:
    """Equal signs of all frequencies, other strengths: one hash, another picture."""
    random = np.random.default_rng(0)
    signs = random.choice([-1.0, 1.0], (8, 8))
    signs[0, 0] = 0
    first, second = (Image.fromarray(waves(signs * random.exponential(1, (8, 8))).astype(np.uint8)) for _ in "ab")
    train, test = saved(tmp_path / "a" / "x.png", first), saved(tmp_path / "b" / "y.png", second)
    assert ways([train], [test], ("looks",)) == []


def test_one_bold_shape_is_not_enough(tmp_path: Path) -> None:
    """Thumbnails that correlate by a single strong wave, with other details: the hash tells them apart."""
    pictures = []
    for seed in range(2):
        details = np.random.default_rng(seed).normal(0, 0.02, (8, 8))
        details[0, 1] = 5
        pictures.append(saved(tmp_path / str(seed) / "x.png", Image.fromarray(waves(details).astype(np.uint8))))
    assert ways(pictures[:1], pictures[1:], ("looks",)) == []
    assert ways(pictures[:1], pictures[:1], ("looks",)) == ["looks"]


def test_the_message_lists_the_first_leaks(tmp_path: Path) -> None:
    scenes = [saved(tmp_path / "a" / f"{seed}.png", photograph(seed)) for seed in range(12)]
    with pytest.raises(InputError) as error:
        assert_disjoint({"captions": scenes}, {"vqa": scenes})
    message = str(error.value)
    assert "vqa/0.png is captions/0.png (same path)" in message and "; and 2 more." in message
    assert "10.png" not in message and "leave 'name' out" not in message
    with pytest.raises(InputError, match="leave 'name' out"):
        assert_disjoint([Scene("1", image="x/1.jpg")], [Scene("1", image="y/1.jpg")])


def test_an_unknown_way() -> None:
    with pytest.raises(InputError, match=r"Unknown way of finding leaks 'hash'"):
        find_leaks([], [], ("hash",))
    assert find_leaks([], {}).leaks == ()


def test_real_photographs_do_not_look_alike_and_their_copies_do(shared_data: Path, tmp_path: Path) -> None:
    paths = sorted((shared_data / "coco_mini" / "images").glob("*.jpg"))[:60]
    scenes = [Scene(path.stem, image=str(path)) for path in paths]
    assert assert_disjoint(scenes[:50], scenes[50:]).leaks == ()
    copies = []
    for number, path in enumerate(paths[:20]):
        with Image.open(path) as picture:
            copies.append(
                saved(tmp_path / "b" / f"copy{number}.jpg", picture.convert("L").resize((200, 170)), quality=50)
            )
    assert [leak.way for leak in find_leaks(scenes, copies).leaks] == ["looks"] * 20
