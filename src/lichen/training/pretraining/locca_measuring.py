"""What `playground-locca` and its twin say of new pictures, with the decoder that they learnt with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...data.playground.dataset import Playground
from ...heads.decoder.answers import Answers
from ...heads.decoder.generation import generate
from ...language.automaton import Automaton
from ...language.grammar import automaton_for
from ...language.parsing import Parser
from ...language.sequences import Sequences
from ...language.tokenizer import Tokenizer
from ...metrics.captions import caption_scores
from ...metrics.grounding import referring
from .locca import Locca
from .pictures import Drawn, drawn
from .told import described

_AT_ONCE = 64
_UNREAD = (float("nan"),) * 4


def measure_locca(
    model: Locca, tokenizer: Tokenizer, split: str, pictures: int, size: int, boxes: bool
) -> dict[str, float]:
    """Captions by their likeness to the true ones; with boxes, also the box of words and the words of a box.

    Args:
        model: trained, in eval mode.
        tokenizer: that it learnt with.
        split: of the playground.
        pictures: how many.
        size: of the pictures, their edge in pixels.
        boxes: whether it has learnt boxes.

    Returns:
        CIDEr of captions times 100, as papers print it. With boxes: per cent of boxes that overlap the true one by
        half or more, and CIDEr of the words of true boxes; how many boxes there were.
    """
    data = drawn(Playground(0, split, pictures, size, size))
    parser = Parser(tokenizer)
    rows = np.arange(len(data))
    said = parser.read("cap", _written(model, tokenizer, data, rows, "cap").ids)
    scores = caption_scores([each.text for each in said], [scene.captions for scene in data.scenes])
    found = {"pictures": float(len(data)), "caption_cider": 100 * scores["cider"]}
    return found | (_boxes(model, tokenizer, data, parser) if boxes else {})


def _boxes(model: Locca, tokenizer: Tokenizer, data: Drawn, parser: Parser) -> dict[str, float]:
    """Words to box and back, for everything that captions and classes name."""
    told = [(row, words, box) for row, scene in enumerate(data.scenes) for words, box in described(scene)]
    rows = np.array([row for row, _, _ in told])
    truths = torch.tensor([box for _, _, box in told])
    sizes = torch.tensor([data.scenes[row].size for row in rows.tolist()], dtype=torch.float32)
    words = [words for _, words, _ in told]
    answers = _written(model, tokenizer, data, rows, "aref", words)
    placed = parser.read("aref", answers.ids, sizes, asked=words)
    corners = [each.entities[0].box if each.entities else _UNREAD for each in placed]
    accuracy = referring(torch.tensor(corners), truths, sizes)
    spoken = _written(model, tokenizer, data, rows, "gcap", tokenizer.box_ids(truths, sizes))
    texts = [each.text for each in parser.read("gcap", spoken.ids, sizes)]
    likeness = caption_scores(texts, [[text] for text in words])
    return {
        "boxes": float(len(told)),
        "words_to_box_acc50": 100 * accuracy["acc50"],
        "box_to_words_cider": 100 * likeness["cider"],
    }


@torch.inference_mode()
def _written(
    model: Locca,
    tokenizer: Tokenizer,
    data: Drawn,
    rows: np.ndarray,
    task: str,
    asked: Sequence[str | Sequence[int]] | None = None,
) -> Answers:
    """What the decoder writes about some pictures under the task's automaton."""
    write = Sequences(tokenizer, context=model.head.decoder.config.context)
    automaton = automaton_for(task, tokenizer, asked=asked is not None)
    prompts = [write.prompt(task, None if asked is None else asked[n]).ids for n in range(len(rows))]
    parts = [
        _some(model, data, rows[start : start + _AT_ONCE], prompts[start : start + _AT_ONCE], automaton, tokenizer.pad)
        for start in range(0, len(rows), _AT_ONCE)
    ]
    names = ("ids", "lengths", "log_probs", "score", "finished")
    return Answers(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})


def _some(
    model: Locca, data: Drawn, rows: np.ndarray, prompts: Sequence[Sequence[int]], automaton: Automaton, pad: int
) -> Answers:
    longest = max(map(len, prompts))
    table: Tensor = torch.tensor([[*prompt, *[pad] * (longest - len(prompt))] for prompt in prompts])
    once, picture = np.unique(rows, return_inverse=True)
    memory = model.remember(data.batch(once))
    return generate(model.head.decoder, memory, table, picture=torch.from_numpy(picture), automaton=automaton)
