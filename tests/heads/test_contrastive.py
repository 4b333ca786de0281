"""The losses over pairs against their definitions, groups, schedules, and several processes against one."""

from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.heads.contrastive import Contrastive, PairLoss, Triplet, TwoTower, others, triplet
from lichen.heads.embedder import Embedder
from lichen.heads.given import Given
from lichen.heads.summary import Summary
from lichen.testing import check_head

from .pairs import GROUP, LOSSES, SIZES, build, embeddings, part

GIVEN = Given("tokens", 8)
PARTS = ("image", "text")


def contrastive_by_hand(first: Tensor, second: Tensor, group: list[int], scale: float) -> float:
    """The definition: for each query the share of its own answer among that answer and those of other groups."""
    total, count = 0.0, len(first)
    for queries, answers in ((first, second), (second, first)):
        for i in range(count):
            rivals = [j for j in range(count) if j == i or group[j] != group[i]]
            scores = [math.exp(scale * float(queries[i] @ answers[j])) for j in rivals]
            total -= math.log(math.exp(scale * float(queries[i] @ answers[i])) / sum(scores))
    return total / (2 * count)


def triplet_by_hand(first: Tensor, second: Tensor, group: list[int], margin: float, hardest: bool) -> float:
    """The definition, one pair at a time."""
    total, count = 0.0, len(first)
    for queries, answers in ((first, second), (second, first)):
        for i in range(count):
            own = float(queries[i] @ answers[i])
            terms = [
                max(0.0, margin + float(queries[i] @ answers[j]) - own) for j in range(count) if group[j] != group[i]
            ]
            total += (max(terms, default=0.0) if hardest else sum(terms)) if terms else 0.0
    return total


