"""Every walk through an automaton can be read, and every target is a walk."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.language import (
    Automaton,
    Parser,
    Sequences,
    Tokenizer,
    automaton_for,
    boxed_words,
    free_text,
    label_ids,
    label_trie,
    object_list,
    one_box,
    worded_box,
)

from .tiny import CODES_HERE, SIZE, TOKENS, boxes, learned, walk

LABELS = ("tiger", "tiger shark", "cat ; dog", "red boat : 12")
BUILDERS: dict[str, tuple[str, Callable[[Tokenizer], Automaton]]] = {
    "one box": ("aref", one_box),
    "worded box": ("aref", worded_box),
    "boxed words": ("gcap", boxed_words),
    "objects": ("detect", object_list),
    "known objects": ("detect", lambda tokenizer: object_list(tokenizer, LABELS)),
    "caption": ("caption", free_text),
    "label": ("classify", lambda tokenizer: label_trie(tokenizer, LABELS)),
}
BUILT: dict[tuple[str, str], Automaton] = {}


def built(kind: str, name: str) -> Automaton:
    """Automata are made once."""
    if (kind, name) not in BUILT:
        BUILT[kind, name] = BUILDERS[kind][1](learned(name))
    return BUILT[kind, name]


@pytest.mark.parametrize("kind", BUILDERS)
@settings(max_examples=6, deadline=None)
@given(name=st.sampled_from(TOKENS), seed=st.integers(0, 2**31), eager=st.floats(1, 7))
def test_every_walk_can_be_read(kind: str, name: str, seed: int, eager: float) -> None:
    task = BUILDERS[kind][0]
    tokenizer, automaton = learned(name), built(kind, name)
    answers = walk(automaton, 10, 32, seed, eager)
    for ids in answers:
        assert automaton.accepts(ids)
    asked = ["the cat"] * len(answers) if kind == "one box" else None
    names = LABELS if "known" in kind or kind == "label" else None
    for ids, found in zip(answers, Parser(tokenizer).read(task, answers, SIZE, names=names, asked=asked), strict=True):
        assert found.malformed == {}, tokenizer.decode(ids)
        expected = {"aref": 1, "gcap": 1, "detect": count_boxes(tokenizer, ids)}.get(task, 0)
        assert len(found.entities) == expected
        assert len(found.expressions) == (task in ("aref", "gcap"))
        assert all(item.text for item in found.expressions) and len(found.labels) == (task == "classify")
        # Boxes lie inside the picture and have an area.
        for entity in found.entities:
            assert entity.box is not None
            left, top, right, bottom = entity.box
            assert 0 <= left < right <= 640 and 0 <= top < bottom <= 480


def count_boxes(tokenizer: Tokenizer, ids: list[int]) -> int:
    assert tokenizer.coordinates is not None and tokenizer.code is not None
    first, behind = tokenizer.coordinates
    return sum(first <= id < behind for id in ids) // tokenizer.code.length


@pytest.mark.parametrize("name", ["text", "locca"])
def test_walks_through_boxes_as_text_have_their_form(name: str) -> None:
    """Order is the one thing that a table cannot keep here."""
    tokenizer, automaton = learned(name), built("one box", name)
    code = CODES_HERE[name]
    answers = walk(automaton, 60, 40, 3, 2.0)
    assert len(answers) == 60
    for ids, found in zip(answers, Parser(tokenizer).read("aref", answers, SIZE, asked=["cat"] * 60), strict=True):
        codes, _ = code.find(tokenizer.decode(ids))
        assert len(codes) == 1 and int(codes.max()) < code.count
        assert found.malformed == ({} if code.valid(codes).all() else {"inverted box": 1})
    texts = [tokenizer.decode(ids) for ids in answers]
    assert len(set(texts)) > 50 and all(len(text) <= len("[500, 500, 500, 500]") for text in texts)


@pytest.mark.parametrize("name", CODES_HERE)
def test_every_target_is_accepted(name: str) -> None:
    tokenizer = learned(name)
    sequences = Sequences(tokenizer)
    rows = tokenizer.box_ids(boxes(60, side=600.0), SIZE)
    texts = ["a cat", "the sign : stop", "12 tigers ; 3", "日本 : [5, 6", ": ;", *LABELS]
    box, worded = built("one box", name), built("worded box", name)
    grounded, listed, known = (built(kind, name) for kind in ("boxed words", "objects", "known objects"))
    for number, row in enumerate(rows):
        assert box.accepts((*row, tokenizer.end))
        text = texts[number % len(texts)]
        referred, described = sequences.aref(text, row), sequences.gcap(row, text)
        assert worded.accepts(behind_marker(referred.ids, referred.weights))
        assert box.accepts(referred.ids[referred.prefix :])
        assert grounded.accepts(behind_marker(described.ids, described.weights))
        assert built("caption", name).accepts(described.ids[described.prefix :])
    for start in range(0, 60, 6):
        labels = [LABELS[number % 4] for number in range(start, start + 3)]
        target = sequences.detect(labels, rows[start : start + 3])
        for automaton in (listed, known):
            assert automaton.accepts(target.ids[target.prefix :])
    empty = sequences.detect([], [])
    assert listed.accepts(empty.ids[empty.prefix :]) and known.accepts(empty.ids[empty.prefix :])
    for label in LABELS:
        named = sequences.classify(label)
        assert built("label", name).accepts(named.ids[named.prefix :])


def behind_marker(ids: tuple[int, ...], weights: tuple[float, ...]) -> tuple[int, ...]:
    return ids[weights.index(1.0) :]


@pytest.mark.parametrize("name", CODES_HERE)
def test_what_is_no_box_is_not_accepted(name: str) -> None:
    tokenizer, automaton = learned(name), built("one box", name)
    code = CODES_HERE[name]
    row = list(tokenizer.box_ids(boxes(1), SIZE)[0])
    end = tokenizer.end
    assert automaton.accepts([*row, end])
    for wrong in (row, [*row[:-1], end], [*row, *row, end], [end], [*row, tokenizer.encode("a")[-1], end]):
        assert not automaton.accepts(wrong)
    if tokenizer.coordinates is not None:
        inverted = torch.tensor([row[::-1]])
        good = code.valid(inverted - tokenizer.coordinates[0])
        assert automaton.accepts([*row[::-1], end]) == bool(good[0])


def test_exhaustively_the_boxes_of_few_bins_are_the_valid_ones() -> None:
    """All 625 rows of four numbers from 0 to 4."""
    for name in ("few bins", "lbrt"):
        tokenizer, automaton, code = learned(name), built("one box", name), CODES_HERE[name]
        assert tokenizer.coordinates is not None
        first = tokenizer.coordinates[0]
        rows = torch.cartesian_prod(*[torch.arange(5)] * 4)
        good = code.valid(rows).tolist()
        found = [automaton.accepts([*(first + row).tolist(), tokenizer.end]) for row in rows]
        assert found == good and 0 < sum(good) < 625


# --- labels


def test_prefixes_are_told_apart_by_the_end() -> None:
    tokenizer = learned("tokens")
    automaton = label_trie(tokenizer, ["tiger", "tiger shark"])
    tiger, shark = (tokenizer.encode(name) for name in ("tiger", "tiger shark"))
    assert shark[: len(tiger)] == tiger
    assert automaton.accepts((*tiger, 1)) and automaton.accepts((*shark, 1))
    assert not automaton.accepts((*shark[:-1], *shark[-1:], *shark[-1:], 1))
    state = automaton.begin(1)
    for token in tiger:
        state = automaton.advance(state, torch.tensor([token]))
    allowed = automaton.mask(state, torch.tensor([tiger]), len(tiger))
    assert allowed[0].nonzero().flatten().tolist() == sorted([1, shark[len(tiger)]])
    # In a list, the separator may come there too.
    listed = object_list(tokenizer, ["tiger", "tiger shark"])
    box = tokenizer.box_ids(boxes(1), SIZE)[0]
    for label in (tiger, shark):
        assert listed.accepts((*box, *label, 1))
        assert listed.accepts((*box, *label, *tokenizer.encode(";"), *box, *tiger, 1))
        assert not listed.accepts((*box, *label, *tokenizer.encode(";"), 1))


def test_a_trie_has_no_more_states_than_beginnings() -> None:
    tokenizer = learned(None)
    names = [f"{word} {number}" for word in ("cat", "dog", "boat") for number in range(20)]
    automaton = label_trie(tokenizer, names)
    rows = [(*row, 1) for row in label_ids(tokenizer, names)]
    beginnings = {row[:length] for row in rows for length in range(len(row) - 1)}
    # All labels end in one state, unless another goes on there.
    assert automaton.states <= len(beginnings) + len({row for row in rows if row[:-1] in beginnings}) + 2
    assert all(automaton.accepts(row) for row in rows)
    assert not automaton.accepts((*tokenizer.encode("cat 20"), 1)) and not automaton.accepts((1,))


def test_labels_that_collide_are_refused_with_all_pairs() -> None:
    tokenizer = learned("tokens")
    names = ["missile", "sunglasses", "Missile", "tiger", "sunglasses "]
    for build in (label_ids, label_trie, object_list):
        with pytest.raises(InputError, match=r"2 labels.*'missile' and 'Missile'; 'sunglasses' and 'sunglasses '"):
            build(tokenizer, names)
    for names, message in (([], "no labels"), (["cat", " "], "' ' is empty")):
        with pytest.raises(InputError, match=message):
            label_trie(tokenizer, names)


def test_automata_of_tasks() -> None:
    tokenizer = learned("tokens")
    box = tokenizer.box_ids(boxes(1), SIZE)[0]
    cat, seam = tokenizer.encode("cat"), tokenizer.encode(":")
    for task, names, asked, good, bad in (
        ("caption", None, False, cat, ()),
        ("vqa", ["cat", "dog"], False, cat, tokenizer.encode("tiger")),
        ("classify", ["cat", "dog"], False, cat, tokenizer.encode("cat cat")),
        ("aref", None, True, box, (*cat, *seam, *box)),
        ("aref", None, False, (*cat, *seam, *box), box),
        ("gcap", None, False, (*box, *seam, *cat), cat),
        ("gcap", None, True, cat, (*box, *seam, *cat)),
        ("detect", ["cat"], False, (*box, *cat), (*box, *tokenizer.encode("dog"))),
        ("detect", None, False, (), box),
    ):
        automaton = automaton_for(task, tokenizer, names, asked=asked)
        assert automaton.accepts((*good, 1)) and not automaton.accepts((*bad, 1)), task
    with pytest.raises(InputError, match="Did you mean 'caption'"):
        automaton_for("captions", tokenizer)
    with pytest.raises(InputError, match="does not choose among names"):
        automaton_for("aref", tokenizer, ["cat"])
    with pytest.raises(InputError, match="writes no boxes"):
        automaton_for("detect", learned(None))


def test_words_are_never_only_blank() -> None:
    tokenizer = learned("tokens")
    automaton = free_text(tokenizer)
    (blank,) = (id for id, piece in enumerate(tokenizer.pieces) if piece == " ")
    letter = next(id for id in tokenizer.encode("a") if tokenizer.pieces[id].strip())
    assert automaton.accepts([letter, 1]) and automaton.accepts([blank, letter, blank, 1])
    assert not automaton.accepts([blank, blank, 1]) and not automaton.accepts([1])
    assert not automaton.accepts([0, letter, 1]) and not automaton.accepts([letter, 2, 1])


def test_pieces_of_several_digits_spell_numbers_too() -> None:
    """A tokenizer of others may have "50" or "], " as one token: every way to spell a box is let through."""
    from tokenizers import Tokenizer as Inner
    from tokenizers import decoders, models, pre_tokenizers

    pieces = ["<pad>", "</s>", "<unk>", *"0123456789[], ", "50", "100", ", ", "[5", "0]", "9]x", "a", "b:"]
    inner = Inner(models.BPE({piece: id for id, piece in enumerate(pieces)}, []))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.decoder = decoders.Fuse()
    inner.add_special_tokens(pieces[:3])
    tokenizer = Tokenizer(inner, CODES_HERE["text"].__class__("{}", ("[", ", ", "]"), bins=100))
    automaton = one_box(tokenizer)

    def ids(*parts: str) -> list[int]:
        return [*(pieces.index(part) for part in parts), 1]

    assert automaton.accepts(ids("[", "5", "0", ",", "1", ",", "100", ", ", "2", "]"))
    assert automaton.accepts(ids("[5", "0", ", ", "1", ",", " ", "100", ",", "5", "0]"))
    assert automaton.accepts(ids(" ", "[5", ",", "1", ",", "50", ",", "50", "]"))
    for wrong in (
        ids("[", "1", "0", "1", ",", "1", ",", "2", ",", "2", "]"),
        ids("[", "0", "5", ",", "1", ",", "2", ",", "2", "]"),
        ids("[5", ",", "1", ",", "2", "]"),
        ids("[5", ",", "1", ",", "2", ",", "9]x"),
        ids("[5", ",", ",", "1", ",", "2", ",", "2", "]"),
    ):
        assert not automaton.accepts(wrong)
