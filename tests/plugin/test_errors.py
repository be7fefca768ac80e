"""Bad input ends pytest with one clear line and a code that is not 0, before anything is started."""

from __future__ import annotations

import socket

import pytest

from tests.plugin.conftest import QUICK

USAGE_ERROR = 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--scenario", "nope"), "--scenario 'nope' is unknown; choose from: baseline_vs_chimera, chimera_hetero"),
        (("--runs", "-3"), "--runs must be a whole number of at least 1, got -3"),
        (("--chimera-num-ctx", "abc"), "--chimera-num-ctx must be a whole number, got 'abc'"),
        (("--server", "embedded", "--model", "x"), "the embedded engine (--server embedded) only has the model"),
        (("--server", "ollama", "--ollama-bin", "/no/such"), "--ollama-bin '/no/such' is not a program"),
        (("--collector-ollama-url", "http://127.0.0.1:9"), "give both --collector-ollama-url and --insight-ollama"),
        (("-m", "gpu", "--server", "embedded"), "-m gpu: no real Ollama (--server embedded): install it"),
    ],
)
def test_a_bad_option_is_one_line_that_says_what_to_write(
    foreign: pytest.Pytester, arguments: tuple[str, ...], words: str
) -> None:
    """The line is the only one of its kind, and the exit code is pytest's usage error."""
    result = foreign.runpytest(*arguments)
    assert result.ret == USAGE_ERROR
    lines = [line for line in result.outlines + result.errlines if line.startswith("ERROR: ")]
    assert len(lines) == 1
    assert words in lines[0]


def test_a_url_that_does_not_answer_is_named(foreign: pytest.Pytester) -> None:
    """The message names the URL and what to check."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        result = foreign.runpytest("--collector-ollama-url", url, "--insight-ollama-url", url)
    assert result.ret == USAGE_ERROR
    result.stdout.fnmatch_lines([f"*{url} does not answer*is the server running there*"])


def test_an_error_rate_that_no_level_is_known_for_is_found_out_before_measuring(
    foreign: pytest.Pytester, urls: tuple[str, ...]
) -> None:
    """The gates of a session share it: what is left for each is below the table of levels."""
    result = foreign.runpytest_subprocess(*urls, "--error-rate", "0.001", "--no-calibration")
    assert result.ret == USAGE_ERROR
    result.stdout.fnmatch_lines(["*an error rate of * for one gate is below the smallest in the table of levels*"])
    result.stdout.no_fnmatch_line("*warm-up:*")


def test_a_missing_model_names_the_command_that_pulls_it(foreign: pytest.Pytester, urls: tuple[str, ...]) -> None:
    """The message holds the command with the right host."""
    result = foreign.runpytest(*urls[:4], "--model", "nothere")
    assert result.ret == USAGE_ERROR
    result.stdout.fnmatch_lines(
        ["*model 'nothere' is not on http://*run `OLLAMA_HOST=127.0.0.1:* ollama pull nothere`*"]
    )


def test_a_port_in_use_is_never_taken_over(foreign: pytest.Pytester) -> None:
    """The message offers to connect, other ports, or free ones."""
    with socket.socket() as somebody, socket.socket() as other:
        for listener in (somebody, other):
            listener.bind(("127.0.0.1", 0))
            listener.listen()
        ports = f"{somebody.getsockname()[1]},{other.getsockname()[1]}"
        result = foreign.runpytest("--server", "embedded", "--ports", ports)
    assert result.ret == USAGE_ERROR
    result.stdout.fnmatch_lines(["*port * is in use by a server that we did not start*--free-ports*"])


def test_concurrent_measurements_are_refused(foreign: pytest.Pytester) -> None:
    """pytest-xdist's -n with perf tests is an error that says why."""
    pytest.importorskip("xdist")
    foreign.mkdir("perf")
    (foreign.path / "test_foreign.py").rename(foreign.path / "perf" / "test_foreign.py")
    result = foreign.runpytest_subprocess("perf", "-n", "2", "--server", "embedded")
    assert result.ret == USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: pytest-xdist (-n) would run measurements at the same time*"])


def test_gpu_tests_on_servers_without_a_gpu_are_an_error(foreign: pytest.Pytester, urls: tuple[str, ...]) -> None:
    """Asked for with -m gpu, they are never green and never skipped."""
    result = foreign.runpytest(*urls, *QUICK, "-m", "gpu")
    assert result.ret == USAGE_ERROR
    result.stdout.fnmatch_lines(["*-m gpu: the model is not in GPU memory on http://*nothing was measured*"])