groups = st.lists(st.integers(0, 3), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@for_all(groups, st.integers(0, 100))
def test_contrastive_is_its_definition(group: list[int], seed: int) -> None:
    first, second = embeddings(seed, len(group)), embeddings(seed + 1000, len(group))
    loss = Contrastive(temperature=0.2).double()(first, second, torch.tensor(group))
    assert loss.item() == pytest.approx(contrastive_by_hand(first, second, group, 5.0), rel=1e-6, abs=1e-9)


@settings(max_examples=40, deadline=None)
@for_all(groups, st.integers(0, 100), st.booleans())
def test_triplet_is_its_definition(group: list[int], seed: int, hardest: bool) -> None:
    first, second = embeddings(seed, len(group)), embeddings(seed + 1000, len(group))
    negative = others(torch.tensor(group), len(group), first.device)
    loss = triplet(first @ second.T, negative, 0.2, hardest)
    assert loss.item() == pytest.approx(triplet_by_hand(first, second, group, 0.2, hardest), rel=1e-9, abs=1e-9)


def test_golden_triplet() -> None:
    likeness = torch.tensor([[0.5, 0.4, 0.1], [0.2, 0.3, 0.45], [0.0, 0.35, 0.9]], dtype=torch.float64)
    negative = ~torch.eye(3, dtype=torch.bool)
    # rows: .1 | .1 + .35 | 0; columns: 0 | .3 + .25 | 0
    assert triplet(likeness, negative, 0.2, hardest=False).item() == pytest.approx(0.1 + 0.45 + 0.55)
    assert triplet(likeness, negative, 0.2, hardest=True).item() == pytest.approx(0.1 + 0.35 + 0.3)


@pytest.mark.parametrize("loss", [Contrastive(), Triplet(margin=5.0)], ids=["contrastive", "triplet"])
def test_pairs_of_one_picture_do_not_repel_each_other(loss: PairLoss) -> None:
    for group in (None, torch.tensor([7, 7, 8, 9])):
        likeness = (embeddings(0, 4) @ embeddings(1, 4).T).requires_grad_()
        value = loss.double().compare(likeness, others(group, 4, likeness.device))
        push = torch.autograd.grad(value, likeness)[0]
        assert push[0, 2] > 0 and push[3, 1] > 0
        assert bool(push[0, 1] > 0) and bool(push[1, 0] > 0) if group is None else not push[[0, 1], [1, 0]].any()
        assert (push.diagonal() < 0).all()


def test_without_groups_every_row_is_for_itself() -> None:
    first, second = embeddings(0, 4), embeddings(1, 4)
    loss = Contrastive()
    assert loss(first, second).item() == loss(first, second, torch.arange(4)).item()


def test_temperature_starts_as_stated_and_trains() -> None:
    loss = Contrastive()
    assert loss.scale.item() == pytest.approx(1 / 0.07, rel=1e-6)
    loss(embeddings(0, 4).float(), embeddings(1, 4).float()).backward()
    assert loss.log_scale.grad is not None and loss.log_scale.grad.ne(0)
    with pytest.raises(InputError, match="above 0"):
        Contrastive(0.0)


def test_temperature_is_clamped_and_can_come_back() -> None:
    loss = Contrastive(temperature=1e-6)
    assert loss.scale.item() == pytest.approx(100.0)
    first, second = embeddings(0, 4).float(), embeddings(1, 4).float()
    with torch.no_grad():
        loss.log_scale.fill_(8.0)
    loss.eval()
    assert loss.scale.item() == pytest.approx(100.0)
    at_limit = loss(first, second).item()
    assert loss.log_scale.item() == 8.0, "eval must change nothing"
    loss.train()
    found = loss(first, second)
    assert found.item() == pytest.approx(at_limit, rel=1e-5)
    found.backward()
    assert loss.log_scale.item() <= math.log(100.0) + 1e-6
    # Random pairs are told apart badly: a lower scale would be better, and the gradient says so.
    assert loss.log_scale.grad is not None and loss.log_scale.grad.item() > 0


def test_schedule_of_the_triplets() -> None:
    loss = Triplet(warm_up=1.0, ramp=1.0)
    found = {}
    for epoch in (0.0, 0.99, 1.0, 1.25, 2.0, 20.0):
        loss.set_epoch(epoch)
        found[epoch] = (loss.hardest, loss.weight)
    assert found == {
        0.0: (False, 1.0),
        0.99: (False, 1.0),
        1.0: (True, 0.0),
        1.25: (True, 0.25),
        2.0: (True, 1.0),
        20.0: (True, 1.0),
    }
    assert Triplet(warm_up=0.0, ramp=0.0).hardest and Triplet(warm_up=0.0, ramp=0.0).weight == 1.0
    first, second = embeddings(0, 5), embeddings(1, 5)
    loss.set_epoch(1.25)
    wanted = 0.25 * triplet_by_hand(first, second, list(range(5)), 0.2, hardest=True)
    assert loss(first, second).item() == pytest.approx(wanted)
    with pytest.raises(InputError, match="must not be negative"):
        Triplet(margin=-0.1)


@pytest.mark.parametrize("targets", [{"group": torch.tensor([0, 1, 1, 2])}, {}], ids=["groups", "none"])
@pytest.mark.parametrize("loss", [Contrastive, Triplet, lambda: Triplet(warm_up=0.0, ramp=0.0)])
def test_two_towers_conform(loss, targets: dict[str, Tensor]) -> None:
    def factory(given: dict[str, Given]) -> TwoTower:
        return TwoTower({name: Embedder(Summary(each), 4) for name, each in given.items()}, loss())

    check_head(factory, targets, parts=PARTS)


def test_two_towers_with_gpo_conform() -> None:
    check_head(
        lambda given: TwoTower({n: Embedder(Summary(g, "gpo"), 4) for n, g in given.items()}, Contrastive()),
        {"group": torch.tensor([0, 1, 1, 2])},
        parts=PARTS,
        kinds=("text", "picture", "maps"),
    )


def test_names_and_single_parts() -> None:
    head = TwoTower({name: Embedder(Summary(GIVEN), 4) for name in ("query", "answer")}, Contrastive())
    features = Features((), torch.randn(3, 5, 8))
    both = head({"answer": features, "query": features}, {})
    assert list(both) == ["query", "answer", "loss"]
    alone = head({"answer": features})
    assert list(alone) == ["answer"] and torch.equal(alone["answer"], both["answer"])
    assert not torch.equal(both["query"], both["answer"])


def test_a_shared_embedder_is_saved_once() -> None:
    shared = Embedder(Summary(GIVEN), 4)
    head = TwoTower({"query": shared, "answer": shared}, Triplet())
    features = Features((), torch.randn(3, 5, 8))
    both = head({"query": features, "answer": features})
    assert torch.equal(both["query"], both["answer"])
    pointers = [value.data_ptr() for value in head.state_dict().values()]
    assert len(pointers) == len(set(pointers)) == 2


def test_wrong_parts() -> None:
    embedder = Embedder(Summary(GIVEN), 4)
    with pytest.raises(InputError, match="ties two parts"):
        TwoTower({"image": embedder}, Contrastive())
    with pytest.raises(InputError, match="neither named 'loss'"):
        TwoTower({"image": embedder, "loss": embedder}, Contrastive())
    with pytest.raises(InputError, match=r"one width; got \{'image': 4, 'text': 5\}"):
        TwoTower({"image": embedder, "text": Embedder(Summary(GIVEN), 5)}, Contrastive())
    head = TwoTower({"image": embedder, "text": Embedder(Summary(GIVEN), 4)}, Contrastive())
    features = Features((), torch.randn(3, 5, 8))
    with pytest.raises(InputError, match=r"parts \['image', 'text'\] are expected; got \['video'\]"):
        head({"video": features})
    with pytest.raises(InputError, match=r"are expected; got \['text'\]"):
        head({"text": features}, {})
    with pytest.raises(InputError, match="equal numbers of both parts; got 3 and 2"):
        head({"image": features, "text": features[:2]}, {})


def test_two_processes_take_the_step_of_one(tmp_path: Path) -> None:
    """Gradients averaged over two gloo processes, as data-parallel training does, against one process with all rows."""
    script = Path(__file__).with_name("pairs.py")
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), str(tmp_path), str(rank)],
            env={**os.environ, "GLOO_SOCKET_IFNAME": "lo"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
    results = [load_file(tmp_path / f"{rank}.safetensors") for rank in range(2)]
    for (size, _), name in itertools.product(SIZES, LOSSES):
        head, key = build(name), f"{name} {size}"
        loss = head({each: part(each) for each in PARTS}, {"group": GROUP})["loss"]
        loss.backward()
        for parameter, value in head.named_parameters():
            assert value.grad is not None
            mean = (results[0][f"{key} {parameter}"] + results[1][f"{key} {parameter}"]) / 2
            torch.testing.assert_close(mean, value.grad, rtol=1e-9, atol=1e-12)
        for result in results:
            torch.testing.assert_close(result[f"{key} loss"], loss.detach(), rtol=1e-12, atol=1e-12)
        # Evaluation compares a process's own rows only, and waits for no one.
        own = {each: part(each)[:size] for each in PARTS}
        alone = head.eval()(own, {"group": GROUP[:size]})["loss"].detach()
        torch.testing.assert_close(results[0][f"{key} alone"], alone)
