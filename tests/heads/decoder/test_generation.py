"""Greedy decoding: what it writes, and what its answers may depend on."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lichen.errors import InputError
from lichen.heads.decoder.answers import Answers
from lichen.heads.decoder.decoder import TextDecoder
from lichen.heads.decoder.generation import generate

from .tiny import ids_of, make_decoder, make_memory, random_ids

PROMPTS = ids_of([[5, 6, 7], [8], [9, 10, 11, 12], [4, 4], [13, 14, 15, 16, 17]])


def uncached(decoder: TextDecoder, tokens: Tensor, real: Tensor, prompt: list[int], most: int) -> tuple[list, list]:
    """One text, everything computed anew for each token."""
    ids, written, log_probs = [0, *prompt], [], []
    while len(written) < most and len(ids) <= decoder.config.context:
        with torch.no_grad():
            logits = decoder(torch.tensor([ids]), decoder.remember(tokens[None], real[None]))[0, -1]
        scores = logits.log_softmax(-1)
        logits[0] = -torch.inf
        token = int(logits.argmax())
        written.append(token)
        log_probs.append(float(scores[token]))
        if token == 1:
            break
        ids.append(token)
    return written, log_probs


def close(one: Answers, two: Answers) -> None:
    assert one.ids.equal(two.ids) and one.lengths.equal(two.lengths) and one.finished.equal(two.finished)
    torch.testing.assert_close(one.log_probs, two.log_probs)
    torch.testing.assert_close(one.score, two.score)


@pytest.mark.parametrize("seed", [1, 4])
@pytest.mark.parametrize("prompted", [False, True])
def test_a_cache_changes_nothing(seed: int, prompted: bool) -> None:
    decoder = make_decoder(seed, ends=2.0)
    tokens, real = make_memory()
    answers = generate(decoder, decoder.remember(tokens, real), PROMPTS if prompted else None)
    for row in range(5):
        prompt = [id for id in PROMPTS[row].tolist() if id] if prompted else []
        written, log_probs = uncached(decoder, tokens[row], real[row], prompt, 12)
        length = int(answers.lengths[row])
        assert answers.ids[row, :length].tolist() == written and not answers.ids[row, length:].any()
        torch.testing.assert_close(answers.log_probs[row, :length], torch.tensor(log_probs, dtype=torch.float64))
        assert not answers.log_probs[row, length:].any()
        assert bool(answers.finished[row]) == (written[-1] == 1)
    torch.testing.assert_close(answers.score, answers.log_probs.sum(1))
    assert len(set(answers.lengths.tolist())) > 1, "all answers are equally long, so this shows little"


@pytest.mark.parametrize("beams", [1, 3])
def test_answers_do_not_depend_on_the_batch(beams: int) -> None:
    """Neither on other rows, their order, the length of their prompts, nor on padding of prompts and pictures."""
    decoder = make_decoder(1, ends=2.0)
    tokens, real = make_memory()
    memory = decoder.remember(tokens, real)
    whole = generate(decoder, memory, PROMPTS, beams=beams)
    assert not whole.finished.all() and whole.finished.any()
    order = torch.tensor([3, 0, 4, 1, 2])
    mixed = generate(decoder, memory.select(order), PROMPTS[order], beams=beams)
    close(mixed, take(whole, order))
    for row in range(5):
        prompt = PROMPTS[row][PROMPTS[row] != 0][None]
        count = int(real[row].sum())
        alone = decoder.remember(tokens[[row], :count])
        close(generate(decoder, alone, prompt, beams=beams), take(whole, torch.tensor([row])))


def take(answers: Answers, rows: Tensor) -> Answers:
    return Answers(**{name: getattr(answers, name)[rows] for name in answers.__dataclass_fields__})


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("picture", [[0, 0, 1, 1, 2, 2], [2, 2, 0, 2, 2, 1]])
def test_answers_do_not_depend_on_how_texts_share_pictures(picture: list[int], beams: int) -> None:
    decoder = make_decoder(1, ends=2.0)
    tokens, real = make_memory(3)
    index, prompts = torch.tensor(picture), random_ids(5, 6, 3)
    shared = generate(decoder, decoder.remember(tokens, real), prompts, picture=index, beams=beams)
    close(shared, generate(decoder, decoder.remember(tokens[index], real[index]), prompts, beams=beams))


@pytest.mark.parametrize("beams", [1, 3])
def test_prompts_may_be_padded_on_either_side(beams: int) -> None:
    decoder = make_decoder(1, ends=2.0)
    memory = decoder.remember(*make_memory())
    whole = generate(decoder, memory, PROMPTS, beams=beams)
    left = torch.stack([torch.cat([row[row == 0], row[row != 0]]) for row in PROMPTS])
    wide = torch.nn.functional.pad(PROMPTS, (2, 3))
    assert not left.equal(PROMPTS)
    close(generate(decoder, memory, left, beams=beams), whole)
    close(generate(decoder, memory, wide, beams=beams), whole)


@pytest.mark.parametrize("beams", [1, 3])
def test_each_row_has_its_own_limit(beams: int) -> None:
    decoder = make_decoder(1, ends=2.0)
    with torch.no_grad():
        decoder.output_bias[1] = -1e3  # It never ends by itself.
    memory = decoder.remember(*make_memory())
    answers = generate(decoder, memory, PROMPTS, beams=beams)
    assert answers.ids.shape == (5, 12) and not answers.finished.any()
    assert answers.lengths.tolist() == [12 + 1 - (1 + n) for n in (3, 1, 4, 2, 5)]
    short = generate(decoder, memory, PROMPTS, beams=beams, most=3)
    assert short.ids.shape == (5, 3) and short.lengths.tolist() == [3] * 5
    if beams == 1:
        assert short.ids.equal(answers.ids[:, :3])


def test_padding_is_never_written() -> None:
    decoder = make_decoder(1, ends=2.0)
    with torch.no_grad():
        decoder.output_bias[0] = 1e3
    memory = decoder.remember(*make_memory())
    for beams in (1, 2):
        answers = generate(decoder, memory, beams=beams, most=4)
        assert all(0 not in row[:length] for row, length in zip(answers.ids.tolist(), answers.lengths, strict=True))
        # Confidences are among all tokens, and padding had nearly all of the probability.
        assert (answers.log_probs[:, 0] < -900).all()


def test_texts_are_ids_without_ends() -> None:
    decoder = make_decoder(1, ends=2.0)
    answers = generate(decoder, decoder.remember(*make_memory()))
    for text, ids, length, ended in zip(
        answers.texts(1), answers.ids.tolist(), answers.lengths.tolist(), answers.finished.tolist(), strict=True
    ):
        assert text == ids[: length - ended]


def test_it_stops_when_all_rows_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = make_decoder(1, ends=2.0)
    with torch.no_grad():
        decoder.output_bias[1] = 1e3
    passes = []
    run = decoder.run
    monkeypatch.setattr(decoder, "run", lambda *args: passes.append(1) or run(*args))
    for beams in (1, 3):
        passes.clear()
        assert generate(decoder, decoder.remember(*make_memory()), beams=beams).ids[:, 0].eq(1).all()
        assert len(passes) == 1


def test_pictures_are_remembered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither steps nor beams nor texts of a picture make or copy its keys and values."""
    decoder = make_decoder(1, ends=2.0)
    memory = decoder.remember(*make_memory(2))
    seen = set()
    run = decoder.run

    def watch(ids: Tensor, positions: Tensor, reading) -> Tensor:
        seen.update(keys.data_ptr() for keys in reading.memory.keys)
        return run(ids, positions, reading)

    monkeypatch.setattr(decoder, "run", watch)
    monkeypatch.setattr(decoder, "remember", None)
    generate(decoder, memory, random_ids(1, 6, 2), picture=torch.tensor([0, 0, 0, 1, 1, 1]), beams=3)
    assert seen == {keys.data_ptr() for keys in memory.keys}


def test_what_cannot_be_is_refused() -> None:
    decoder = make_decoder()
    memory = decoder.remember(*make_memory())
    with pytest.raises(InputError, match="row 0 has 13 tokens with the start"):
        generate(decoder, memory, random_ids(0, 5, 12))
    with pytest.raises(InputError, match="at least 1"):
        generate(decoder, memory, beams=0)
    with pytest.raises(InputError, match="most=0"):
        generate(decoder, memory, most=0)
    with pytest.raises(InputError, match="3 texts for 5 pictures"):
        generate(decoder, memory, random_ids(0, 3, 2))
    with pytest.raises(InputError, match="Unknown ending"):
        generate(decoder, memory, ending="rankd")
