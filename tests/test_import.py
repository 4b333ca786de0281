"""The front door is light: names come when they are asked for, and heavy packages with them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import lichen

HEAVY = [
    "accelerate",
    "gguf",
    "huggingface_hub",
    "jaxtyping",
    "matplotlib",
    "numpy",
    "peft",
    "PIL",
    "rich",
    "safetensors",
    "sklearn",
    "tokenizers",
    "torch",
    "transformers",
    "tyro",
]


def loaded_after(code: str) -> set[str]:
    """Top-level packages in `sys.modules` of a fresh interpreter that ran `code`."""
    report = "import json, sys; print(); print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import lichen",
        "import lichen; dir(lichen); hasattr(lichen, 'nothing')",
        "import lichen; lichen.UniPTConfig(reduction=4); lichen.InputError",
        "import lichen.cli.main as cli; assert cli.main(['--help']) == 0",
        "import lichen.cli.main as cli; assert cli.main(['--version']) == 0",
        "import lichen.cli.main as cli; assert cli.main(['env', '--help']) == 0",
    ],
)
def test_nothing_heavy_is_imported(code: str) -> None:
    loaded = loaded_after(code)
    assert "lichen" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_the_check_of_imports_sees_a_heavy_one() -> None:
    assert "numpy" in loaded_after("import numpy")


@pytest.mark.parametrize("name", lichen.__all__)
def test_every_public_name_is_there(name: str) -> None:
    value = getattr(lichen, name)
    assert name == "__version__" or value.__name__ == name
    assert name in dir(lichen)


def test_the_list_of_names_and_the_table_of_their_modules_agree() -> None:
    assert {*lichen._HOME, "__version__"} == set(lichen.__all__)
    assert len(set(lichen.__all__)) == len(lichen.__all__)


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'UniPTConfg'\. Did you mean 'UniPTConfig'\?"):
        lichen.UniPTConfg  # noqa: B018


def test_version_is_that_of_the_installed_package() -> None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        installed = version("lichen")
    except PackageNotFoundError:
        pytest.skip("lichen runs from its source folder and is not installed")
    assert lichen.__version__ == installed
