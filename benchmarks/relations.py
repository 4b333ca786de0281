"""The scene graph head beside the same maths with a Python loop per entity; its memory and its cost, in one run.

    python benchmarks/relations.py [--only loop memory boxes] [--sizes recipe] [--pairs 64 256] [--rounds 3] [--small]

loop    the head (BGNN) on 64 pictures of 80 boxes, all at once; beside the same weights with loops that go from entity
        to entity: one gathers each entity's pairs, makes their messages, takes the mean and updates the entity; the
        other makes all messages together and loops over the means alone. The best pairs of each picture are kept, so
        many as --pairs says (the published limit in training is 1000): what the loop wastes grows with the boxes, the
        arithmetic that all share with the pairs, so with many pairs on a CPU the ratio falls. Logits must agree to
        1e-5, or the run fails. Forward passes without gradients.
memory  bytes kept for backward by a training step, against pairs, with messages and without.
boxes   cost of a picture whose every ordered pair of boxes is asked about, as boxes grow.

Sizes: `recipe` are those of the recipe playground-relate (128 wide), `released` those of the published model (512
wide, features of 4096), which a CPU needs some forty times as long for. Weights, boxes and features are random: all
gates are open. Rounds alternate after a short warm-up; ratios are of medians: by the clock, and by the CPU seconds of
this process, which a busy machine does not distort. `--small` takes seconds. Needs about 3 GB of memory.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lichen.graphs import BipartiteRound
from lichen.heads.scene_graph import RELEASED, GraphInputs, GraphTargets, SceneGraphConfig, SceneGraphHead
from lichen.memory import MIB, KeptBytes
from lichen.regions import Regions, best_pairs, ordered_pairs

CLASSES, PREDICATES = 150, 50
"""As in VG150."""
GOAL, AGREE = 10.0, 1e-5
RECIPE: Mapping[str, Any] = {"width": 128, "pooled": 256, "graph": 128, "confidence": 128}
SIZES: dict[str, tuple[Mapping[str, Any], int]] = {
    "tiny": ({"width": 8, "pooled": 12, "graph": 8, "confidence": 8, "embedding": 4}, 6),
    "recipe": (RECIPE, 128),
    "released": ({name: value for name, value in RELEASED.items() if name != "compat"}, 4096),
}
"""Settings of the head, and channels of its features."""
Times = tuple[float, float]
"""Seconds by the clock, and CPU seconds."""


class LoopedMeans(BipartiteRound):
    """All messages at once; then each entity in turn looks for its own and takes their mean."""

    def _arrived(self, message: Tensor, node: Tensor, nodes: int, confidence: Tensor | None) -> Tensor:
        found = []
        for entity in range(nodes):
            own = (node == entity).nonzero()[:, 0]
            found.append(_mean(message[own], None if confidence is None else confidence[own]))
        return torch.stack(found)


class LoopedMessages(BipartiteRound):
    """Each entity in turn looks for its pairs, makes their messages and takes the mean."""

    def forward(
        self,
        entities: Tensor,
        predicates: Tensor,
        pairs: Tensor,
        confidence: Tensor | None = None,
        *,
        sending: Tensor | None = None,
        hearing: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See `BipartiteRound`."""
        updated = self._predicates(predicates, entities[pairs[:, 0]], entities[pairs[:, 1]], hearing)
        if self.entity_fusion is None:
            return entities, updated
        if sending is not None:
            pairs, predicates = pairs[sending], predicates[sending]
            confidence = None if confidence is None else confidence[sending]
        found = []
        for entity in range(len(entities)):
            heard = []
            for side, gate in enumerate((self.to_subject, self.to_object)):
                own = (pairs[:, side] == entity).nonzero()[:, 0]
                messages = gate(entities[entity].expand(len(own), -1), predicates[own])
                heard.append(_mean(messages, None if confidence is None else confidence[own]))
            message = (heard[0] + heard[1])[None] / 2
            found.append(entities[entity] + self.entity_fusion(message, entities[entity : entity + 1])[0])
        return torch.stack(found), updated


