"""From a name to a ready model: find the package, check it, convert it once, load it with transformers."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import (
    AutoImageProcessor,
    AutoModel,
    AutoModelForCausalLM,
    AutoProcessor,
    AutoTokenizer,
    BaseImageProcessor,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    ProcessorMixin,
)

from ...errors import CheckpointError, InputError
from ...files import read_json, staged_folder, to_json, verify_folder
from .architectures import register_architectures
from .dinov2 import convert_dinov2
from .efficientnet_convert import convert_efficientnet_lite
from .registry import EMBEDDED, EmbeddedModel, find_entry, verified_weights
from .smollm2 import convert_smollm2

logger = logging.getLogger(__name__)

CONVERTERS: dict[str, Callable[[Path, Path], None]] = {
    "dinov2-small": convert_dinov2,
    "efficientnet-lite0": convert_efficientnet_lite,
    "smollm2": convert_smollm2,
}
"""How each weight file becomes a Hugging Face folder: (weight file, empty folder) -> None. Models that are absent here
lie in such a folder already."""

_RECORD = "conversion.json"
_CONVERSION = 1  # Raise when a converter writes something else than before: older caches are then rebuilt.


def load_embedded(name: str) -> PreTrainedModel:
    """Load an embedded model in eval mode and float32, without any network access.

    Returns:
        `BertModel` for "minilm", `Dinov2Model` for "dinov2-small", `EfficientNetLiteModel` for "efficientnet-lite0",
        `LlamaForCausalLM` for "smollm2", `VisionTextDualEncoderModel` for "playground-clip".

    Raises:
        InputError: unknown name, or the cache folder cannot be written.
        MissingPackageError: the package that holds the weights is not installed.
        CheckpointError: the weights are not the pinned ones.
    """
    folder = load_embedded_folder(name)
    loader = AutoModelForCausalLM if find_entry(name).kind == "language model" else AutoModel
    model: PreTrainedModel = loader.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    return model.eval()


def load_processor(name: str) -> PreTrainedTokenizerBase | BaseImageProcessor | ProcessorMixin:
    """Load the tokenizer (text, language model), the image processor (vision) or both in one of an embedded model.

    The image processor always runs on Pillow, so that the same picture gives the same pixels whether torchvision is
    installed or not.

    Raises:
        InputError, MissingPackageError, CheckpointError: as `load_embedded`.
    """
    folder = load_embedded_folder(name)
    kind = find_entry(name).kind
    if kind == "vision and text":
        both: ProcessorMixin = AutoProcessor.from_pretrained(folder, backend="pil", local_files_only=True)
        return both
    if kind == "vision":
        processor: BaseImageProcessor = AutoImageProcessor.from_pretrained(folder, backend="pil", local_files_only=True)
        return processor
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return tokenizer


def load_embedded_folder(name: str) -> Path:
    """The local Hugging Face folder of an embedded model; converted into the cache on the first call.

    `from_pretrained(folder)` of the transformers Auto classes works on it offline. For "minilm" and "playground-clip"
    it is the package's own model folder. For the others it is
    `<cache>/embedded/<name>-<first 12 hex digits of the pinned SHA-256>`, where `<cache>` is `$LICHEN_CACHE`, else
    `$XDG_CACHE_HOME/lichen`, else `~/.cache/lichen`. Every call checks the package's weight file against its pinned
    digest and the cached folder against its manifest; a damaged cache is built again.

    Raises:
        InputError: unknown name, or the cache folder cannot be written.
        MissingPackageError: the package that holds the weights, or one that conversion needs, is not installed.
        CheckpointError: the weights are not the pinned ones, or do not hold what they should.
    """
    entry = find_entry(name)
    weights = verified_weights(entry)
    register_architectures()
    if name not in CONVERTERS:
        return weights.parent
    folder = cache_root() / "embedded" / f"{entry.name}-{entry.sha256[:12]}"
    if not _is_usable(folder, entry):
        _convert(entry, weights, folder)
    return folder


def embedded_id(folder: str) -> str | None:
    """ "embedded:<name>" for the folder of an embedded model, by its path alone; None for any other."""
    for name, entry in EMBEDDED.items():
        converted = Path("embedded", f"{name}-{entry.sha256[:12]}")
        place = converted if name in CONVERTERS else Path(entry.package, entry.weights).parent
        if Path(folder).parts[-len(place.parts) :] == place.parts:
            return f"embedded:{name}"
    return None


def cache_root() -> Path:
    """Folder under which converted models are kept: `$LICHEN_CACHE`, `$XDG_CACHE_HOME/lichen` or `~/.cache/lichen`."""
    if chosen := os.environ.get("LICHEN_CACHE"):
        return Path(chosen).expanduser()
    if common := os.environ.get("XDG_CACHE_HOME"):
        return Path(common).expanduser() / "lichen"
    return Path.home() / ".cache" / "lichen"


def _expected_record(entry: EmbeddedModel) -> dict[str, object]:
    return {"conversion": _CONVERSION, "name": entry.name, "source_sha256": entry.sha256}


def _is_usable(folder: Path, entry: EmbeddedModel) -> bool:
    """True if the cached folder is whole and was written by this converter from the pinned weights."""
    if not folder.exists():
        return False
    try:
        listed = verify_folder(folder)["sha256"]
        if _RECORD not in listed or read_json(folder / _RECORD) != _expected_record(entry):
            raise CheckpointError(f"{str(folder)!r} was written by another version of the converter.")
    except (CheckpointError, OSError) as error:
        logger.info("Rebuilding the cached copy of embedded model %r: %s", entry.name, error)
        return False
    return True


def _convert(entry: EmbeddedModel, weights: Path, folder: Path) -> None:
    logger.info("Converting embedded model %r into %s", entry.name, folder)
    try:
        with staged_folder(folder) as stage:
            CONVERTERS[entry.name](weights, stage)
            (stage / _RECORD).write_bytes(to_json(_expected_record(entry)))
    except InputError as error:
        if isinstance(error.__cause__, OSError) and not isinstance(error, CheckpointError):
            raise InputError(
                f"The embedded model {entry.name!r} is converted once into a cache, but that failed. {error} "
                "Set the environment variable LICHEN_CACHE to such a folder."
            ) from error
        raise
