"""Texts and boxes to ids and back, learnt or taken over, saved and loaded."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, models, pre_tokenizers
from tokenizers import Tokenizer as Inner

from lichen.errors import CheckpointError, InputError
from lichen.language import Tokenizer, box_code
from lichen.regions import CODES, CellCode

from .tiny import CODES_HERE, SIZE, TEXTS, TOKENS, boxes, learned


def test_ids_of_the_specification() -> None:
    tokenizer = learned("tokens")
    assert (tokenizer.pad, tokenizer.end, tokenizer.unknown) == (0, 1, 2)
    assert tokenizer.coordinates == (tokenizer.vocabulary - 501, tokenizer.vocabulary)
    assert tokenizer.vocabulary <= 290 + 501
    assert learned(None).coordinates is None and learned("text").coordinates is None


@pytest.mark.parametrize("name", TOKENS)
def test_every_number_survives_text_and_ids(name: str) -> None:
    tokenizer, code = learned(name), CODES_HERE[name]
    assert tokenizer.coordinates is not None
    first = tokenizer.coordinates[0]
    for number in range(code.count):
        text = code.token.format(number)
        assert tokenizer.read(text) == (first + number,)
        assert tokenizer.decode([first + number]) == text
    everything = tuple(range(*tokenizer.coordinates))
    assert tokenizer.read(tokenizer.decode(everything)) == everything
    # As others see it: no library's skip_special_tokens deletes a box.
    whole = tokenizer.to_transformers()
    text = "".join(code.token.format(number) for number in range(code.count))
    assert whole(text, add_special_tokens=False)["input_ids"] == list(everything)
    assert whole.decode(everything, skip_special_tokens=True).replace(" ", "") == text


@pytest.mark.parametrize("name", CODES_HERE)
def test_boxes_survive_text_and_ids(name: str) -> None:
    tokenizer, code = learned(name), CODES_HERE[name]
    given_boxes = boxes(40)
    codes = code.encode(given_boxes, SIZE)
    rows = tokenizer.box_ids(given_boxes, SIZE)
    for numbers, row in zip(codes, rows, strict=True):
        text = tokenizer.decode(row)
        assert text == code.to_text(numbers[None])[0]
        assert tokenizer.read(text) == row
        assert torch.equal(code.find(text)[0][0], numbers)


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=30) | st.text("<at0123>/s pad unk", max_size=40))
def test_any_text_comes_back_small_and_single_spaced(text: str) -> None:
    for name in ("tokens", None):
        tokenizer = learned(name)
        ids = tokenizer.encode(text)
        assert not {tokenizer.pad, tokenizer.end, tokenizer.unknown} & set(ids)
        assert all(tokenizer.words[list(ids)].tolist())
        again = tokenizer.decode(ids)
        assert tokenizer.encode(again) == ids
        assert "  " not in again and again == again.strip(" ")
        assert re.findall("[a-z0-9<>/]", again) == re.findall("[a-z0-9<>/]", unicodedata.normalize("NFC", text).lower())


def test_what_is_written_in_a_caption_is_never_special() -> None:
    tokenizer = learned("tokens")
    for text in ("</s> a cat", "a <pad> cat <unk>", "see <at0007><at0500>"):
        ids = tokenizer.encode(text)
        assert all(tokenizer.words[list(ids)].tolist()) and tokenizer.decode(ids) == text
    found = tokenizer.read("see <at0007> and <at0501> and <at7>")
    assert sum(not word for word in tokenizer.words[list(found)].tolist()) == 1


def test_numbers_have_one_spelling() -> None:
    tokenizer = Tokenizer.learn(["123 12 1 23"] * 50, 300)
    assert [tokenizer.pieces[id].strip() for id in tokenizer.encode("123") if tokenizer.pieces[id].strip()] == [*"123"]


def test_a_word_has_the_same_token_everywhere() -> None:
    tokenizer = Tokenizer.learn(["cat dog"] * 50, 270)
    assert tokenizer.encode("cat dog") == tokenizer.encode("cat") + tokenizer.encode("dog")
    assert tokenizer.encode("Cat\n\tDOG ") == tokenizer.encode("cat dog")
    assert tokenizer.encode(" ") == ()


def test_decoding_stops_at_the_end_and_drops_padding() -> None:
    tokenizer = learned(None)
    ids = tokenizer.encode("a cat")
    assert tokenizer.decode([0, *ids, 0, 1, *ids]) == "a cat" and tokenizer.decode([1]) == ""


def test_learning_is_repeatable_and_bounded() -> None:
    again = Tokenizer.learn(iter(TEXTS), 290, box_code())
    assert again.to_transformers().get_vocab() == learned("tokens").to_transformers().get_vocab()
    assert Tokenizer.learn(TEXTS, 259).vocabulary == 259


def test_save_and_load(tmp_path: Path) -> None:
    for name in (None, *CODES_HERE):
        tokenizer = learned(name)
        tokenizer.save(tmp_path / str(name))
        again = Tokenizer.load(tmp_path / str(name))
        assert again.code == tokenizer.code and again.coordinates == tokenizer.coordinates
        assert (again.pad, again.end, again.unknown) == (0, 1, 2)
        text = "a tiger shark, 12 </s>"
        assert again.encode(text) == tokenizer.encode(text)
    # The file is one that others read.
    inner = Inner.from_file(str(tmp_path / "tokens" / "tokenizer.json"))
    assert inner.token_to_id("<at0500>") == learned("tokens").vocabulary - 1


def test_damaged_folders_are_refused(tmp_path: Path) -> None:
    learned("tokens").save(tmp_path)
    file = tmp_path / "tokenizer.json"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    with pytest.raises(CheckpointError, match="altered or truncated"):
        Tokenizer.load(tmp_path)
    with pytest.raises(CheckpointError):
        Tokenizer.load(tmp_path / "nowhere")


@pytest.mark.parametrize("change", [{"code": {"kind": "cubes"}}, {"pad": "<absent>"}, {"pad": 3}])
def test_settings_of_something_else_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    from lichen.files import sha256, to_json

    learned("tokens").save(tmp_path)
    settings_file = tmp_path / "language.json"
    settings_file.write_bytes(to_json({**json.loads(settings_file.read_text()), **change}))
    manifest = {name: sha256(tmp_path / name) for name in ("tokenizer.json", "language.json")}
    (tmp_path / "manifest.json").write_bytes(to_json({"sha256": manifest}))
    with pytest.raises(CheckpointError):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize(
    ("texts", "vocabulary", "message"),
    [([], 300, "no texts"), (["a"], 258, "259 at least"), ("a cat", 300, "Put it into a list")],
)
def test_bad_texts_are_refused(texts: object, vocabulary: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Tokenizer.learn(texts, vocabulary)  # type: ignore[arg-type]


def test_bad_codes_and_boxes_are_refused() -> None:
    for call, message in (
        (lambda: box_code(bins=1), "at least 2 bins"),
        (lambda: Tokenizer.learn(TEXTS, 290, "florence"), "Did you mean 'florence2'"),
        (lambda: learned(None).box_ids(boxes(1), SIZE), "writes no boxes"),
        (lambda: learned("tokens").box_ids(torch.tensor([[700.0, 0, 800, 9]]).double(), SIZE), "outside its picture"),
    ):
        with pytest.raises(InputError, match=message):
            call()


def test_unknown_styles_and_orders_are_refused(unchecked: None) -> None:
    with pytest.raises(InputError, match=r"style of boxes 'token'\. Did you mean 'tokens'"):
        box_code("token")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="order of coordinates"):
        box_code(order="xywh")  # type: ignore[arg-type]


# --- tokenizers of others


def words(*extra: str) -> Inner:
    """A tokenizer of whole words, as somebody else may have made it."""
    vocabulary = {token: id for id, token in enumerate(["[PAD]", "[UNK]", "[SEP]", "a", "cat", "dog", *extra])}
    inner = Inner(models.WordLevel(vocabulary, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.add_special_tokens(["[PAD]", "[UNK]", "[SEP]"])
    return inner


def fast(inner: Inner, **tokens: str):  # type: ignore[no-untyped-def]
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="[UNK]", **tokens)


def test_a_tokenizer_of_others_gets_coordinates_and_stays_as_it_was() -> None:
    theirs = fast(words(), pad_token="[PAD]", eos_token="[SEP]")
    tokenizer = Tokenizer.from_transformers(theirs, box_code(bins=9))
    assert (tokenizer.pad, tokenizer.unknown, tokenizer.end) == (0, 1, 2)
    assert tokenizer.coordinates == (6, 16) and len(theirs) == 6
    assert tokenizer.read("a <at0009> cat") == (3, 15, 4) and tokenizer.decode([3, 15, 4]) == "a <at0009> cat"
    assert tokenizer.words.tolist() == [False] * 3 + [True] * 3 + [False] * 10


def test_coordinates_that_are_there_already_are_found() -> None:
    code = CODES["kosmos2"]
    assert isinstance(code, CellCode)
    inner = words(*(code.token.format(number) for number in range(code.count)), "behind")
    tokenizer = Tokenizer.from_transformers(fast(inner, pad_token="[PAD]", eos_token="[SEP]"), "kosmos2")
    assert tokenizer.coordinates == (6, 1030) and tokenizer.vocabulary == 1031
    assert tokenizer.read("cat <patch_index_0003> dog") == (4, 9, 5)


def test_coordinates_out_of_order_and_missing_tokens_are_refused() -> None:
    inner = words()
    inner.add_tokens([AddedToken("<at0003>", normalized=False)])
    with pytest.raises(InputError, match="follow one another"):
        Tokenizer.from_transformers(fast(inner, pad_token="[PAD]", eos_token="[SEP]"), box_code(bins=9))
    with pytest.raises(InputError, match="no pad_token"):
        Tokenizer.from_transformers(fast(words(), eos_token="[SEP]"))
    with pytest.raises(InputError, match="no eos_token"):
        Tokenizer.from_transformers(fast(words(), pad_token="[PAD]"))
    with pytest.raises(InputError, match="fast tokenizer"):
        Tokenizer.from_transformers("bert-base-uncased")
