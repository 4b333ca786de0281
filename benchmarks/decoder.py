"""Decoding with a text decoder beside the usual ways to do the same, in one run.

    python benchmarks/decoder.py [--only labels mask boxes tokens] [--vocabulary 32000] [--layers 2] [--rounds 3]

labels  the log-likelihood of every label name for every picture: `scoring.score`, which makes a picture's keys and
        values once, reads what labels share once and keeps one logit and one sum a prediction; beside a loop over the
        labels as big_vision's scoring classifier has it, which runs the decoder on all pictures for each label, with
        keys and values made anew and a log-softmax over the vocabulary.
mask    the constraint alone, for a box of four coordinate tokens of 501 and the end, the second corner beyond the
        first: from logits to the chosen token and its log-probability at the third number, for 256 rows, as
        `generate` does it with the tables of an `Automaton` and as transformers does it with its processor of
        `prefix_allowed_tokens_fn`.
boxes   such a box for every expression, from tokens of pictures to ids: `generate(automaton=...)`, with confidences
        among all tokens and among those allowed; beside the same weights in transformers with
        `prefix_allowed_tokens_fn`, and without any constraint. All write the same tokens, which is checked. With
        one expression a picture, eight, and 32, whose keys and values ours shares.
tokens  captions of 20 tokens, greedily and with 4 beams, beside transformers with its cache, and beside decoding that
        keeps no keys and values of the text.

Decoders have random weights; pictures are noise of 197 tokens of width 768 (ViT-B/16). Rounds alternate, the first does
not count, ratios are of medians: by the clock, and by the CPU seconds of this process, which a busy machine does not
distort. Nothing is downloaded. Needs about 3 GB of memory.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence

import torch
import transformers
from torch import Tensor
from torch.nn import functional
from transformers.modeling_outputs import BaseModelOutput

from lichen.heads.decoder.config import DecoderConfig
from lichen.heads.decoder.constraint import Constraint
from lichen.heads.decoder.decoder import TextDecoder
from lichen.heads.decoder.export import for_transformers, to_transformers
from lichen.heads.decoder.generation import generate
from lichen.heads.decoder.labels import Labels
from lichen.heads.decoder.loss import shift_right
from lichen.heads.decoder.scoring import score
from lichen.language.automaton import Automaton

TOKENS, WIDTH = 197, 768
BINS = 501
GOALS = {"labels": 8.0, "mask": 3.0, "boxes": 3.0}
"""How many times faster this library aims to be."""

Times = tuple[float, float]
"""Seconds by the clock and of the CPU."""


def race(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, Times]:
    """Medians of each way, rounds alternating."""
    times: dict[str, list[Times]] = {name: [] for name in runs}
    for _ in range(rounds + 1):
        for name, run in runs.items():
            start, used = time.perf_counter(), time.process_time()
            run()
            times[name].append((time.perf_counter() - start, time.process_time() - used))
    return {
        name: (statistics.median(wall for wall, _ in found[1:]), statistics.median(cpu for _, cpu in found[1:]))
        for name, found in times.items()
    }


def show(what: str, found: dict[str, Times], ours: str, count: int, goal: float | None = None) -> None:
    """A line a way: time, things a second, and how many times the time of ours. The goal is for the second way."""
    for place, (name, (wall, cpu)) in enumerate(found.items()):
        wanted = f"≥ {goal:g}" if goal is not None and place == 1 else ""
        print(
            f"| {what} | {name} | {wall:.3f} | {count / wall:.1f} | {wall / found[ours][0]:.2f} "
            f"| {cpu / found[ours][1]:.2f} | {wanted} |",
            flush=True,
        )


def make_decoder(args: argparse.Namespace) -> TextDecoder:
    """Random weights, the output's included, so that answers differ."""
    torch.manual_seed(0)
    config = DecoderConfig(vocabulary=args.vocabulary, layers=args.layers)
    decoder = TextDecoder(config, WIDTH).eval()
    torch.nn.init.normal_(decoder.output_weight, 0.0, 0.05)
    return decoder


def label_names(count: int, vocabulary: int) -> list[list[int]]:
    """Random names with the statistics of ImageNet's: 2.2 tokens and an end, 85 of 100 first tokens different."""
    draw = random.Random(0)
    firsts = draw.sample(range(2, vocabulary), max(1, int(0.85 * count)))
    names: set[tuple[int, ...]] = set()
    while len(names) < count:
        length = draw.choices((1, 2, 3, 4, 5), (20, 50, 20, 7, 3))[0]
        names.add((draw.choice(firsts), *(draw.randrange(2, vocabulary) for _ in range(length - 1)), 1))
    return [list(name) for name in sorted(names)]


