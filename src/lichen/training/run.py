"""`Run`: the folder that a training leaves, and the trained model in it: evaluate it, ask it, save it.

recipe.toml       all settings, defaults included
environment.json  versions and machine
metrics.jsonl     one line a log or evaluation
curves.png        the same, drawn
model.safetensors side networks and head
lichen.json       what they are, which backbones they stand beside, what was measured
README.md         model card
manifest.json     digests
checkpoint-<n>    to go on from
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..backbones.backbone import Backbone
from ..backbones.fingerprint import Fingerprint
from ..backbones.late import LateLayers
from ..backbones.outline import Outline
from ..errors import CheckpointError, InputError
from ..features.reading import read
from ..files import read_json, staged_folder, to_json, verify_folder
from ..heads.given import Given
from ..scene import Scene
from ..side.config import SideConfig, config_from_dict
from ..side.fit import fit_side, reading_of
from ..side.storage import CARD, SETTINGS, WEIGHTS, fill, read_tensors, write_tensors
from ..tasks import TASKS
from ..tasks.model import SideModel
from ..tasks.task import HeadConfig, Responding, Task, evaluating
from .card import run_card
from .recipe import BackboneConfig
from .settings import build
from .sources import Source, load_backbone

FORMAT = 2
"""Of lichen.json in run folders; 1 is a side network attached to a task model."""
KIND = "run"
RECIPE = "recipe.toml"


def resume_command(folder: Path) -> str:
    """What to type to go on with an unfinished training, in as many processes as there are now."""
    command = f"lichen train --resume {shlex.quote(str(folder))}"
    count, here = (os.environ.get(name, "1") for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    if count == "1":
        return command
    return f"torchrun --nproc_per_node {count} -m {command}" if count == here else f"{command} (under your launcher)"


@dataclass(frozen=True)
class PartRecord:
    """What a run knows of one part."""

    backbone: BackboneConfig
    fingerprint: Fingerprint
    outline: Outline
    side: SideConfig

    @property
    def layers(self) -> tuple[int, ...]:
        """Hidden states that the side network reads."""
        return reading_of(self.side, self.outline).stored

    def to_dict(self) -> dict[str, Any]:
        """Plain values for lichen.json."""
        return {
            "backbone": asdict(self.backbone),
            "fingerprint": self.fingerprint.to_dict(),
            "outline": self.outline.to_dict(),
            "side": self.side.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PartRecord:
        """The inverse of `to_dict`."""
        return cls(
            build(BackboneConfig, values["backbone"], "backbone"),
            Fingerprint(**values["fingerprint"]),
            Outline.from_dict(values["outline"]),
            config_from_dict(dict(values["side"])),
        )


@dataclass
class Run:
    """A trained task."""

    task: Task
    head: HeadConfig
    parts: dict[str, PartRecord]
    model: SideModel
    facts: dict[str, Any]
    """What was measured: metrics by split, steps, seconds, kept bytes."""
    folder: Path | None = None

    def __post_init__(self) -> None:
        self._backbones: dict[str, Backbone] = {}

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Run:
        """Read a run folder. Its backbones are loaded when they are first asked for.

        Raises:
            CheckpointError: it is none, it is damaged, or the training has not finished.
        """
        path = Path(folder)
        if not (path / SETTINGS).is_file():
            if not (path / RECIPE).is_file():
                raise CheckpointError(f"{str(path)!r} is not the folder of a run. Give one that `lichen train` left.")
            raise CheckpointError(f"The training in {str(path)!r} has not finished. Go on with: {resume_command(path)}")
        verify_folder(path)
        settings = read_json(path / SETTINGS)
        if settings.get("kind") != KIND or settings.get("format") != FORMAT:
            raise CheckpointError(f"{str(path)!r} is not the folder of a training run that this version reads.")
        try:
            head = build(HeadConfig, settings["head"], "head")
            task = TASKS[settings["task"]].from_settings(settings["settings"], head)
            parts = {name: PartRecord.from_dict(values) for name, values in settings["parts"].items()}
            facts = dict(settings["facts"])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise CheckpointError(f"{str(path / SETTINGS)!r} does not describe a run: {error}.") from error
        run = cls(task, head, parts, SideModel({}, torch.nn.Identity()), facts, path)
        run.model = run._rebuild()
        fill(run.model, read_tensors(path / WEIGHTS))
        run.model.eval()
        return run

    def _rebuild(self) -> SideModel:
        """Side networks and head as they were built for training; late layers come with the backbone."""
        sides = {}
        for name, part in self.parts.items():
            late = None
            if reading_of(part.side, part.outline).late:
                late = _LateOnDemand(self, name)
            sides[name] = fit_side(part.side, part.outline, late)[0]
        given = {name: Given.of(self.parts[name].outline, side) for name, side in sides.items()}
        return SideModel(sides, self.task.make_head(given))

    def save(self, folder: Path) -> None:
        """Write weights, settings and card; other files of the folder stay.

        Raises:
            InputError: the folder cannot be written.
        """
        settings = {
            "format": FORMAT,
            "kind": KIND,
            "task": self.task.name,
            "settings": self.task.settings(),
            "head": asdict(self.head),
            "parts": {name: part.to_dict() for name, part in self.parts.items()},
            "facts": self.facts,
            "trained_parameters": sum(parameter.numel() for parameter in self.model.parameters()),
        }
        with staged_folder(folder, unlisted=[CARD]) as stage:
            write_tensors(self.model.state_dict(), stage / WEIGHTS)
            (stage / SETTINGS).write_bytes(to_json(settings))
            (stage / CARD).write_text(run_card(settings, self.task.option), encoding="utf-8")
        self.folder = folder

    def backbone(self, part: str) -> Backbone:
        """The frozen model of a part, checked against the one that the run was trained beside.

        Raises:
            CheckpointError: it is another.
        """
        if part not in self._backbones:
            record = self.parts[part]
            backbone = load_backbone(record.backbone)
            if wrong := record.fingerprint.differences(backbone.fingerprint):
                raise CheckpointError(
                    f"This run was trained beside another {record.backbone.name!r}. {'; '.join(wrong)}."
                )
            self._backbones[part] = backbone
        return self._backbones[part]

    @torch.inference_mode()
    def outputs(
        self,
        samples: Mapping[str, Sequence[dict[str, Tensor]]],
        batch: int = 32,
        progress: Callable[[int], Any] | None = None,
    ) -> dict[str, Tensor]:
        """The model's outputs for prepared inputs by part; each part by itself where there are several.

        Args:
            samples: unbatched model inputs by part.
            batch: samples at a time.
            progress: told how many samples are done.
        """
        found: dict[str, list[Tensor]] = {}
        done = 0
        with evaluating(self.model):
            for part, inputs in samples.items():
                layers = self.parts[part].layers
                for start in range(0, len(inputs), batch):
                    some = inputs[start : start + batch]
                    features = read(self.backbone(part), some, layers)
                    for name, value in self.model({part: features}).items():
                        found.setdefault(name, []).append(value.cpu())
                    done += len(some)
                    if progress is not None:
                        progress(done)
        return {name: torch.cat(values) for name, values in found.items()}

    @torch.inference_mode()
    def respond(
        self, samples: Mapping[str, Sequence[dict[str, Tensor]]], scenes: Sequence[Scene], asked: Sequence[Any] = ()
    ) -> list[Scene]:
        """Answers about a batch of pictures, by a task that needs more than their features.

        Args:
            samples: unbatched model inputs of the pictures, by part.
            scenes: of the pictures, with their sizes, and with boxes where the task reads them.
            asked: of every picture, where the task takes questions.

        Raises:
            InputError: see the task's `respond`; or the task answers by `outputs` and `Task.answer`.
        """
        if not isinstance(self.task, Responding):
            raise InputError(f"A run that was trained to {self.task.name} takes no questions: ask for its `outputs`.")
        with evaluating(self.model):
            features = {
                part: read(self.backbone(part), some, self.parts[part].layers) for part, some in samples.items()
            }
            return self.task.respond(self.model, features, scenes, asked)

    def score(self, sources: Mapping[str, Source], examples: Any, batch: int = 64) -> dict[str, float]:
        """Metrics on examples whose features the sources give."""
        device = next(self.model.parameters()).device

        def fetch(part: str, rows: Tensor) -> Any:
            return sources[part].features(rows, self.parts[part].layers).to(device)

        return self.task.score(self.model, fetch, examples, batch)


class _LateOnDemand:
    """Late layers of a run's backbone, which is loaded when they are first called."""

    def __init__(self, run: Run, part: str) -> None:
        self._run, self._part = run, part
        self._late: LateLayers | None = None

    def __call__(self, fused: Tensor, rest: Any) -> Any:
        if self._late is None:
            record = self._run.parts[self._part]
            backbone = self._run.backbone(self._part)
            trunk = backbone.trunks[record.backbone.part or next(iter(backbone.trunks))]
            self._late = LateLayers(trunk, reading_of(record.side, record.outline).late)
        return self._late(fused, replace(rest))
