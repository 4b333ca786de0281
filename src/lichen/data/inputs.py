"""Samples as a backbone reads them: sequences of unbatched, unpadded tensors, made when they are asked for.

The same sequences feed the feature store and live training, so that both see the same numbers.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, overload

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

from ..errors import BadSample, InputError
from .dataset import Dataset
from .framing import Framing
from .views import Views

_BLOCK = 512
"""Texts that are tokenised together."""
_MOST_TOKENS = 128
"""Longest sample where nothing else is asked for."""
_CHARACTERS = 64
"""Characters read for each token that is kept; no language or code needs as many."""


# Not Sequence[dict[…]]: a checker of types at run time would draw an item, and a bad sample raises.
class _Samples(Sequence[Any]):
    """What both kinds share: indexing by whole numbers, from the end too."""

    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> dict[str, Tensor]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[dict[str, Tensor]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Tensor] | Sequence[dict[str, Tensor]]:
        if isinstance(index, slice):
            raise TypeError("Inputs are read one by one: samples may be bad. Index them by a number.")
        place = operator.index(index)
        place += len(self) if place < 0 else 0
        if not 0 <= place < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        return self._sample(place)

    def _sample(self, place: int) -> dict[str, Tensor]:
        raise NotImplementedError


class ImageInputs(_Samples):
    """Pictures as `{"pixel_values": (3, size, size) float32}`.

    With views, sample number i is view i % K of picture i // K, and its id is `<id>@<view>`.
    """

    def __init__(
        self,
        dataset: Dataset,
        rows: Sequence[int],
        processor: Any,
        size: int | None = None,
        views: Views | None = None,
        whole: bool = False,
    ) -> None:
        """
        Args:
            dataset: where the pictures are.
            rows: which of them, in this order.
            processor: the backbone's image processor, or a processor that holds one.
            size: edge of the square in pixels; None takes the processor's.
            views: several fixed views a picture; None the plain one alone.
            whole: squeeze pictures into the square, whatever the processor crops.

        Raises:
            InputError: this is no image processor, or it names no single square size and none is given.
        """
        self.processor = getattr(processor, "image_processor", processor)
        if not hasattr(self.processor, "preprocess"):
            raise InputError(
                f"Pictures need an image processor; got {type(processor).__name__}. Choose a vision backbone, or save "
                "its preprocessor_config.json beside its weights."
            )
        self.dataset = dataset
        self.rows = tuple(rows)
        self.views = views
        self.framing = Framing.of(self.processor, size, whole)
        count = 1 if views is None else views.count
        names = [dataset.ids[row] for row in self.rows]
        self.ids = tuple(names if views is None else (f"{name}@{view}" for name in names for view in range(count)))
        steps = ("do_resize", "do_center_crop", "do_pad")
        # The picture has its size already; a processor need not know every step.
        self._skipped = {step: False for step in steps if getattr(self.processor, step, None)}

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the tensors beside the pictures and the processor, as plain values for a manifest."""
        return {"framing": asdict(self.framing), "views": None if self.views is None else asdict(self.views)}

    def _sample(self, place: int) -> dict[str, Tensor]:
        number, view = divmod(place, 1 if self.views is None else self.views.count)
        row, framing = self.rows[number], self.framing
        picture = self.dataset.picture(row, size=framing.short or framing.squeezed)
        if self.views is None or view == 0:
            picture = framing.apply(picture)
        else:
            picture = framing.squeeze(self.views.cut(picture, self.dataset.ids[row], view), framing.size)
        values = self.processor(images=picture, return_tensors="pt", **self._skipped)["pixel_values"]
        if not isinstance(values, Tensor) or values.shape != (1, 3, framing.size, framing.size):
            raise InputError(
                f"{type(self.processor).__name__} makes {tuple(getattr(values, 'shape', ()))} of a square of "
                f"{framing.size} pixels, but one picture must give (1, 3, {framing.size}, {framing.size}). "
                "Backbones that cut a picture into tiles of their own cannot be read this way."
            )
        return {"pixel_values": values[0].float()}


