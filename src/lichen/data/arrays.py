"""Pictures that are no files: NumPy archives, and the handwritten digits inside scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from ..errors import InputError
from ..scene import Label, Scene
from .assemble import Part, assemble
from .config import DataConfig
from .dataset import Dataset
from .digits import CLASSES, load_digits
from .splits import split_files


def read_npz(config: DataConfig) -> Dataset:
    """Archives with `images` (N, height, width, 3) or (N, height, width) uint8, `labels` (N,) and `names` (classes,).

    Raises:
        InputError: a file is absent or damaged, lacks an array, or holds other shapes or types.
    """
    parts: dict[str, Part] = {}
    names: tuple[str, ...] | None = None
    for split, path in split_files(config, (".npz",)).items():
        images, labels, found = _read_archive(path)
        if names is not None and found != names:
            raise InputError(f"{str(path)!r} has other class names than the training file. All files must agree.")
        names = found
        scenes = [Scene(f"{split}/{row}", labels=(Label(found[label]),)) for row, label in enumerate(labels.tolist())]
        parts[split] = Part(str(path), scenes, pixels=images)
    return assemble(config, parts, labelled=True, declared=names or ())


def _read_archive(path: Path) -> tuple[UInt8[np.ndarray, "samples height width 3"], np.ndarray, tuple[str, ...]]:
    try:
        # NumPy leaves a file that it opened itself open when the file is damaged.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            missing = [name for name in ("images", "labels", "names") if name not in archive]
            if missing:
                raise InputError(
                    f"{str(path)!r} has no array {' and '.join(map(repr, missing))}; it holds "
                    f"{', '.join(archive) or 'nothing'}."
                )
            images, labels, names = archive["images"], archive["labels"], archive["names"]
    except InputError:
        raise
    # What comes depends on where the file is damaged (zlib.error, BadZipFile, EOFError, SyntaxError of a header, …);
    # a plain .npy file is an array, which is no context.
    except Exception as error:
        raise InputError(f"{str(path)!r} is not readable as a NumPy archive without pickles: {error}.") from error
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
        raise InputError(
            f"{str(path)!r}: images must be uint8 of shape (N, height, width, 3) or (N, height, width); "
            f"got {images.dtype} {images.shape}."
        )
    if labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(
            f"{str(path)!r}: labels must be one whole number a picture, {images.shape[:1]}; "
            f"got {labels.dtype} {labels.shape}."
        )
    if names.ndim != 1 or names.dtype.kind not in "US":
        raise InputError(f"{str(path)!r}: names must be a list of texts; got {names.dtype} {names.shape}.")
    if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < len(names):
        raise InputError(
            f"{str(path)!r}: labels run from {labels.min()} to {labels.max()}, but there are {len(names)} names."
        )
    if images.ndim == 3:
        images = np.repeat(images[..., None], 3, axis=3)
    texts = names if names.dtype.kind == "U" else np.char.decode(names, "utf-8")
    return images, labels, tuple(texts.tolist())


def read_digits(config: DataConfig) -> Dataset:
    """Scikit-learn's digits as 8 x 8 RGB pictures in grey: 1,000 to train on, 797 to test, the same for every seed.

    Raises:
        MissingPackageError: scikit-learn is not installed.
    """
    digits = load_digits()
    grey = (digits.images.numpy() * 255).round().astype(np.uint8)
    parts = {}
    for split, rows in (("train", digits.train.numpy()), ("test", digits.test.numpy())):
        labels = digits.labels.numpy()[rows]
        scenes = [
            Scene(f"digit/{row}", labels=(Label(str(label)),))
            for row, label in zip(rows.tolist(), labels.tolist(), strict=True)
        ]
        parts[split] = Part("the digits of scikit-learn", scenes, pixels=np.repeat(grey[rows][..., None], 3, axis=3))
    return assemble(config, parts, labelled=True, declared=[str(digit) for digit in range(CLASSES)])
