"""How well sentences describe pictures: CIDEr-D, BLEU, ROUGE-L and METEOR, as COCO's evaluation computes them.

CIDEr-D is computed here, without Java or any other package. BLEU and ROUGE-L are those of pycocoevalcap, and METEOR is
the Java program that comes with it. SPICE is not offered: it needs Stanford CoreNLP, which pycocoevalcap fetches over
the network when it is first used.

CIDEr-D weighs words by how few pictures of the evaluated set they describe. So figures of small sets cannot be compared
with those of large ones, and a single picture has 0: always print the number of pictures beside it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from itertools import chain
from typing import cast

import numpy as np
from jaxtyping import Float, Int

from ..errors import InputError, pick
from .kinds import check_answers, check_pairs
from .ptb import find_java, java_words, scorers, words

ORDER = 4
"""Longest n-gram of CIDEr-D and of BLEU."""
SIGMA = 6.0
"""Of CIDEr-D's penalty for another length, in words."""

Words = tuple[str, ...]
Tokenizer = Callable[[Sequence[str]], list[Words]]
_Texts = dict[int, list[str]]


def _python(sentences: Sequence[str]) -> list[Words]:
    return [words(sentence) for sentence in sentences]


TOKENIZERS: dict[str, Tokenizer] = {"python": _python, "java": java_words}
"""How sentences become words: our own rules, or the program that published figures come from; see `ptb`."""


def caption_scores(
    predictions: Sequence[str],
    references: Sequence[Sequence[str]],
    scores: Sequence[str] = ("cider",),
    tokenizer: str = "python",
) -> dict[str, float]:
    """Scores of one sentence a picture.

    Args:
        predictions: one sentence a picture; an empty one counts as it is.
        references: all that people wrote about each picture, as they wrote it.
        scores: any of "cider", "bleu", "rouge_l", "meteor".
        tokenizer: "python" or "java".

    Returns:
        `cider`: CIDEr-D, from 0 to 10; papers print it times 100, so that 1.271 is their 127.1.
        `bleu_1` to `bleu_4`: of the whole set, 0 to 1.
        `rouge_l`, `meteor`: 0 to 1.
        `pictures`: how many there are.

    Raises:
        InputError: no pictures, a picture without a reference, or a score that is not offered.
        MissingPackageError: pycocoevalcap is absent ("bleu", "rouge_l", "meteor"), or Java is ("meteor", and the
            tokenizer "java").
    """
    check_pairs(predictions, references, "pictures")
    check_answers(references, "reference")
    for name in scores:
        if name.lower() == "spice":
            raise InputError(
                "SPICE is not offered: it needs Stanford CoreNLP, which pycocoevalcap fetches over the network at its "
                "first use. Call pycocoevalcap.spice.spice.Spice yourself where that is possible."
            )
    chosen = [_SCORES[pick("caption score", name, _SCORES)] for name in scores]
    tokenise = TOKENIZERS[pick("tokenizer", tokenizer, TOKENIZERS)]
    cut = iter(tokenise([*predictions, *chain.from_iterable(references)]))
    said = [next(cut) for _ in predictions]
    sides = said, [[next(cut) for _ in given] for given in references]
    found: dict[str, float] = {}
    for score in chosen:
        found |= score(*sides)
    return found | {"pictures": float(len(predictions))}


def cider_d(
    predictions: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]
) -> Float[np.ndarray, " pictures"]:
    """CIDEr-D of every picture, 0 to 10; the score of a set is their mean.

    With c and r the counts of an n-gram in the prediction and a reference, each times log(pictures / pictures that the
    n-gram describes): the sum of min(c, r) r over n-grams by the product of their norms, times exp(-d² / 72) with d the
    difference of lengths in words; the mean over references and over n = 1 to 4, times 10.

    Args:
        predictions: the words of one sentence a picture, as `ptb.words` gives them.
        references: the words of each picture's references.

    Raises:
        InputError: no pictures, a picture without a reference, or sentences that were not cut into words.

    Source: Vedantam et al., CIDEr, CVPR 2015, section 5 and its "CIDEr-D", as coded in pycocoevalcap.
    """
    check_pairs(predictions, references, "pictures")
    check_answers(references, "reference")
    said: list[Sequence[str]] = [*predictions, *chain.from_iterable(references)]
    if any(isinstance(sentence, str) for sentence in said):
        raise InputError("CIDEr-D takes sentences as lists of words. Cut them with lichen.metrics.ptb.words().")
    pictures = len(predictions)
    owner = np.concatenate([np.arange(pictures), np.repeat(np.arange(pictures), [len(each) for each in references])])
    lengths = np.array([len(sentence) for sentence in said])
    numbers: dict[str, int] = {}
    flat = np.array([numbers.setdefault(word, len(numbers)) for word in chain.from_iterable(said)], np.int64)
    sentence = np.repeat(np.arange(len(said)), lengths)
    total = np.zeros(len(said))
    grams = flat
    for n in range(1, ORDER + 1):
        if n > 1:
            # The n-gram at a place is the (n - 1)-gram there and the word after it; both are numbers.
            grams = grams[:-1] * (len(numbers) + 1) + flat[n - 1 :]
            grams = np.unique(grams, return_inverse=True)[1]
        if not len(grams):
            break
        inside = sentence[: len(grams)] == sentence[n - 1 :]
        total += _likeness(grams[inside], sentence[n - 1 :][inside], owner, pictures)
    total *= np.exp(-((lengths - lengths[owner]) ** 2) / (2 * SIGMA**2))
    counts = np.bincount(owner[pictures:], minlength=pictures)
    return 10 / ORDER * np.bincount(owner[pictures:], total[pictures:], pictures) / counts


