"""The `lichen` command: finds the verb, runs it, and turns every failure into one message and an exit code.

Exit codes: 0 done, 1 failed, 2 the user's input is wrong, 130 interrupted, 143 terminated, 141 the reader of the
output went away.

A verb is a module `lichen.cli.<verb>` with `HELP` (a sentence or more), perhaps `EPILOG` (lines that stand below the
options), perhaps `INTERMIXED`, `add_arguments(parser)` and `run(args)`, which returns the exit code, and a row in
`VERBS`. Only the module of the verb that was asked for is imported.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import textwrap
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import NoReturn

from .. import __version__
from ..errors import InputError, LichenError, nearest

VERBS = {
    "demo": "the main job in a few minutes, offline: a picture, a table and the next commands",
    "plan": "memory, time and disk of a recipe before anything runs",
    "cache": "run the frozen backbones of a recipe once over its data",
    "train": "train a recipe into a run folder",
    "evaluate": "measure a trained run",
    "predict": "ask a trained run about your own pictures or texts",
    "compare": "many methods side by side on one recipe: memory, time and accuracy",
    "data": "make the playground, inspect folders of scenes, convert annotation files",
    "solids": "abstract your own mesh or voxels into cuboids",
    "env": "versions, devices, embedded models and folders, for a report of a problem",
}

DONE, FAILED, WRONG_INPUT, INTERRUPTED, READER_GONE, TERMINATED = 0, 1, 2, 130, 141, 143
_WIDTH = 79
"""Columns of the text of --help."""


class Terminated(KeyboardInterrupt):
    """SIGTERM came: ends like Ctrl-C, so that whatever is half done is cleaned up."""


class _Parser(argparse.ArgumentParser):
    """An argparse parser whose complaints are `InputError`s, so that they are printed like all others."""

    intermixed = False
    """Whether words may stand on both sides of options although there may be none of them."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{self.prog}: {message}. See: {self.prog} --help")

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the words after a verb; an unknown option is answered with the nearest known one."""
        parse = self.parse_known_intermixed_args if self.intermixed else self.parse_known_args
        args, unknown = parse(words)
        if unknown:
            options = self._option_string_actions
            advice = nearest(unknown[0], options) if unknown[0].startswith("-") else f"See: {self.prog} --help"
            raise InputError(f"{self.prog} does not know {unknown[0]!r}. {advice}")
        return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        argv: the words after `lichen`; None takes them from the process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        with _termination():
            code = _dispatch(words)
        sys.stdout.flush()
        return code
    except InputError as error:
        return _fail(str(error), WRONG_INPUT)
    except LichenError as error:
        # A training that a signal stopped ends as the signal would have ended it.
        return _fail(str(error), getattr(error, "exit_code", FAILED))
    except KeyboardInterrupt as stop:
        how, code = ("SIGTERM", TERMINATED) if isinstance(stop, Terminated) else ("the keyboard", INTERRUPTED)
        # Notes say what is kept and how to go on.
        return _fail(" ".join([f"stopped by {how}.", *getattr(stop, "__notes__", ())]), code)
    except BrokenPipeError:
        # The interpreter flushes stdout once more on its way out; that must not find the closed pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except Exception as error:
        lines = str(error).strip().splitlines()
        message = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
        return _fail(f"{message} (set LICHEN_DEBUG=1 for the traceback)", FAILED)


@contextmanager
def _termination() -> Iterator[None]:
    """SIGTERM raises `Terminated` inside the block, where nobody else listens to it."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    process = os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:
            # A child that was forked inherits this; it is to end as it would have.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        raise Terminated

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _dispatch(words: list[str]) -> int:
    """Run the verb that `words` begin with."""
    if not words:
        print(usage(), file=sys.stderr)
        return WRONG_INPUT
    verb, *rest = words
    if verb in ("-h", "--help"):
        print(usage())
        return DONE
    if verb in ("-V", "--version"):
        print(f"lichen {__version__}")
        return DONE
    if verb not in VERBS:
        kind = "option" if verb.startswith("-") else "verb"
        raise InputError(f"Unknown {kind} {verb!r}. {nearest(verb, [*VERBS, '--help', '--version'])}")
    module = import_module(f"{__package__}.{verb}")
    parser = _Parser(
        prog=f"lichen {verb}",
        description=textwrap.fill(module.HELP, _WIDTH),
        epilog=getattr(module, "EPILOG", None),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    parser.intermixed = getattr(module, "INTERMIXED", False)
    try:
        args = parser.read(rest)
    except SystemExit:  # only --help ends this way, after printing its text
        return DONE
    return int(module.run(args))


def _fail(message: str, code: int) -> int:
    """Print one message on stderr, after the traceback where it was asked for, and hand back the exit code."""
    if os.environ.get("LICHEN_DEBUG", "0") not in ("", "0"):
        traceback.print_exc()
    print(f"lichen: {message}", file=sys.stderr)
    return code


def usage() -> str:
    """The text of `lichen --help`."""
    width = max(map(len, VERBS))
    rows = "\n".join(f"  {verb:<{width}}  {summary}" for verb, summary in VERBS.items())
    return (
        "usage: lichen VERB [options]\n\n"
        "Teach a frozen pretrained model new skills with a small network beside it.\n\n"
        f"verbs:\n{rows}\n\n"
        "options:\n"
        "  -h, --help     this text; after a verb, the verb's own options\n"
        "  -V, --version  the version\n\n"
        "Exit codes: 0 done, 1 failed, 2 wrong input. LICHEN_DEBUG=1 shows tracebacks."
    )
