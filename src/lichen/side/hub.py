"""Saves a side network by itself, for those who use one on features without a task model, and shares it on the hub."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggingface_hub import ModelHubMixin

from ..errors import CheckpointError, InputError
from ..files import staged_folder, to_json
from .config import config_from_dict
from .storage import CARD, FORMAT, SETTINGS, WEIGHTS, fill, open_saved, read_tensors, write_tensors

if TYPE_CHECKING:
    from .base import Layout

_CARD = """---
library_name: lichen
tags: [lichen, side-network, frozen-backbone]
---

# {name}

A side network of Lichen ({parameters:,} parameters) for hidden states of widths {widths}. It reads the `Features` of
the frozen backbone that it was trained beside:

```python
import lichen
side = lichen.{name}.from_pretrained("this folder")
adapted = side(backbone(**inputs))
```
"""


class SavedSide(ModelHubMixin):
    """`save_pretrained`, `from_pretrained` and `push_to_hub` for a network that is built from settings and a layout."""

    config: Any
    layout: Layout

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        *,
        push_to_hub: bool = False,
        repo_id: str | None = None,
        **kwargs: Any,
    ) -> str | None:
        """Write weights, settings, model card and digests. See `staged_folder` for what a crash leaves.

        Args:
            save_directory: folder; made if needed.
            push_to_hub: publish it as well, under `repo_id` or the folder's name.
            kwargs: of `push_to_hub`; what the hub's own mixin hands over for its card is not used.

        Raises:
            InputError: the folder cannot be written.
        """
        kwargs.pop("config", None), kwargs.pop("model_card_kwargs", None)
        settings = {
            "format": FORMAT,
            "class": type(self).__name__,
            "side": self.config.to_dict(),
            "layout": asdict(self.layout),
        }
        target = Path(save_directory)
        with staged_folder(target, unlisted=[CARD]) as stage:
            write_tensors(self.state_dict(), stage / WEIGHTS)  # type: ignore[attr-defined]
            (stage / SETTINGS).write_bytes(to_json(settings))
            card = _CARD.format(
                name=type(self).__name__,
                parameters=sum(parameter.numel() for parameter in self.parameters()),  # type: ignore[attr-defined]
                widths=list(self.layout.widths),
            )
            (stage / CARD).write_text(card, encoding="utf-8")
        return self.push_to_hub(repo_id=repo_id or target.name, **kwargs) if push_to_hub else None

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike[str], *, revision: str | None = None, **kwargs: Any
    ) -> Any:
        """Build the network that a folder or hub repository holds, in eval mode.

        Args:
            pretrained_model_name_or_path: what `save_pretrained` wrote, or the id of a repository that holds it.
            revision: of the repository.
            kwargs: further arguments of the constructor, such as SHERL's `late`.

        Raises:
            CheckpointError: damaged or missing files, another class of side network, or weights that do not fit.
        """
        from .base import Layout

        path, settings = open_saved(pretrained_model_name_or_path, revision)
        if settings.get("class") != cls.__name__:
            found = settings.get("class") or "a side network attached to a task model; use lichen.load(model, folder)"
            raise CheckpointError(f"{str(path)!r} holds {found}, not {cls.__name__}.")
        try:
            values = dict(settings["layout"])
            layout = Layout(**{**values, "widths": tuple(values["widths"])})
            side: Any = cls(config_from_dict(settings["side"]), layout, **kwargs)
        except (KeyError, TypeError, InputError) as error:
            raise CheckpointError(f"{str(path / SETTINGS)!r} does not describe a {cls.__name__}: {error}.") from error
        fill(side, read_tensors(path / WEIGHTS))
        return side.eval()