@torch.no_grad()
def naive_scores(decoder: TextDecoder, pictures: Tensor, labels: Sequence[Sequence[int]]) -> Tensor:
    """big_vision's loop: for each label a pass over all pictures, all log-probabilities of all tokens."""
    found = []
    for label in labels:
        ids = torch.tensor(label).expand(len(pictures), -1)
        logits = decoder(shift_right(ids, 0), decoder.remember(pictures))
        found.append(functional.log_softmax(logits, -1).gather(2, ids[:, :, None]).sum((1, 2)))
    return torch.stack(found, 1)


def labels(args: argparse.Namespace) -> None:
    """Scoring many labels."""
    decoder, names = make_decoder(args), label_names(args.labels, args.vocabulary)
    pictures = torch.randn(args.pictures, TOKENS, WIDTH)
    packed = Labels.of(names, args.vocabulary)
    with torch.no_grad():
        difference = score(decoder, decoder.remember(pictures), packed) - naive_scores(decoder, pictures, names)
        runs = {
            "shared": lambda: score(decoder, decoder.remember(pictures), packed),
            "label by label": lambda: naive_scores(decoder, pictures, names),
        }
        found = race(runs, args.rounds)
    what = f"{args.labels} labels, {args.pictures} pictures"
    show(what, found, "shared", args.labels * args.pictures, GOALS["labels"])
    print(f"| | largest difference {difference.abs().max():.1e} | | | | | |")


def box_automaton(vocabulary: int) -> Automaton:
    """Four coordinates, the last of the ids, each of the second pair above the one two places back; then the end."""
    first = vocabulary - BINS
    allowed = torch.zeros(6, vocabulary, dtype=torch.bool)
    allowed[:2, first : vocabulary - 1], allowed[2:4, first:], allowed[4:, 1] = True, True, True
    following = torch.full((6, vocabulary), 5, dtype=torch.int16)
    for state in range(4):
        following[state, allowed[state]] = state + 1
    return Automaton(allowed, following, 0, torch.tensor([0, 0, 2, 2, 0, 0]), (first, vocabulary), 1)


def box_function(vocabulary: int, before: int) -> Callable[[int, Tensor], list[int]]:
    """The same as a function for transformers; `before` tokens stand before the answer."""

    def allowed(_: int, ids: Tensor) -> list[int]:
        written = len(ids) - before
        if written == 4:
            return [1]
        low = vocabulary - BINS if written < 2 else int(ids[-2]) + 1
        return list(range(low, vocabulary - (written < 2)))

    return allowed


def mask(args: argparse.Namespace) -> None:
    """The constraint alone."""
    rows, automaton = 256, box_automaton(args.vocabulary)
    processor = transformers.PrefixConstrainedLogitsProcessor(box_function(args.vocabulary, 1), 1)
    written = torch.randint(args.vocabulary - BINS, args.vocabulary - 1, (rows, 5))
    texts = torch.cat([torch.zeros(rows, 1, dtype=torch.long), written[:, :2]], 1)
    scores = torch.randn(rows, args.vocabulary)
    decoder = make_decoder(args)
    decoder.logits = lambda hidden, tokens=None: scores if tokens is None else scores[:, tokens]
    constraint = Constraint(decoder, automaton, torch.full((rows,), 5))
    constraint.state = torch.full((rows,), 2)

    def ours() -> tuple[Tensor, Tensor]:
        value, column = constraint.log_probs(scores[:, :1], written, 2).max(-1)
        return constraint.token(column), value

    def theirs() -> tuple[Tensor, Tensor]:
        token = processor(texts, scores).argmax(-1)
        return token, scores.gather(1, token[:, None])[:, 0] - scores.logsumexp(-1)

    same = torch.equal(ours()[0], theirs()[0])
    found = race({"automaton": ours, "prefix_allowed_tokens_fn": theirs}, 3 * args.rounds)
    show(f"{rows} rows, one token", found, "automaton", rows, GOALS["mask"])
    print(f"| | equal tokens {same} | | | | | |")


