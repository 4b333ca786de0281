"""`solids`: one picture to a 3D object made of cuboids, learnt from half models with part names.

Read `solid/halves.py` for what is learnt from, `heads/solids/head.py` for a step, `solid/answers.py` for the way back.
Source: primitive graph networks, arXiv 2109.04153.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..backbones.features import Features
from ..data.config import DataConfig
from ..data.dataset import Dataset
from ..errors import BadSample, InputError
from ..heads.given import Given
from ..metrics.solids import measure_solids
from ..scene import Scene
from ..scene.check import Plane
from ..solids.published import Normalisation
from .model import SideModel
from .solid.answers import Built, built
from .solid.config import BuildConfig
from .solid.halves import Half, camera_of, half_of
from .solid.head import BuildHead
from .solid.truths import Truths
from .solid.view import fit_camera
from .task import (
    Examples,
    Fetch,
    HeadConfig,
    Inputs,
    Preparation,
    Responding,
    evaluating,
    picture_inputs,
)

PART = "image"
KINDS = ("playground-solids", "scenes")
_PLANE: Plane = (1.0, 0.0, 0.0, 0.5)
_MOST_BAD = 0.05
"""Share of a split's scenes that may lack what is learnt from; they are left out."""


@dataclass(frozen=True)
class Solids(Responding):
    """Cuboids of the object in a picture."""

    name: ClassVar[str] = "solids"
    headline: ClassVar[str] = "iou"  # type: ignore[misc]
    whole_pictures: ClassVar[bool] = True
    shapes_suffice: ClassVar[bool] = False

    classes: tuple[str, ...]
    normalisation: Normalisation
    mean_count: float
    """Parts of a half model in training, on average."""
    head: HeadConfig

    @property
    def config(self) -> BuildConfig:
        """Settings of the head."""
        return self.head.solids

    @staticmethod
    def parts(data: DataConfig, named: Sequence[str] = ()) -> tuple[str, ...]:
        """One backbone that reads pictures."""
        if data.kind not in KINDS:
            raise InputError(f"solids learns from data of the kinds {', '.join(KINDS)}; got {data.kind!r}.")
        return (PART,)

    @classmethod
    def of(cls, dataset: Dataset, data: DataConfig, head: HeadConfig, parts: Sequence[str] = ()) -> Solids:
        """Classes are those of all parts; means and deviations those of the training side alone."""
        config = head.solids
        found, _ = halves(dataset, sorted({row for rows in dataset.splits.values() for row in rows}), config)
        train = {row: found[row] for row in dataset.rows("train") if row in found}
        if not train:
            raise InputError("No training scene has solids and a camera, so there is nothing to learn from.")
        classes = sorted({name for half in found.values() for name in half.whole_names})
        rows = torch.cat([half.rows[: config.most] for half in train.values()])
        counts = [min(len(half.rows), config.most) for half in train.values()]
        return cls(tuple(classes), Normalisation.of(rows), sum(counts) / len(counts), head)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], head: HeadConfig) -> Solids:
        """The inverse of `settings`."""
        normalisation = Normalisation(**settings["normalisation"])
        return cls(tuple(settings["classes"]), normalisation, settings["mean_count"], head)

    def settings(self) -> dict[str, Any]:
        """Names of parts, and what the training side's numbers are like."""
        return {
            "classes": list(self.classes),
            "normalisation": asdict(self.normalisation),
            "mean_count": self.mean_count,
        }

    def inputs(self, dataset: Dataset, part: str, how: Preparation) -> Inputs:
        """Whole pictures, squeezed into a square, so that 2D boxes keep their meaning."""
        return picture_inputs(dataset, how, whole=True)

    def examples(self, dataset: Dataset, split: str) -> Examples:
        """A picture is an example; scenes without solids or camera are left out, if they are few."""
        rows = dataset.rows(split)
        found, bad = halves(dataset, rows, self.config)
        if not found or len(bad) > _MOST_BAD * len(rows):
            told = "; ".join(f"{id}: {why}" for id, why in list(bad.items())[:3])
            raise InputError(f"{len(bad)} of {len(rows)} scenes of the {split!r} split cannot be used. {told}.")
        scenes = [dataset.scenes[row] for row in found]
        truths = Truths.of(scenes, list(found.values()), self.classes, self.normalisation, self.config.most)
        names = tuple(scene.id for scene in scenes)
        return Examples({PART: torch.tensor(list(found))}, {"object": torch.arange(len(scenes))}, names, (truths,))

    def told(self, examples: Examples) -> dict[str, Any]:
        """The half models of the pictures."""
        truths: Truths = examples.known[0]
        return {"solids": truths.take(examples.targets["object"])}

    def make_head(self, given: Mapping[str, Given], dataset: Dataset | None = None) -> BuildHead:
        """Networks that name an object's cuboids."""
        return BuildHead(given[PART], len(self.classes), self.config, self.mean_count)

    def measure(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, float]:
        """How far counts are off; `score` has the metrics."""
        return {"half_count_error": float(outputs["count_gap"].double().mean())}

    def score(self, model: nn.Module, fetch: Fetch, examples: Examples, batch: int = 64) -> dict[str, float]:
        """Voxel IoU, Hausdorff, Chamfer, F-score, parts and counts of whole objects. See `Task.score`."""
        found: list[Built] = []
        with torch.inference_mode(), evaluating(model):
            for some in examples.batches(batch):
                features = {part: fetch(part, rows) for part, rows in some.rows.items()}
                found += self.built(model(features))
        truths: Truths = examples.known[0]
        places = examples.targets["object"].tolist()
        return measure_solids(
            [each.whole for each in found],
            [truths.wholes[place] for place in places],
            ([each.whole_labels for each in found], [truths.labels[place] for place in places]),
            grid=self.config.grid,
            rule=self.config.rule,
        )

    def built(self, outputs: Mapping[str, Tensor]) -> list[Built]:
        """Objects of the head's outputs, one a picture."""
        moved = {name: value.cpu() for name, value in outputs.items()}
        return built(moved, self.normalisation, self.config)

    def respond(
        self, model: SideModel, features: Mapping[str, Features], scenes: Sequence[Scene], asked: Sequence[Any] = ()
    ) -> list[Scene]:
        """Scenes with the object's half model in the unit cube, reflections by their mirror plane.

        `metadata["camera"]` is the one that a scene brings, otherwise one that is fitted to the 2D boxes which the
        network sees; `metadata["camera_from"]` says which: "given" or "fitted".

        Args:
            model: trained, in eval mode.
            features: of the pictures.
            scenes: with sizes.
            asked: nothing.
        """
        found = self.built(model(features))
        return [self._answered(scene, each) for scene, each in zip(scenes, found, strict=True)]

    def _answered(self, scene: Scene, found: Built) -> Scene:
        planes = [None if own else _PLANE for own in found.straddling.tolist()]
        names = [self.classes[number] for number in found.labels.tolist()]
        solids = found.half.to_solids(names, found.scores.tolist(), planes)
        assert scene.size is not None
        try:
            given = camera_of(scene) is not None
        except BadSample:
            given = False
        camera = scene.metadata["camera"] if given else self._camera(found, scene.size)
        metadata = {"camera": camera, "camera_from": "given" if given else "fitted"}
        return Scene(scene.id, scene.image, size=scene.size, solids=solids, metadata=metadata)

    def _camera(self, found: Built, size: tuple[int, int]) -> dict[str, Any]:
        with torch.inference_mode(False), torch.enable_grad():
            corners, boxes = found.half.corners().clone(), found.boxes.double().clone()
            return fit_camera(corners, boxes, size, self.config.enlarge, found.scores.double().clone())


def halves(dataset: Dataset, rows: Sequence[int], config: BuildConfig) -> tuple[dict[int, Half], dict[str, str]]:
    """Half models by row, and the scenes that have none with the reason.

    Raises:
        InputError: no row has any.
    """
    found: dict[int, Half] = {}
    bad: dict[str, str] = {}
    for row in rows:
        try:
            found[row] = half_of(dataset.scenes[row], config.grid, config.enlarge)
        except BadSample as error:
            bad[error.id] = error.reason
    if not found:
        id, why = next(iter(bad.items()))
        raise InputError(f"No scene can be learnt from. {id}: {why}. Give Scenes with solids and a camera.")
    return found, bad