def _likeness(
    grams: Int[np.ndarray, " places"],
    sentence: Int[np.ndarray, " places"],
    owner: Int[np.ndarray, " sentences"],
    pictures: int,
) -> Float[np.ndarray, " sentences"]:
    """Clipped cosine, for one n, of every sentence with its picture's prediction: sentence number `picture`.

    Args:
        grams: number of the n-gram at every place where one begins.
        sentence: the sentence of that place.
        owner: the picture of each sentence.
        pictures: how many there are.
    """
    span = int(grams.max(initial=-1)) + 1
    keys, counts = np.unique(sentence * span + grams, return_counts=True)
    where, gram = np.divmod(keys, max(span, 1))
    reference = where >= pictures
    described = np.unique(owner[where[reference]] * span + gram[reference]) % max(span, 1)
    rarity = np.log(pictures) - np.log(np.maximum(np.bincount(described, minlength=span), 1))
    weight = counts * rarity[gram]
    norm = np.sqrt(np.bincount(where, weight**2, len(owner)))
    # The same n-gram of the prediction, where it has it.
    wanted = owner[where] * span + gram
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    same = np.where(keys[place] == wanted, weight[place], 0.0)
    shared = np.bincount(where, np.minimum(same, weight) * weight, len(owner))
    scale = norm * norm[owner]
    return np.divide(shared, scale, out=np.zeros(len(owner)), where=scale > 0)


def _cider(predictions: list[Words], references: list[list[Words]]) -> dict[str, float]:
    return {"cider": float(cider_d(predictions, references).mean())}


def _texts(predictions: list[Words], references: list[list[Words]]) -> tuple[_Texts, _Texts]:
    """References and predictions as pycocoevalcap takes them."""
    return (
        {picture: [" ".join(each) for each in given] for picture, given in enumerate(references)},
        {picture: [" ".join(each)] for picture, each in enumerate(predictions)},
    )


def _bleu(predictions: list[Words], references: list[list[Words]]) -> dict[str, float]:
    scorers()
    from pycocoevalcap.bleu.bleu import Bleu

    found, _ = Bleu(ORDER).compute_score(*_texts(predictions, references), verbose=0)
    return {f"bleu_{n}": float(value) for n, value in enumerate(found, 1)}


def _rouge_l(predictions: list[Words], references: list[list[Words]]) -> dict[str, float]:
    scorers()
    from pycocoevalcap.rouge.rouge import Rouge

    found, _ = Rouge().compute_score(*_texts(predictions, references))
    return {"rouge_l": float(found)}


def _meteor(predictions: list[Words], references: list[list[Words]]) -> dict[str, float]:
    """METEOR 1.5 over its line protocol: SCORE gives the statistics of a picture, EVAL the score of all of them."""
    jar = scorers("meteor") / "meteor-1.5.jar"
    call = [find_java("METEOR"), "-Dfile.encoding=UTF-8", "-Xmx2G", "-jar", str(jar)]
    call += ["-", "-", "-stdio", "-l", "en", "-norm"]
    truths, said = _texts(predictions, references)
    # A bar separates the fields of the protocol.
    lines = [[text.replace("|", "") for text in (*truths[picture], *said[picture])] for picture in said]
    last = ""
    try:
        with subprocess.Popen(
            call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
        ) as process:
            to, back = cast(TextIOWrapper, process.stdin), cast(TextIOWrapper, process.stdout)
            statistics = [_ask(to, back, ["SCORE", *line]) for line in lines]
            last = _ask(to, back, ["EVAL", *statistics])
            # EVAL answers with a line a picture, then with the score of all.
            for _ in statistics:
                last = back.readline().strip()
    except BrokenPipeError:
        last = ""
    try:
        return {"meteor": float(last)}
    except ValueError as error:
        raise InputError(
            f"METEOR stopped without a score ({last[:80]!r}). It needs 2 GB of memory and a working Java; try "
            f"`{call[0]} -jar {jar}`, or leave it out."
        ) from error


def _ask(to: TextIOWrapper, back: TextIOWrapper, fields: Sequence[str]) -> str:
    to.write(" ||| ".join(fields) + "\n")
    to.flush()
    return back.readline().strip()


_SCORES: dict[str, Callable[[list[Words], list[list[Words]]], dict[str, float]]] = {
    "cider": _cider,
    "bleu": _bleu,
    "rouge_l": _rouge_l,
    "meteor": _meteor,
}