def _mean(messages: Tensor, confidence: Tensor | None) -> Tensor:
    """Of the messages to one entity."""
    if confidence is None:
        return messages.sum(0) / max(len(messages), 1)
    return (messages * confidence[:, None]).sum(0) / confidence.sum().clamp(min=1)


def looped(head: SceneGraphHead, kind: type[BipartiteRound]) -> SceneGraphHead:
    """The same head, with the same weights, whose rounds of messages are of another kind."""
    other = SceneGraphHead(head.config, CLASSES, PREDICATES, head.channels, head.union_channels)
    rounds = []
    for exchange in other.context.messages.rounds:
        to_entities = exchange.entity_fusion is not None
        rounds.append(kind(head.config.graph, to_entities=to_entities, weighting=exchange.weighting))
    other.context.messages.rounds = nn.ModuleList(rounds)
    other.load_state_dict(head.state_dict())
    return other.eval()


def make_head(sizes: str, context: str = "bgnn") -> SceneGraphHead:
    """Random weights."""
    torch.manual_seed(0)
    settings, channels = SIZES[sizes]
    return SceneGraphHead(SceneGraphConfig(**{**settings, "context": context}), CLASSES, PREDICATES, channels, channels)


def make_inputs(pictures: int, boxes: int, sizes: str, pairs: int | None = None) -> GraphInputs:
    """Random boxes and features; `pairs` of each picture, or all."""
    draw, channels = torch.Generator().manual_seed(0), SIZES[sizes][1]
    low = torch.rand(pictures * boxes, 2, generator=draw) * 400
    regions = Regions(
        boxes=torch.cat([low, low + 10 + torch.rand(pictures * boxes, 2, generator=draw) * 200], 1),
        picture=torch.arange(pictures).repeat_interleave(boxes),
        sizes=torch.full((pictures, 2), 640.0),
        labels=torch.randint(CLASSES, (pictures * boxes,), generator=draw),
        scores=0.1 + 0.9 * torch.rand(pictures * boxes, generator=draw),
    )
    chosen = ordered_pairs(regions)
    if pairs is not None:
        chosen = best_pairs(regions, chosen, pairs)
    features, unions = (torch.randn(len(each), channels, generator=draw) for each in (regions, chosen))
    return GraphInputs(regions, chosen, features, unions)


