"""A small tokenizer with boxes, and automata of its grammars."""

from __future__ import annotations

from functools import cache

from lichen.language.automaton import Automaton
from lichen.language.codes import box_code
from lichen.language.grammar import free_text, label_trie, object_list, one_box, worded_box
from lichen.language.tokenizer import Tokenizer

NAMES = ("cat", "dog", "tiger", "tiger shark", "a dog on a mat")


@cache
def tokenizer() -> Tokenizer:
    texts = ["a cat on a mat", "a dog on a red mat", "a tiger shark and a tiger", "two dogs", "the red cat"]
    return Tokenizer.learn(texts, vocabulary=290, code=box_code(bins=20))


@cache
def automaton(name: str) -> Automaton:
    words = tokenizer()
    return {
        "text": lambda: free_text(words),
        "labels": lambda: label_trie(words, NAMES),
        "box": lambda: one_box(words),
        "words and box": lambda: worded_box(words),
        "objects": lambda: object_list(words),
        "objects of classes": lambda: object_list(words, NAMES),
    }[name]()
