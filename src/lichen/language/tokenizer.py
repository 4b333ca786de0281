"""`Tokenizer`: ids of words and of boxes, learnt from a user's texts or taken from an existing model.

Words and boxes go different ways. Words are tokenised without any special token: a caption in which somebody wrote
"</s>" or "<at0007>" is spelt out and can neither end a sequence nor look like a box. Numbers of boxes are ids by
arithmetic, since their tokens are contiguous and ascending.

Source: decoders.md 1.2 (lower case; pad 0, end 1, unknown 2; no token of a beginning) and pitfalls 8, 16, 17.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Inner
from torch import Tensor

from ..errors import CheckpointError, InputError
from ..files import read_json, staged_folder, to_json, verify_folder
from ..regions import Code
from .codes import as_code, code_from_dict, code_to_dict, in_words
from .marks import EXAMPLES

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"
FILE, SETTINGS = "tokenizer.json", "language.json"
_LEAST = 256 + 3
"""Bytes and special tokens."""
_REMEMBERED = 1 << 17
"""Texts whose ids are kept: captions come again in every epoch."""


class Tokenizer:
    """Texts and boxes to ids and back.

    Example:
        >>> tokenizer = Tokenizer.learn(["a cat on a mat", "a dog"], vocabulary=300)
        >>> tokenizer.decode(tokenizer.encode("A dog  on a mat"))
        'a dog on a mat'
    """

    def __init__(
        self,
        inner: Inner,
        code: Code | str | None = None,
        *,
        pad: str = PAD,
        end: str = END,
        unknown: str | None = UNKNOWN,
    ) -> None:
        """Wrap a tokenizer, a copy of which gets the tokens of the code.

        Args:
            inner: of the package tokenizers.
            code: how boxes are written, or the name of a model whose way it is; None for words alone.
            pad: fills rows up, and stands before the first token of a decoder's input.
            end: stands behind the last token.
            unknown: stands for what cannot be spelt; None where everything can.

        Raises:
            InputError: one of the three is not a token, or the tokens of coordinates do not follow one another.
        """
        self.code = None if code is None else as_code(code)
        self.names = {"pad": pad, "end": end, "unknown": unknown}
        self._inner = Inner.from_str(inner.to_str())
        self._inner.no_padding()
        self._inner.no_truncation()
        self.coordinates = self._add_coordinates()
        self.pad, self.end = self._id(pad), self._id(end)
        self.unknown = None if unknown is None else self._id(unknown)
        self._known: dict[str, tuple[int, ...]] = {}

    @classmethod
    def learn(cls, texts: Iterable[str], vocabulary: int = 8192, code: Code | str | None = None) -> Tokenizer:
        """Learn byte pairs from texts: any text can be spelt, nothing is unknown.

        Letters become small and blanks single. A digit is always a token of its own, so that numbers have one spelling.

        Args:
            texts: captions, questions, labels: all that the decoder is to write and read.
            vocabulary: tokens of words at most, 259 of them bytes and special tokens. Those of boxes come on top.
            code: how boxes are written, see `box_code`; None for words alone.

        Raises:
            InputError: no texts, something else than texts, or a vocabulary that is too small.
        """
        if isinstance(texts, str):
            raise InputError("A tokenizer learns from many texts; got a single one. Put it into a list.")
        if vocabulary < _LEAST:
            raise InputError(f"A vocabulary holds 256 bytes and 3 special tokens, {_LEAST} at least; got {vocabulary}.")
        inner = Inner(models.BPE())
        inner.normalizer = normalizers.Sequence(
            [
                normalizers.NFC(),
                normalizers.Lowercase(),
                normalizers.Replace(Regex(r"\s+"), " "),
                normalizers.Strip(),
                # So that a word has the same token at the beginning of a text as inside it.
                normalizers.Prepend(" "),
            ]
        )
        inner.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        inner.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=[PAD, END, UNKNOWN],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        known = _checked(texts)
        # The words of prompts stand before every answer, so they must not be spelt out letter by letter.
        inner.train_from_iterator([*known, *EXAMPLES * max(2, len(known) // 100)], trainer)
        return cls(inner, code)

    @classmethod
    def from_transformers(cls, tokenizer: Any, code: Code | str | None = None) -> Tokenizer:
        """Take the tokenizer of a published model. It is copied; what its model lacks of the code's tokens is added.

        Args:
            tokenizer: a fast tokenizer of transformers, with tokens for padding and for the end.
            code: how boxes are written; "paligemma", "florence2" and "kosmos2" find these models' own tokens.

        Raises:
            InputError: a slow tokenizer, or one without such tokens.
        """
        inner = getattr(tokenizer, "backend_tokenizer", None)
        if not isinstance(inner, Inner):
            raise InputError(f"A fast tokenizer of transformers is needed; {type(tokenizer).__name__} is not one.")
        if tokenizer.pad_token is None or tokenizer.eos_token is None:
            lacking = "pad_token" if tokenizer.pad_token is None else "eos_token"
            raise InputError(f"The tokenizer has no {lacking}. Set tokenizer.{lacking} to one of its tokens.")
        return cls(inner, code, pad=tokenizer.pad_token, end=tokenizer.eos_token, unknown=tokenizer.unk_token)

    @cached_property
    def vocabulary(self) -> int:
        """Number of ids. A decoder that predicts in parallel takes this number itself as its [MASK]."""
        return max(self._inner.get_vocab(with_added_tokens=True).values()) + 1

    def _id(self, token: str) -> int:
        found = self._inner.token_to_id(token)
        if found is None:
            raise InputError(f"{token!r} is not a token of this tokenizer.")
        return found

    def _add_coordinates(self) -> tuple[int, int] | None:
        """Make the numbers of the code tokens, and find the first and the one behind the last."""
        if self.code is None or in_words(self.code):
            return None
        names = [self.code.token.format(number) for number in range(self.code.count)]
        # Special tokens would be deleted by skip_special_tokens=True, and the boxes with them.
        self._inner.add_tokens([AddedToken(name, normalized=False, special=False) for name in names])
        ids = [self._id(name) for name in names]
        if ids != list(range(ids[0], ids[0] + len(ids))):
            raise InputError(
                f"The tokens {names[0]!r} to {names[-1]!r} must have ids that follow one another. "
                "Here they do not: use another code, such as box_code()."
            )
        return ids[0], ids[-1] + 1

    @cached_property
    def _plain(self) -> Inner:
        """The same tokenizer without the tokens of coordinates, which spells special tokens out."""
        values = json.loads(self._inner.to_str())
        first, behind = self.coordinates or (0, 0)
        values["added_tokens"] = [token for token in values["added_tokens"] if not first <= token["id"] < behind]
        plain = Inner.from_str(json.dumps(values))
        plain.encode_special_tokens = True
        return plain

    def encode(self, text: str) -> tuple[int, ...]:
        """Ids of words alone. Special tokens and coordinates written in the text are spelt out."""
        ids = self._known.get(text)
        if ids is None:
            ids = tuple(self._plain.encode(text, add_special_tokens=False).ids)
            if len(self._known) < _REMEMBERED:
                self._known[text] = ids
        return ids

    def read(self, text: str) -> tuple[int, ...]:
        """Ids of a text in which the tokens of coordinates mean coordinates: the inverse of `decode`."""
        if self.code is None or self.coordinates is None:
            return self.encode(text)
        first, _ = self.coordinates
        ids: list[int] = []
        done = 0
        for match in self._pattern.finditer(text):
            number = int(match[1])
            if number < self.code.count and self.code.token.format(number) == match[0]:
                ids += [*self.encode(text[done : match.start()]), first + number]
                done = match.end()
        return (*ids, *self.encode(text[done:]))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        assert self.code is not None
        before, behind = re.split(r"\{[^}]*\}", self.code.token)
        return re.compile(rf"{re.escape(before)}(\d{{1,9}}){re.escape(behind)}")

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids up to the first end, without padding and outer blanks; coordinates stand as their tokens."""
        # Only blanks: what else Python takes for white, such as "\x1f", is a part of the text here.
        return self._inner.decode(self.until_end(ids), skip_special_tokens=False).strip(" ")

    def until_end(self, ids: Sequence[int]) -> list[int]:
        """Ids before the first end token, without padding."""
        kept = list(ids)
        if self.end in kept:
            kept = kept[: kept.index(self.end)]
        return [id for id in kept if id != self.pad]

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """The text of each id by itself, blanks included; half a letter is "\\ufffd"."""
        known = self._inner.get_vocab(with_added_tokens=True).values()
        found = [""] * self.vocabulary
        for id, text in zip(
            known, self._inner.decode_batch([[id] for id in known], skip_special_tokens=False), strict=True
        ):
            found[id] = text
        return tuple(found)

    @cached_property
    def words(self) -> Bool[Tensor, " vocabulary"]:
        """Which ids are parts of texts: neither special, nor coordinates, nor holes in the numbering."""
        table = torch.zeros(self.vocabulary, dtype=torch.bool)
        table[list(self._inner.get_vocab(with_added_tokens=True).values())] = True
        for id, token in self._inner.get_added_tokens_decoder().items():
            table[id] &= not token.special
        if self.coordinates is not None:
            table[slice(*self.coordinates)] = False
        table[[id for id in (self.pad, self.end, self.unknown) if id is not None]] = False
        return table

    def box_ids(self, boxes: Float[Tensor, "boxes 4"], sizes: Float[Tensor, "#boxes 2"]) -> tuple[tuple[int, ...], ...]:
        """Ids of boxes, all of a data set at once.

        Args:
            boxes: x1, y1, x2, y2 in pixels.
            sizes: (width, height) of the picture of each box, or of all; see `Code.encode`.

        Raises:
            InputError: the tokenizer writes no boxes, or a box is none or outside its picture; with its row.
        """
        code = self.boxes_code()
        codes = code.encode(boxes, sizes)
        if self.coordinates is None:
            return tuple(self.encode(text) for text in code.to_text(codes))
        return tuple(tuple(row) for row in (codes + self.coordinates[0]).tolist())

    def boxes_code(self) -> Code:
        """The code, where there is one.

        Raises:
            InputError: this tokenizer is for words alone.
        """
        if self.code is None:
            raise InputError("This tokenizer writes no boxes. Make it with code=box_code().")
        return self.code

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, for a file that somebody else writes."""
        code = None if self.code is None else code_to_dict(self.code)
        return {**self.names, "code": code, "inner": self._inner.to_str()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Tokenizer:
        """The inverse of `to_dict`.

        Raises:
            CheckpointError: not what `to_dict` gives.
        """
        given = dict(values)
        try:
            inner, code = Inner.from_str(given.pop("inner")), given.pop("code")
            return cls(inner, None if code is None else code_from_dict(code), **given)
        except CheckpointError:
            raise
        except Exception as error:  # the package tokenizers raises nothing more special
            raise CheckpointError(f"These values do not describe a tokenizer: {error}.") from error

    def write(self, folder: Path) -> None:
        """Put `tokenizer.json` and `language.json` into a folder that somebody else stages."""
        self._inner.save(str(folder / FILE))
        code = None if self.code is None else code_to_dict(self.code)
        (folder / SETTINGS).write_bytes(to_json({**self.names, "code": code}))

    def save(self, folder: str | Path) -> None:
        """Save into a folder, whole or not at all.

        Raises:
            InputError: the folder cannot be written.
        """
        with staged_folder(Path(folder)) as stage:
            self.write(stage)

    @classmethod
    def load(cls, folder: str | Path) -> Tokenizer:
        """Load what `save` wrote, or a folder into which `write` put its files.

        Raises:
            CheckpointError: a file is absent, damaged or not of a tokenizer.
        """
        folder = Path(folder)
        verify_folder(folder)
        values = read_json(folder / SETTINGS)
        try:
            inner = Inner.from_file(str(folder / FILE))
            code = values.pop("code")
            return cls(inner, None if code is None else code_from_dict(code), **values)
        except CheckpointError:
            raise
        except Exception as error:  # the package tokenizers raises nothing more special
            raise CheckpointError(f"{str(folder)!r} does not hold a tokenizer that can be read: {error}.") from error

    def to_transformers(self) -> Any:
        """The same tokenizer for transformers. It recognises tokens of coordinates in every text."""
        from transformers import PreTrainedTokenizerFast

        given = {"pad_token": self.names["pad"], "eos_token": self.names["end"], "unk_token": self.names["unknown"]}
        return PreTrainedTokenizerFast(
            tokenizer_object=self._inner, **{k: v for k, v in given.items() if v is not None}
        )


def _checked(texts: Iterable[str]) -> list[str]:
    found = list(texts)
    if not found:
        raise InputError("There are no texts to learn a tokenizer from.")
    for number, text in enumerate(found):
        if not isinstance(text, str):
            raise InputError(f"A tokenizer learns from texts; text {number} is a {type(text).__name__}.")
    return found
