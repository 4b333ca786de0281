"""`Answerer`: questions to a trained decoder, and what it writes as parts of Scenes.

Classes are weighed, every name with its exact likelihood; all else is written, under an automaton that lets nothing
through that could not be read. What a question gets does not depend on what else is asked in the same batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...errors import InputError, pick
from ...heads.decoder.generation import generate
from ...heads.decoder.labels import Labels
from ...heads.decoder.memory import Memory
from ...heads.decoder.scoring import score
from ...language.automaton import Automaton
from ...language.found import Found
from ...language.grammar import automaton_for, label_ids, label_trie
from ...language.parsing import Parser
from ...language.tokenizer import Tokenizer
from ...scene import Label
from .asked import Asked
from .config import WriteConfig
from .examples import prompts_of
from .head import WriteHead

_WITH_BEAMS = ("caption", "cap")


class Answerer:
    """Asks a decoder.

    Args:
        tokenizer: of the decoder.
        config: that it was trained with.
        classes: names to choose from for classify.
        names: of objects, for detect.
    """

    def __init__(
        self, tokenizer: Tokenizer, config: WriteConfig, classes: Sequence[str] = (), names: Sequence[str] = ()
    ) -> None:
        self.tokenizer, self.config = tokenizer, config
        self.classes, self.names = tuple(classes), tuple(names)
        self.parser = Parser(tokenizer)
        self._automata: dict[tuple[str, bool], Automaton] = {}

    def answer(
        self, head: WriteHead, memory: Memory, asked: Sequence[Asked], picture: Int[Tensor, " asked"]
    ) -> list[Found]:
        """Answers to questions of one task. The head should be in eval mode.

        Args:
            head: trained.
            memory: of the pictures.
            asked: questions, all of one task; all with words or box, or all without.
            picture: which picture of the memory each is about.

        Raises:
            InputError: a task that the decoder was not trained for, or an empty question.
        """
        task = pick("task of this decoder", asked[0].task, self.config.tasks)
        prompt = prompts_of(asked, self.tokenizer, self.config).to(memory.device)
        picture = picture.to(memory.device)
        if task == "classify":
            scores = score(head.text.decoder, memory, self.labels, prompt, picture=picture)
            return [self._ranked(row) for row in scores.float().cpu()]
        automaton = self._automaton(task, _is_given(asked)).to(memory.device)
        beams = self.config.beams if task in _WITH_BEAMS else 1
        answers = generate(head.text.decoder, memory, prompt, picture=picture, automaton=automaton, beams=beams)
        return self.parser.read(
            task,
            answers.ids,
            torch.tensor([each.size for each in asked], dtype=torch.float32),
            answers.log_probs,
            names=self.names if task == "detect" else None,
            asked=[each.words or "" for each in asked] if task == "aref" and _is_given(asked) else None,
        )

    def spelt(
        self, head: WriteHead, memory: Memory, asked: Sequence[Asked], picture: Int[Tensor, " asked"]
    ) -> list[str]:
        """Classes written token by token among the given names, for comparison with weighing them all."""
        prompt = prompts_of(asked, self.tokenizer, self.config).to(memory.device)
        automaton = self._trie.to(memory.device)
        answers = generate(head.text.decoder, memory, prompt, picture=picture.to(memory.device), automaton=automaton)
        ends = [tuple(row) for row in answers.texts(self.tokenizer.end)]
        return [self._by_ids[row] for row in ends]

    @cached_property
    def labels(self) -> Labels:
        """The classes, ready to be weighed.

        Raises:
            InputError: two that cannot be told apart.
        """
        return Labels.of([(*row, self.tokenizer.end) for row in self._rows], self.tokenizer.vocabulary)

    @cached_property
    def _rows(self) -> tuple[tuple[int, ...], ...]:
        return label_ids(self.tokenizer, self.classes)

    @cached_property
    def _by_ids(self) -> Mapping[tuple[int, ...], str]:
        return dict(zip(self._rows, self.classes, strict=True))

    @cached_property
    def _trie(self) -> Automaton:
        return label_trie(self.tokenizer, self.classes)

    def _automaton(self, task: str, given: bool) -> Automaton:
        key = (task, given)
        if key not in self._automata:
            names = self.names if task == "detect" and self.names else None
            self._automata[key] = automaton_for(task, self.tokenizer, names, asked=given)
        return self._automata[key]

    def _ranked(self, scores: Float[Tensor, " classes"]) -> Found:
        """Classes by falling probability among themselves."""
        values, order = scores.softmax(0).sort(descending=True)
        labels = [
            Label(self.classes[number], value) for number, value in zip(order.tolist(), values.tolist(), strict=True)
        ]
        return Found(labels[0].name, labels=tuple(labels))


def _is_given(asked: Sequence[Asked]) -> bool:
    """Whether prompts of aref hold an expression, or those of gcap a box."""
    given = {bool(each.boxes) if each.task == "gcap" else bool(each.words) for each in asked}
    if len(given) > 1:
        raise InputError("Ask for all answers of a batch in one way: with words or a box, or without.")
    return given.pop()
