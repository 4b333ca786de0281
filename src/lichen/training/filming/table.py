"""`ClipTable`: clips as a video model learns from them: latents, prompts and boxes by row, whatever is costly once.

Text vectors lie in a feature store where a backbone gives them, and latents of a VAE in a file of the cache folder;
the latents of `PixelCodec` are the pixels, which nothing needs to keep.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...backbones.embedded.loading import cache_root
from ...features.config import StoreConfig
from ...features.store import FeatureStore
from ...files import staged_file
from ...scene import Scene
from ...video.codec import Codec, Latents, PixelCodec, to_frames
from ...video.objects import Objects
from ...video.pictures import PictureTokens, Sight, tokens_of
from ...video.texts import BackboneTexts, Texts, padded
from ..engine.order import RowDataset

_SHELF = "film"
_TOGETHER = 32
Report = Callable[[str, int, int], Any]


@dataclass
class ClipTable:
    """Clips of one split."""

    pixels: UInt8[np.ndarray, "clips frames height width 3"]
    scenes: tuple[Scene, ...]
    codec: Codec
    texts: Texts
    slots: int
    """Things of a clip that are told; those that are seen longest."""
    live: bool = False
    """Encode at every step, in place of reading what was kept."""
    report: Report | None = None
    """Told of what is made."""
    sight: PictureTokens | None = None
    """Makes tokens of the first picture, where the adapter looks at such."""

    def __post_init__(self) -> None:
        captions = [scene.captions[0] if scene.captions else "" for scene in self.scenes]
        self.boxes, self.present, names = tracks_of(self.scenes, self.pixels.shape[1], self.slots)
        self._prompts, self._prompt = Lines.of(self.texts, captions, "prompts", self.live)
        flat = [name for row in names for name in row]
        self._names, rows = Lines.of(self.texts, flat, "names", self.live)
        self._name = rows.view(len(self.scenes), self.slots)
        self._seen = None if self.sight is None or self.live else _picture_store(self.sight, self.pixels)
        self._latents = None
        if not isinstance(self.codec, PixelCodec) and not self.live:
            self._latents = kept_latents(self.codec, self.pixels, self.report)

    def __len__(self) -> int:
        return len(self.scenes)

    def latents(self, rows: Int[Tensor, " some"]) -> Latents:
        """Latents of some clips."""
        if self._latents is not None:
            return self._latents[rows].float()
        return self.codec.encode(to_frames(torch.from_numpy(self.pixels[rows.numpy()])))

    def prompts(self, rows: Int[Tensor, " some"]) -> Float[Tensor, "some length width"]:
        """Prompt of each clip: its first caption."""
        return self._prompts(self._prompt[rows])

    def objects(self, rows: Int[Tensor, " some"]) -> Objects:
        """Things of some clips."""
        return Objects(
            self.boxes[rows],
            self.present[rows],
            self._names(self._name[rows].flatten()).unflatten(0, (len(rows), self.slots)),
        )

    def seen(self, rows: Int[Tensor, " some"]) -> Sight:
        """Tokens of the first picture of some clips."""
        if self._seen is not None:
            return tokens_of(self._seen[rows].states[-1])
        assert self.sight is not None
        return self.sight([Image.fromarray(np.array(self.pixels[row][0])) for row in rows.tolist()])

    def __call__(self, rows: Sequence[int]) -> dict[str, Any]:
        """A batch; see `trainer.Collate`. There are no features: the frozen model runs inside the loss."""
        places = torch.tensor(list(rows))
        told: dict[str, Any] = {
            "latents": self.latents(places),
            "text": self.prompts(places),
            "objects": self.objects(places),
        }
        if self.sight is not None:
            told["seen"] = self.seen(places)
        return {"rows": places, "features": {}, "targets": told}

    def dataset(self) -> RowDataset:
        """The clips as the trainer draws them."""
        return RowDataset(range(len(self)), [scene.id for scene in self.scenes])


class Lines:
    """Text vectors by number, each text read once."""

    def __init__(self, texts: Texts, lines: Sequence[str], what: str, live: bool) -> None:
        self._texts, self._lines, self._what, self._live = texts, list(lines), what, live
        self._store: FeatureStore | None = None
        self._kept: Tensor | None = None
        if live:
            return
        if isinstance(texts, BackboneTexts):
            self._store = _text_store(texts, self._lines)
        else:
            self._kept = getattr(texts, what)(self._lines)

    @classmethod
    def of(cls, texts: Texts, lines: Sequence[str], what: str, live: bool) -> tuple[Lines, Int[Tensor, " lines"]]:
        """Distinct texts, and the number of each line among them."""
        distinct = list(dict.fromkeys(lines))
        numbers = {line: number for number, line in enumerate(distinct)}
        return cls(texts, distinct, what, live), torch.tensor([numbers[line] for line in lines], dtype=torch.int64)

    def __call__(self, numbers: Int[Tensor, " numbers"]) -> Tensor:
        """Vectors of some texts: (numbers, length, width) of prompts, (numbers, width) of names."""
        if self._live:
            found: Tensor = getattr(self._texts, self._what)([self._lines[number] for number in numbers.tolist()])
            return found
        if self._kept is not None:
            return self._kept[numbers]
        assert self._store is not None and isinstance(self._texts, BackboneTexts)
        features = self._store[numbers]
        if self._what == "prompts":
            return padded(features.final, self._texts.length)
        ends = torch.from_numpy(self._store.lengths[numbers.numpy()].astype(np.int64)) - 1
        return features.final[torch.arange(len(numbers)), ends]


def _text_store(texts: BackboneTexts, lines: Sequence[str]) -> FeatureStore:
    """The last hidden states of texts, made once."""
    folder = cache_root() / _SHELF / f"texts-{_digest([texts.settings(), list(lines)])}"
    found = FeatureStore.find(folder, texts.backbone)
    if found is not None:
        return found
    names = [str(number) for number in range(len(lines))]
    return FeatureStore.build(texts.backbone, texts.inputs(lines), folder, StoreConfig(layers=(-1,)), ids=names)


def _picture_store(sight: PictureTokens, pixels: np.ndarray) -> FeatureStore:
    """The last hidden states of the first pictures of clips, made once."""
    first = np.ascontiguousarray(pixels[:, 0])
    folder = cache_root() / _SHELF / f"pictures-{_digest([sight.name, hashlib.sha256(first.data).hexdigest()])}"
    found = FeatureStore.find(folder, sight.backbone)
    if found is not None:
        return found
    inputs = sight.inputs([Image.fromarray(picture) for picture in first])
    names = [str(number) for number in range(len(inputs))]
    return FeatureStore.build(sight.backbone, inputs, folder, StoreConfig(layers=(-1,)), ids=names)


def kept_latents(codec: Codec, pixels: np.ndarray, report: Report | None = None) -> Latents:
    """Latents of clips, from the cache folder where they were made before.

    Args:
        codec: makes them.
        pixels: (clips, frames, height, width, 3), bytes.
        report: told "latents", how many clips are done, how many there are.
    """
    told = [codec.settings(), pixels.shape, hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()]
    vae = getattr(codec, "vae", None)
    if vae is not None:
        told.append({name: float(value.double().sum()) for name, value in vae.state_dict().items()})
    path = cache_root() / _SHELF / f"latents-{_digest(told)}.safetensors"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        found = []
        for start in range(0, len(pixels), _TOGETHER):
            found.append(codec.encode(to_frames(torch.from_numpy(np.array(pixels[start : start + _TOGETHER])))))
            if report is not None:
                report("latents", min(start + _TOGETHER, len(pixels)), len(pixels))
        with staged_file(path) as part:
            save_file({"latents": torch.cat(found).contiguous()}, part)
    return load_file(path)["latents"]


def tracks_of(
    scenes: Sequence[Scene], frames: int, slots: int
) -> tuple[Float[Tensor, "clips frames slots 4"], Bool[Tensor, "clips frames slots"], list[list[str]]]:
    """Boxes of the things of clips as fractions of their frames, where they are seen, and their names.

    Of more things than slots those that are seen in most frames are kept, earlier ones first.
    """
    boxes, present = torch.zeros(len(scenes), frames, slots, 4), torch.zeros(len(scenes), frames, slots).bool()
    names = [[""] * slots for _ in scenes]
    for row, scene in enumerate(scenes):
        if scene.size is None:
            continue
        width, height = scene.size
        tracks = sorted(scene.tracks, key=lambda track: -sum(box is not None for box in track.boxes))[:slots]
        for slot, track in enumerate(tracks):
            names[row][slot] = track.label or ""
            for frame, box in enumerate(track.boxes[:frames]):
                if box is not None:
                    values = (box[0] / width, box[1] / height, box[2] / width, box[3] / height)
                    boxes[row, frame, slot], present[row, frame, slot] = torch.tensor(values).clamp(0, 1), True
    return boxes, present, names


def _digest(told: Any) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