def race(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Times]:
    """Medians of each way, rounds alternating."""
    times: dict[str, list[Times]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start, used = time.perf_counter(), time.process_time()
            way()
            times[name].append((time.perf_counter() - start, time.process_time() - used))
    return {
        name: (statistics.median(wall for wall, _ in found), statistics.median(cpu for _, cpu in found))
        for name, found in times.items()
    }


def loop(args: argparse.Namespace) -> None:
    """The head beside loops over entities."""
    head = make_head(args.sizes).eval()
    heads = {
        "lichen": head,
        "loop over entities: messages and means": looped(head, LoopedMessages),
        "loop over entities: means": looped(head, LoopedMeans),
    }
    print(f"\n{args.pictures} pictures, {args.boxes} boxes each\n")
    print("| pairs a picture | way | seconds | CPU seconds | times lichen | by CPU | largest difference | goal |")
    print("|---:|---|---:|---:|---:|---:|---:|---|")
    warm = make_inputs(1, args.boxes, args.sizes, args.pairs[0])
    for pairs in args.pairs:
        inputs = make_inputs(args.pictures, args.boxes, args.sizes, pairs)
        logits: dict[str, Tensor] = {}

        def run(name: str, inputs: GraphInputs = inputs, logits: dict[str, Tensor] = logits) -> None:
            logits[name] = heads[name](inputs)["logits"]

        with torch.inference_mode():
            for each in heads.values():
                each(warm)
            found = race({name: lambda name=name, run=run: run(name) for name in heads}, args.rounds)
        for place, (name, (wall, cpu)) in enumerate(found.items()):
            apart = float((logits[name] - logits["lichen"]).abs().max())
            if not apart <= AGREE:
                raise SystemExit(f"{name}: logits differ by {apart:.1e}, more than {AGREE:g}.")
            own = found["lichen"]
            print(
                f"| {pairs} | {name} | {wall:.2f} | {cpu:.2f} | {wall / own[0]:.1f} | {cpu / own[1]:.1f} "
                f"| {apart:.1e} | {f'≥ {GOAL:g}' if place == 1 else ''} |",
                flush=True,
            )


def kept_bytes(head: SceneGraphHead, inputs: GraphInputs) -> int:
    """What a training step keeps for backward, the inputs left out."""
    given = (inputs.features, inputs.unions, inputs.regions.boxes, inputs.regions.scores)
    labels = torch.arange(len(inputs.pairs)) % (PREDICATES + 1)
    with KeptBytes([*head.buffers(), *(each for each in given if each is not None)]) as kept:
        head(inputs, GraphTargets(labels))
    return kept.bytes


def memory(args: argparse.Namespace) -> None:
    """Bytes kept against pairs."""
    pictures = min(args.pictures, 2)
    heads = {context: make_head(args.sizes, context).train() for context in ("bgnn", "plain")}
    print(f"\nKept for backward, {pictures} pictures of {args.boxes} boxes\n")
    print("| pairs a picture | pairs | BGNN, MiB | KiB a pair | no messages, MiB | KiB a pair | ratio |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for pairs in args.memory_pairs:
        inputs = make_inputs(pictures, args.boxes, args.sizes, pairs)
        count = len(inputs.pairs)
        full, plain = (kept_bytes(head, inputs) for head in heads.values())
        cells = " | ".join(f"{value / MIB:.1f} | {value / 1024 / count:.1f}" for value in (full, plain))
        print(f"| {count // pictures} | {count} | {cells} | {full / plain:.1f} |", flush=True)


def boxes(args: argparse.Namespace) -> None:
    """Cost of a picture as boxes grow."""
    head, pictures = make_head(args.sizes).eval(), min(args.pictures, 2)
    given = {count: make_inputs(pictures, count, args.sizes) for count in args.grow}
    with torch.inference_mode():
        head(given[args.grow[0]])
        ways = {str(count): lambda inputs=inputs: head(inputs) for count, inputs in given.items()}
        found = race(ways, args.rounds)
    head.train()
    first = found[str(args.grow[0])]
    print(f"\nA picture with all its pairs ({pictures} in a batch)\n")
    print("| boxes | pairs | CPU ms a picture | µs a pair | times the first | times its pairs | kept, MiB a picture |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for count, inputs in given.items():
        cpu, pairs = found[str(count)][1], len(inputs.pairs)
        more = pairs / len(given[args.grow[0]].pairs)
        kept = kept_bytes(head, inputs) / MIB / pictures
        print(
            f"| {count} | {pairs // pictures} | {1e3 * cpu / pictures:.1f} | {1e6 * cpu / pairs:.1f} "
            f"| {cpu / first[1]:.1f} | {more:.1f} | {kept:.1f} |",
            flush=True,
        )


PARTS = {"loop": loop, "memory": memory, "boxes": boxes}


def main(given: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--sizes", choices=SIZES, default="recipe")
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--boxes", type=int, default=80)
    parser.add_argument("--pairs", type=int, nargs="+", default=[64, 256], help="of a picture, in the part loop")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="sizes that take seconds, to see that it runs")
    args = parser.parse_args(given)
    args.memory_pairs, args.grow = [64, 256, 1000, None], [10, 20, 40, 80]
    if args.small:
        args.sizes, args.pictures, args.boxes, args.pairs, args.rounds = "tiny", 2, 6, [10], 1
        args.memory_pairs, args.grow = [10, None], [3, 6]
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} thread(s); sizes: {args.sizes}, "
        f"{SIZES[args.sizes][0].get('graph')} wide; {args.rounds} round(s)"
    )
    for part in args.only:
        PARTS[part](args)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