def boxes(args: argparse.Namespace) -> None:
    """Writing boxes under a constraint."""
    decoder, automaton = make_decoder(args), box_automaton(args.vocabulary)
    model = to_transformers(decoder)
    prompts = torch.randint(2, args.vocabulary - BINS, (args.rows, 6))
    before = 1 + prompts.shape[1]
    allowed = box_function(args.vocabulary, before)

    for texts in (1, 8, 32):
        pictures = torch.randn(args.rows // texts, TOKENS, WIDTH)
        picture = torch.arange(args.rows) // texts

        def ours(
            confidence: str, rules: Automaton | None = automaton, pictures: Tensor = pictures, picture: Tensor = picture
        ) -> Tensor:
            with torch.no_grad():
                memory = decoder.remember(pictures)
            return generate(
                decoder, memory, prompts, picture=picture, automaton=rules, most=5, confidence=confidence
            ).ids

        def theirs(fn: Callable | None, pictures: Tensor = pictures, picture: Tensor = picture) -> Tensor:
            outputs = BaseModelOutput(last_hidden_state=pictures[picture])
            given = {"decoder_input_ids": for_transformers(prompts, 0)["decoder_input_ids"]}
            found = model.generate(encoder_outputs=outputs, prefix_allowed_tokens_fn=fn, max_new_tokens=5, **given)
            return found[:, before:]

        wanted = theirs(allowed)
        same = [(ours(confidence) == wanted).all(1).float().mean() for confidence in ("all", "allowed")]
        runs = {
            "automaton, confidence=all": lambda ours=ours: ours("all"),
            "prefix_allowed_tokens_fn": lambda theirs=theirs: theirs(allowed),
            "automaton, confidence=allowed": lambda ours=ours: ours("allowed"),
            "ours, unconstrained": lambda ours=ours: ours("all", None),
            "transformers, unconstrained": lambda theirs=theirs: theirs(None),
        }
        found = race(runs, args.rounds)
        show(f"{args.rows} boxes, {texts} a picture", found, "automaton, confidence=all", args.rows, GOALS["boxes"])
        fast, slow = found["automaton, confidence=allowed"], found["prefix_allowed_tokens_fn"]
        print(
            f"| | prefix_allowed_tokens_fn, times confidence=allowed | | | {slow[0] / fast[0]:.2f} "
            f"| {slow[1] / fast[1]:.2f} | ≥ {GOALS['boxes']:g} |"
        )
        print(f"| | equal answers {same[0]:.3f}, {same[1]:.3f} | | | | | |")


@torch.no_grad()
def uncached(decoder: TextDecoder, pictures: Tensor, count: int) -> Tensor:
    """Greedy decoding that reads the whole text for each token; keys and values of pictures are kept."""
    memory = decoder.remember(pictures)
    ids = torch.zeros(len(pictures), 1, dtype=torch.long)
    for _ in range(count):
        logits = decoder.logits(decoder.hidden(ids, memory)[:, -1])
        logits[:, 0] = -torch.inf
        ids = torch.cat([ids, logits.argmax(-1, keepdim=True)], 1)
    return ids[:, 1:]


def tokens(args: argparse.Namespace) -> None:
    """Writing captions. The end is made unlikely, so that all ways write the same number of tokens."""
    decoder, count = make_decoder(args), 20
    with torch.no_grad():
        decoder.output_bias[1] = -1e4
    model, pictures = to_transformers(decoder), torch.randn(args.captions, TOKENS, WIDTH)
    outputs = BaseModelOutput(last_hidden_state=pictures)

    def ours(beams: int) -> Tensor:
        with torch.no_grad():
            memory = decoder.remember(pictures)
        return generate(decoder, memory, beams=beams, most=count).ids

    def theirs(**settings: object) -> Tensor:
        copy = BaseModelOutput(last_hidden_state=outputs.last_hidden_state)
        return model.generate(encoder_outputs=copy, max_new_tokens=count, **settings)[:, 1:]

    beam = {"num_beams": 4, "length_penalty": 0.0}
    ways: dict[str, dict[str, Callable[[], Tensor]]] = {
        "greedy": {
            "ours": lambda: ours(1),
            "transformers": theirs,
            "no cache of the text": lambda: uncached(decoder, pictures, count),
        },
        "4 beams": {"ours": lambda: ours(4), "transformers": lambda: theirs(**beam)},
    }
    for name, runs in ways.items():
        same = (runs["ours"]() == runs["transformers"]()).all(1).float().mean()
        show(f"{args.captions} captions, {name}", race(runs, args.rounds), "ours", args.captions * count)
        print(f"| | equal answers {same:.3f} | | | | | |")


PARTS = {"labels": labels, "mask": mask, "boxes": boxes, "tokens": tokens}


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--vocabulary", type=int, default=32_000)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--pictures", type=int, default=2)
    parser.add_argument("--rows", type=int, default=64, help="expressions of the boxes; a multiple of 8")
    parser.add_argument("--captions", type=int, default=8)
    args = parser.parse_args(given)
    transformers.utils.logging.set_verbosity_error()
    versions = (
        f"torch {torch.__version__}, transformers {transformers.__version__}, {torch.get_num_threads()} thread(s)"
    )
    print(f"{versions}; {args.layers} layers, vocabulary {args.vocabulary}\n")
    print("| what | way | seconds | a second | times ours | by CPU | goal |\n|---|---|---:|---:|---:|---:|---:|")
    for part in args.only:
        PARTS[part](args)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
