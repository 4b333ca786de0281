"""Words and boxes as the tokens of a decoder: tokenizers, prompts, targets, what may be written, and how it is read.

`interop` speaks the formats of other models; `mixing` decides in which order tasks are learnt.
"""

from __future__ import annotations

from .automaton import Automaton
from .codes import as_code, box_code
from .found import Found, count_malformed, rank_by_order
from .grammar import (
    AUTOMATA,
    automaton_for,
    boxed_words,
    free_text,
    label_ids,
    label_trie,
    object_list,
    one_box,
    worded_box,
)
from .interop import convert, from_text, to_text
from .marks import MARKERS, SEAM, SEPARATOR
from .mixing import Mixture, MixtureConfig
from .parsing import Parser
from .prompts import LEVELS, Prompt, make_prompt
from .sequences import Sequences, Target, TargetBatch, collate
from .tokenizer import Tokenizer

__all__ = [
    "AUTOMATA",
    "LEVELS",
    "MARKERS",
    "SEAM",
    "SEPARATOR",
    "Automaton",
    "Found",
    "Mixture",
    "MixtureConfig",
    "Parser",
    "Prompt",
    "Sequences",
    "Target",
    "TargetBatch",
    "Tokenizer",
    "as_code",
    "automaton_for",
    "box_code",
    "boxed_words",
    "collate",
    "convert",
    "count_malformed",
    "free_text",
    "from_text",
    "label_ids",
    "label_trie",
    "make_prompt",
    "object_list",
    "one_box",
    "rank_by_order",
    "to_text",
    "worded_box",
]
