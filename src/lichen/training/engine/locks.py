"""One training for each run folder: a lock that ends with its process, however that ends."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import sys
import time
from pathlib import Path
from types import TracebackType

from ...errors import InputError

LOCK = ".lichen-lock"
"""File that is locked; it names its holder and stays when the lock is gone."""
_PATIENCE = 10.0
"""Seconds to wait for what a killed training left: its data loaders hold the lock until they notice."""
_UNSUPPORTED = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


class RunLock:
    """Context manager: nobody else trains in a folder meanwhile.

    Raises:
        InputError: on entering, when another process trains there (its number is named) or the folder is not writable.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self._handle: int | None = None

    def __enter__(self) -> RunLock:
        try:
            self.run.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self.run / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise InputError(
                f"Cannot train in {str(self.run)!r}: {error.strerror or error}. Choose a folder you may write to."
            ) from error
        try:
            self._acquire(self._handle)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)
        return self

    def _acquire(self, handle: int) -> None:
        """Lock the file, waiting only for the leftovers of a process that is gone."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError as error:
                if error.errno in _UNSUPPORTED:
                    print(
                        f"lichen: the file system of {str(self.run)!r} has no locks; make sure that only one training "
                        "writes there.",
                        file=sys.stderr,
                    )
                    return
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise
            pid, host = self._holder(handle)
            if _is_alive(pid, host) or time.monotonic() > deadline:
                raise InputError(
                    f"Process {pid or 'unknown'} on {host or 'this machine'} is training in {str(self.run)!r}. "
                    "Wait until it ends, stop it, or choose another folder."
                )
            time.sleep(0.1)

    @staticmethod
    def _holder(handle: int) -> tuple[int, str]:
        """Process number and host that the lock file names; 0 and empty where it names none."""
        words = os.pread(handle, 512, 0).decode("utf-8", "replace").split()
        return (int(words[0]) if words and words[0].isdigit() else 0), " ".join(words[1:2])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            # The file stays: removing it would let a third process lock a new file of that name beside the second.
            os.close(self._handle)
            self._handle = None


def _is_alive(pid: int, host: str) -> bool:
    """False only where the process surely is gone."""
    if host != socket.gethostname() or not pid:
        return host != ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