class TextInputs(_Samples):
    """Texts as `{"input_ids": (n,), "attention_mask": (n,)}`, int64, with `token_type_ids` where they are not all 0.

    Texts are tokenised in blocks when one of them is first asked for, each once.
    """

    def __init__(self, texts: Sequence[str], ids: Sequence[str], tokenizer: Any, max_tokens: int | None = None) -> None:
        """
        Args:
            texts: what to read.
            ids: of each text.
            tokenizer: the backbone's tokenizer, or a processor that holds one.
            max_tokens: longest sample, special tokens included; longer texts are cut at their end. None: 128, or
                fewer where the tokenizer allows no more.

        Raises:
            InputError: this is no tokenizer, the lengths differ, or `max_tokens` leaves no room for a word or is more
                than the backbone reads.
        """
        self.tokenizer = getattr(tokenizer, "tokenizer", tokenizer)
        if not hasattr(self.tokenizer, "num_special_tokens_to_add"):
            raise InputError(
                f"Texts need a tokenizer; got {type(tokenizer).__name__}. Choose a text backbone, or save its "
                "tokenizer beside its weights."
            )
        if len(texts) != len(ids):
            raise InputError(f"Each text needs an id: got {len(texts)} texts and {len(ids)} ids.")
        if self.tokenizer.vocab_size <= len(set(self.tokenizer.all_special_tokens)):
            # transformers makes up an empty tokenizer where a folder holds none.
            raise InputError(
                f"This {type(self.tokenizer).__name__} knows no words, only special tokens. Save the backbone's "
                "tokenizer.json beside its weights."
            )
        self._special = int(self.tokenizer.num_special_tokens_to_add(pair=False))
        if max_tokens is None:
            max_tokens = min(_MOST_TOKENS, self.tokenizer.model_max_length)
        if not self._special < max_tokens <= self.tokenizer.model_max_length:
            raise InputError(
                f"max_tokens must lie in {self._special + 1} to {self.tokenizer.model_max_length} for this tokenizer, "
                f"which adds {self._special} special tokens; got {max_tokens}. Set max_tokens of the backbone."
            )
        self.texts = tuple(texts)
        self.ids = tuple(ids)
        self.max_tokens = max_tokens
        self._blocks: dict[int, list[BadSample | tuple[np.ndarray, np.ndarray | None]]] = {}

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the tensors beside the texts and the tokenizer, as plain values for a manifest."""
        return {"max_tokens": self.max_tokens}

    def lengths(self) -> Int[Tensor, " samples"]:
        """Tokens of each sample; 0 for one that cannot be used. Tokenises what has not been yet."""
        found = [self._entry(place) for place in range(len(self))]
        return torch.tensor(
            [0 if isinstance(entry, BadSample) else len(entry[0]) for entry in found], dtype=torch.int64
        )

    def offsets(self, texts: Sequence[str]) -> Int[Tensor, "texts tokens 2"]:
        """First character of every token of some texts, cut and padded as the samples are, and one past its last.

        Raises:
            InputError: a tokenizer that does not know where its tokens stand.
        """
        if not getattr(self.tokenizer, "is_fast", False):
            raise InputError(
                f"A {type(self.tokenizer).__name__} does not say where its tokens stand in a text. Choose a backbone "
                "with a fast tokenizer (tokenizer.json)."
            )
        found = self.tokenizer(
            list(texts),
            truncation=True,
            max_length=self.max_tokens,
            padding=False,
            return_offsets_mapping=True,
        )
        # Batches are padded on the right, whatever the tokenizer would do.
        rows = [torch.tensor(row, dtype=torch.int64).reshape(-1, 2) for row in found["offset_mapping"]]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True) if rows else torch.zeros(0, 0, 2, dtype=torch.int64)

    def _sample(self, place: int) -> dict[str, Tensor]:
        entry = self._entry(place)
        if isinstance(entry, BadSample):
            # A fresh one, so that tracebacks do not pile up on the kept.
            raise BadSample(entry.id, entry.reason)
        numbers, types = entry
        sample = {"input_ids": torch.from_numpy(numbers).long(), "attention_mask": torch.ones(len(numbers)).long()}
        return sample if types is None else {**sample, "token_type_ids": torch.from_numpy(types).long()}

    def _entry(self, place: int) -> BadSample | tuple[np.ndarray, np.ndarray | None]:
        block, offset = divmod(place, _BLOCK)
        if block not in self._blocks:
            self._blocks[block] = self._tokenise(block * _BLOCK)
        return self._blocks[block][offset]

    def _tokenise(self, start: int) -> list[BadSample | tuple[np.ndarray, np.ndarray | None]]:
        texts, ids = self.texts[start : start + _BLOCK], self.ids[start : start + _BLOCK]
        faults = [_fault(text) for text in texts]
        usable = [self._cut(text) for text, fault in zip(texts, faults, strict=True) if fault is None]
        encoded: Any = {"input_ids": []}
        if usable:
            encoded = self.tokenizer(usable, truncation=True, max_length=self.max_tokens, padding=False)
        numbers = iter(encoded["input_ids"])
        types = iter(encoded.get("token_type_ids") or [()] * len(usable))
        entries: list[BadSample | tuple[np.ndarray, np.ndarray | None]] = []
        for id, fault in zip(ids, faults, strict=True):
            if fault is not None:
                entries.append(BadSample(id, fault))
                continue
            found, kinds = np.array(next(numbers), dtype=np.int32), np.array(next(types), dtype=np.int32)
            if len(found) <= self._special:
                entries.append(BadSample(id, "its text holds no character that the tokenizer knows"))
            else:
                entries.append((found, kinds if kinds.any() else None))
        return entries

    def _cut(self, text: str) -> str:
        """The beginning of a very long text, at a blank where there is one: tokenising megabytes takes gigabytes."""
        limit = _CHARACTERS * self.max_tokens
        if len(text) <= limit:
            return text
        text = text.lstrip()[:limit]
        head = text.rsplit(None, 1)[0]
        return head if len(head) > limit // 2 else text


def _fault(text: str) -> str | None:
    """Why a text cannot be tokenised; None for a good one."""
    if not text.strip():
        return "its text is empty" if not text else "its text is blank"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "its text is not valid Unicode (half of a surrogate pair)"
    return None
