"""Finds the file of a recipe and reads its tables; what they mean is `recipe`'s to say."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any

from ..errors import InputError

_RECIPE_BYTES = 1 << 20
"""A file longer than this is no recipe, and parsing it would take minutes."""
SHIPPED = Path(__file__).resolve().parents[1] / "recipes"
"""Folder of the recipes that come with the library."""
FILM = "film"
"""Task of recipes that train what is added to video models."""
FILMS = SHIPPED / "films"
"""Folder of those recipes; see `filming.recipe`."""


def find(name: str) -> Path:
    """The file of a recipe: a path, or the name of one that comes with the library.

    Raises:
        InputError: neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = {file.stem: file for folder in (SHIPPED, FILMS) for file in folder.glob("*.toml")}
    if path.suffix != ".toml" and name in shipped:
        return shipped[name]
    if path.is_dir():
        raise InputError(f"{name!r} is a folder. Give a recipe: a TOML file, or one of {', '.join(sorted(shipped))}.")
    beside = {file.stem: str(path.with_name(file.name)) for file in path.parent.glob("*.toml")}
    close = difflib.get_close_matches(path.stem, [*beside, *shipped], n=1)
    advice = f"Did you mean {beside.get(close[0], close[0])!r}?" if close else f"Shipped: {', '.join(sorted(shipped))}."
    raise InputError(f"There is no recipe {name!r}: no such file. {advice}")


def read(path: Path) -> dict[str, Any]:
    """The tables of a TOML file."""
    try:
        if path.stat().st_size > _RECIPE_BYTES:
            raise InputError(f"{str(path)!r} is too long for a recipe, which is a page of TOML. Is it the right file?")
        # Windows editors put a byte order mark before UTF-8.
        return tomllib.loads(path.read_text("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(
            f"{str(path)!r} is no text in UTF-8, so it is no recipe, or saved in another encoding."
        ) from error
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f'{str(path)!r} cannot be read as TOML: {error}. Text needs quotes: name = "…".') from error


def is_film(name: str | Path) -> bool:
    """Whether a recipe, by path or name, trains what is added to a video model.

    Raises:
        InputError: no such file, or no TOML.
    """
    return read(find(str(name))).get("task") == FILM
