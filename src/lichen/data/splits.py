"""Which samples are for training, for choosing (dev) and for measuring (test).

Draws depend on the seed and the ids alone, not on the order of files or on a machine's random numbers: a sample keeps
its place when others are added.
"""

from __future__ import annotations

import difflib
import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from pathlib import Path

from ..errors import InputError, nearest
from ..scene import Scene
from .config import HOLDOUT, DataConfig
from .dataset import SPLITS

ALIASES: dict[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "dev": ("dev", "val", "valid", "validation"),
    "test": ("test",),
}
"""Names under which files, folders and lists of a split are found."""
_LISTED = 50
"""Neighbours of a missing file that a message lists, at most."""


def draw(scenes: Sequence[Scene], count: int, seed: int, purpose: str, *, spare: bool) -> list[int]:
    """Choose samples at random, class by class in proportion to its size.

    Args:
        scenes: where to choose from.
        count: how many to choose, if there are as many.
        seed, purpose: another draw for another value.
        spare: leave every label at least one sample that was not chosen.

    Returns:
        Places in `scenes`, ascending.
    """
    order = sorted(range(len(scenes)), key=lambda place: _chance(seed, purpose, scenes[place].id))
    names = [tuple(label.name for label in scene.labels) for scene in scenes]
    left = Counter(name for present in names for name in present)
    # Samples with several labels share too few combinations to be balanced; they are one group.
    groups: dict[Hashable, list[int]] = defaultdict(list)
    single = all(len(present) == 1 for present in names)
    for place in order:
        groups[names[place] if single else ()].append(place)
    position = {
        place: ((rank + 0.5) / len(group), rank) for group in groups.values() for rank, place in enumerate(group)
    }
    chosen: list[int] = []
    # A stable sort: equal positions stay in random order.
    for place in sorted(order, key=position.__getitem__):
        if len(chosen) == count:
            break
        if spare and any(left[name] <= 1 for name in names[place]):
            continue
        left.subtract(names[place])
        chosen.append(place)
    return sorted(chosen)


def _chance(seed: int, purpose: str, id: str) -> bytes:
    return hashlib.sha256(f"{seed}/{purpose}/{id}".encode(errors="surrogatepass")).digest()


def divide(scenes: Mapping[str, Sequence[Scene]], config: DataConfig) -> dict[str, list[Scene]]:
    """Hold dev and test samples out of train as the settings say, then apply the limits.

    Args:
        scenes: samples by split; "train" at least.

    Raises:
        InputError: a share is given for a split that the data brings itself, or no training sample would be left.
    """
    result = {split: list(scenes[split]) for split in SPLITS if split in scenes}
    shares = {"test": config.test_share, "dev": config.holdout}
    total = len(result["train"])
    for split, share in shares.items():
        if split in result:
            if share:
                name = "holdout" if split == "dev" else "test_share"
                raise InputError(
                    f"data.{name} holds {split} samples out of train, but this data set brings its own {split} side. "
                    "Remove one of the two."
                )
            continue
        share = HOLDOUT if share is None else share
        count = min(max(1, round(share * total)), len(result["train"]) - 1) if share else 0
        places = set(draw(result["train"], count, config.seed, split, spare=True))
        if places:
            result[split] = [scene for place, scene in enumerate(result["train"]) if place in places]
            result["train"] = [scene for place, scene in enumerate(result["train"]) if place not in places]
    for split, part in result.items():
        limit = config.limit if split == "train" else config.eval_limit
        if limit is not None and limit < len(part):
            result[split] = [part[place] for place in draw(part, limit, config.seed, "limit", spare=False)]
    return {split: result[split] for split in SPLITS if split in result}


def given_splits(config: DataConfig) -> dict[str, Path]:
    """Paths that the settings `train`, `dev` and `test` name. The last two may stand beside `path`.

    Raises:
        InputError: a path is absent (the nearest is named), or too much or nothing is given.
    """
    given = {split: value for split in SPLITS if (value := getattr(config, split)) is not None}
    if "train" in given and config.path is not None:
        raise InputError(f"Give data.path, or data.{' and data.'.join(given)}, but not both.")
    if given and "train" not in given and config.path is None:
        raise InputError(f"data.{next(iter(given))} is given, but data.train is not. Give the training samples too.")
    if not given and config.path is None:
        raise InputError(f"kind = {config.kind!r} needs data.path, or data.train with data.dev and data.test.")
    return {split: existing(f"data.{split}", value) for split, value in given.items()}


def split_files(config: DataConfig, suffixes: Collection[str]) -> dict[str, Path]:
    """The file of each split: `train`, `dev` and `test` of the settings, and what `path` holds of those not given.

    `path` may be one file, which is all training samples, or a folder with files such as train.csv and val.csv.

    Raises:
        InputError: as `given_splits`, or a folder has no train file or several files for one split.
    """
    given = given_splits(config)
    if config.path is None:
        return given
    path = existing("data.path", config.path)
    if path.is_file():
        return {"train": path, **given}
    files: dict[str, Path] = {}
    for split, aliases in ALIASES.items():
        found = sorted(file for file in path.iterdir() if file.suffix.lower() in suffixes and file.stem in aliases)
        if len(found) > 1:
            names = ", ".join(file.name for file in found)
            raise InputError(f"{str(path)!r} has several files for {split!r}: {names}. Name one as data.{split}.")
        if found:
            files[split] = found[0]
    if "train" not in files:
        names = ", ".join("train" + suffix for suffix in sorted(suffixes))
        raise InputError(
            f"The folder {str(path)!r} has no train file ({names}). Give the file itself as data.path or data.train."
        )
    return {**files, **given}


def existing(setting: str, value: str) -> Path:
    """The path of a setting, if something is there.

    Raises:
        InputError: nothing is; the message names the nearest neighbour.
    """
    path = Path(value)
    try:
        if path.exists():
            return path
        neighbours = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
    except (OSError, ValueError) as error:
        raise InputError(f"{setting}: {value!r} cannot be read: {error}.") from error
    close = difflib.get_close_matches(path.name, neighbours, n=1, cutoff=0.5)
    hint = f" {nearest(path.name, neighbours)}" if close or 0 < len(neighbours) <= _LISTED else ""
    raise InputError(f"{setting}: there is no file or folder {value!r}.{hint}")
