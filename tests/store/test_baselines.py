"""Stored baselines: a session is appended as a whole or not at all, and what is no baseline is refused by name."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from math import exp, log, nan
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import ClockAnchor
from harness.records.baseline import Baseline, BaselineRatio, BaselineSession
from harness.records.errors import ConfigurationError, JournalError
from harness.store import baselines
from harness.store.baselines import (
    BASELINE_FORMAT,
    baseline_path,
    baseline_session,
    ensure_savable,
    ratios_of,
    read_baseline,
    save_session,
)
from harness.testing import build_session

HERE = {"server_version": "0.24.0", "cores": "2", "options.pair.A": "num_ctx=512"}
RATIO = BaselineRatio(1.25, 5, 0.02)
POSITIVE = st.floats(1e-100, 1e100)


def _session(number: int = 1, scenario: str = "pair", metric: str = "slowdown") -> BaselineSession:
    return BaselineSession(number, f"journal-{number}.jsonl", "0.3.0", {scenario: {metric: RATIO}})


def _saved(folder: Path, *sessions: BaselineSession, name: str = "main") -> Path:
    for session in sessions or (_session(),):
        save_session(folder, name, HERE, session)
    return folder / f"{name}.json"


def test_sessions_are_read_back_in_the_order_of_saving(tmp_path: Path) -> None:
    """The folder is made; each saving gives the baseline as it is then."""
    folder = tmp_path / "perf" / "baselines"
    first = save_session(folder, "main", HERE, _session(2))
    second = save_session(folder, "main", HERE, _session(1))
    assert first == Baseline("main", HERE, (_session(2),))
    assert second == read_baseline(folder, "main") == Baseline("main", HERE, (_session(2), _session(1)))


def test_the_file_says_its_format_and_can_be_read_by_people(tmp_path: Path) -> None:
    """Indented, one figure a line, with an end of line: a version control system shows what a session added."""
    text = _saved(tmp_path).read_text("utf-8")
    assert list(json.loads(text)) == ["format", "name", "environment", "sessions"]
    assert json.loads(text)["format"] == BASELINE_FORMAT
    assert '            "ratio": 1.25,\n' in text
    assert text.endswith("}\n")
    assert os.stat(tmp_path / "main.json").st_mode & 0o777 == 0o644


def test_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    """No lock, no temporary file: the folder is under version control."""
    _saved(tmp_path, _session(1), _session(2))
    ensure_savable(tmp_path, "other", HERE)
    assert os.listdir(tmp_path) == ["main.json"]


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
    st.lists(
        st.dictionaries(
            st.text(max_size=5),
            st.dictionaries(
                st.text(max_size=5),
                st.builds(BaselineRatio, POSITIVE, st.integers(2, 99), st.floats(0, 1e9)),
                min_size=1,
            ),
            min_size=1,
            max_size=2,
        ),
        min_size=1,
        max_size=2,
    ),
)
def test_whatever_can_be_saved_is_read_back_to_the_last_digit(
    tmp_path_factory: pytest.TempPathFactory,
    environment: dict[str, str],
    ratios: list[dict[str, dict[str, BaselineRatio]]],
) -> None:
    """Any names, any positive ratio."""
    folder = tmp_path_factory.mktemp("baselines")
    sessions = tuple(BaselineSession(number, "j", "1", each) for number, each in enumerate(ratios))
    for session in sessions:
        save_session(folder, "any", environment, session)
    assert read_baseline(folder, "any") == Baseline("any", environment, sessions)


def test_a_session_becomes_geometric_means_over_its_blocks(tmp_path: Path) -> None:
    """With its instant from the anchor, its journal's name without the folder, and the version that measured it."""
    session = build_session()
    versions = {"ollama-concurrency-harness": "0.3.1"}
    environment = replace(session.environment, anchor=ClockAnchor(1, 1234), versions=versions)
    values: dict[str, dict[str, list[float]]] = {
        "pair": {"slowdown": [1.0, 2.0, 4.0], "ttft_ratio": []},
        "dead": {"slowdown": []},
    }
    found = baseline_session(replace(session, environment=environment), tmp_path / "j.jsonl", values)
    assert (found.saved_unix_ns, found.journal, found.harness) == (1234, "j.jsonl", "0.3.1")
    assert list(found.ratios) == ["pair"]
    assert list(found.ratios["pair"]) == ["slowdown"]
    ratio = found.ratios["pair"]["slowdown"]
    assert ratio.ratio == pytest.approx(2.0)
    assert ratio.blocks == 3
    assert ratio.sd_log == pytest.approx(log(2))


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=9))
def test_mean_and_spread_are_those_of_the_logarithms(values: list[float]) -> None:
    """Whatever the ratios."""
    found = baseline_session(build_session(), Path("j"), {"pair": {"slowdown": values}}).ratios["pair"]["slowdown"]
    logs = [log(value) for value in values]
    assert found.ratio == pytest.approx(exp(fmean(logs)))
    assert found.sd_log == pytest.approx(stdev(logs))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "no scenario of this session is valid"),
        ({"pair": {}, "other": {"slowdown": []}}, "no scenario of this session is valid"),
        ({"pair": {"slowdown": [1.1]}}, r"pair\.slowdown has one valid block, and .* no spread: measure 2 or more"),
        ({"pair": {"slowdown": [1.1, nan]}}, r"pair\.slowdown: a block's ratio is no positive number"),
        ({"pair": {"slowdown": [1.1, float("inf")]}}, r"pair\.slowdown: a block's ratio is no positive number"),
        ({"pair": {"slowdown": [1.1, 1.2], "ttft_ratio": [-1.1, 1.0]}}, r"pair\.ttft_ratio: a block's ratio is no pos"),
        ({"pair": {"slowdown": [0.0, 1.2]}}, r"pair\.slowdown: a block's ratio is no positive number"),
    ],
)
def test_a_session_without_good_ratios_is_not_saved(values: dict[str, dict[str, list[float]]], words: str) -> None:
    """No valid scenario, one block only, NaN: refused, in one line that says which figure."""
    with pytest.raises(ConfigurationError, match=words) as raised:
        baseline_session(build_session(), Path("j"), values)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "a\\b", "a b", "name\n", "ä", "-x", "x" * 101])
def test_a_name_is_a_plain_word(tmp_path: Path, name: str) -> None:
    """Nothing outside the folder is touched, whatever is asked."""
    for attempt in (
        lambda: baseline_path(tmp_path, name),
        lambda: read_baseline(tmp_path, name),
        lambda: ensure_savable(tmp_path, name, HERE),
        lambda: save_session(tmp_path, name, HERE, _session()),
    ):
        with pytest.raises(ConfigurationError, match="named by a plain word"):
            attempt()
    assert os.listdir(tmp_path) == []


def test_names_with_dots_and_digits_are_plain_words(tmp_path: Path) -> None:
    """A version makes a good name, and the file keeps all of it."""
    assert _saved(tmp_path, name="ollama-0.24.0_h100") == baseline_path(tmp_path, "ollama-0.24.0_h100")
    assert read_baseline(tmp_path, "ollama-0.24.0_h100").name == "ollama-0.24.0_h100"


def test_a_file_is_known_by_its_name(tmp_path: Path) -> None:
    """A baseline whose file was renamed has the new name."""
    _saved(tmp_path).rename(tmp_path / "new.json")
    assert read_baseline(tmp_path, "new").name == "new"


def test_a_missing_baseline_lists_those_that_are_there(tmp_path: Path) -> None:
    """And says so if there is none, or no folder."""
    with pytest.raises(ConfigurationError, match=r"no baseline 'mian' .*there: none yet"):
        read_baseline(tmp_path / "nowhere", "mian")
    _saved(tmp_path, name="main")
    _saved(tmp_path, name="gpu")
    with pytest.raises(ConfigurationError, match=r"no baseline 'mian' .*--baseline-save; there: gpu, main$"):
        read_baseline(tmp_path, "mian")


def test_a_baseline_of_another_environment_is_not_added_to(tmp_path: Path) -> None:
    """The differences are listed, one a line; before the measuring and at its end; the file stays as it was."""
    path = _saved(tmp_path)
    before = path.read_bytes()
    other = {**HERE, "server_version": "0.25.0", "gpus": "a GPU"}
    for attempt in (
        lambda: ensure_savable(tmp_path, "main", other),
        lambda: save_session(tmp_path, "main", other, _session(2)),
    ):
        with pytest.raises(ConfigurationError, match="nothing was saved; save under another name") as raised:
            attempt()
        assert str(raised.value).splitlines()[1:] == [
            "  server_version: stored 0.24.0, now 0.25.0",
            "  gpus: stored none, now a GPU",
        ]
    assert path.read_bytes() == before
    ensure_savable(tmp_path, "main", HERE)


def test_another_scenario_may_be_added_with_its_options(tmp_path: Path) -> None:
    """Its options join the environment, and from then on must be the same."""
    _saved(tmp_path)
    new = {"server_version": "0.24.0", "cores": "2", "options.other.B": "num_ctx=1024"}
    baseline = save_session(tmp_path, "main", new, _session(2, "other"))
    assert baseline.environment == {**HERE, **new}
    with pytest.raises(ConfigurationError, match=r"options\.other\.B: stored num_ctx=1024, now num_ctx=2048"):
        save_session(tmp_path, "main", {**new, "options.other.B": "num_ctx=2048"}, _session(3, "other"))


def test_a_session_is_saved_once(tmp_path: Path) -> None:
    """A copy would make sessions look more alike than they are."""
    path = _saved(tmp_path)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="nothing was saved in baseline 'main': one session is in it twice"):
        save_session(tmp_path, "main", HERE, _session())
    assert path.read_bytes() == before


def test_ratios_come_by_metric_one_a_session_that_has_them(tmp_path: Path) -> None:
    """In the order of saving; a scenario that no session has gives none."""
    other = replace(_session(3), ratios={"pair": {"slowdown": replace(RATIO, ratio=1.5), "ttft_ratio": RATIO}})
    _saved(tmp_path, _session(1), _session(2, "other"), other)
    baseline = read_baseline(tmp_path, "main")
    assert ratios_of(baseline, "pair") == {"slowdown": (1.25, 1.5), "ttft_ratio": (1.25,)}
    assert ratios_of(baseline, "other") == {"slowdown": (1.25,)}
    assert ratios_of(baseline, "lacking") == {}


def _changed(path: Path, keys: tuple[str | int, ...], value: object) -> None:
    """Sets (or, with None, takes away) one field of a baseline's file."""
    document = json.loads(path.read_text("utf-8"))
    place: Any = document
    for key in keys[:-1]:
        place = place[key]
    if value is None:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    path.write_text(json.dumps(document), "utf-8")


FIGURE: tuple[str | int, ...] = ("sessions", 0, "ratios", "pair", "slowdown")


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (("format",), 2, "is of format 2, this version reads up to 1: read it with a newer version"),
        (("format",), None, "is no baseline of this program: it has no format number"),
        (("format",), True, "is no baseline of this program"),
        (("format",), 0, "is no baseline of this program"),
        (("environment",), None, "does not hold what its format says.*`environment`"),
        (("environment", "cores"), 2, "does not hold what its format says"),
        (("sessions",), None, "does not hold what its format says.*`sessions`"),
        (("sessions",), [], "is damaged: it holds no session"),
        (("sessions", 0, "journal"), None, "does not hold what its format says.*`journal`"),
        (("sessions", 0, "ratios"), {}, "is damaged: session 1 holds no scenario"),
        (("sessions", 0, "ratios"), {"pair": {}}, "is damaged: session 1 holds no scenario"),
        ((*FIGURE, "sd_log"), None, "does not hold what its format says.*`sd_log`"),
        ((*FIGURE, "ratio"), "1.25", "does not hold what its format says"),
        ((*FIGURE, "ratio"), nan, r"is damaged: JSON is malformed"),
        ((*FIGURE, "ratio"), -1.25, r"is damaged: session 1, pair\.slowdown: the ratio -1\.25 is no positive number"),
        ((*FIGURE, "ratio"), 0, r"is damaged: session 1, pair\.slowdown: the ratio 0 is no positive number"),
        ((*FIGURE, "blocks"), 1, r"is damaged: session 1, pair\.slowdown: 1 blocks .* have no spread"),
        ((*FIGURE, "sd_log"), -0.1, r"is damaged: session 1, pair\.slowdown: 5 blocks with an SD of -0\.1 have no"),
    ],
)
def test_a_file_that_does_not_keep_to_its_format_is_refused_and_left_as_it_is(
    tmp_path: Path, keys: tuple[str | int, ...], value: object, words: str
) -> None:
    """A newer format, a missing field, NaN, a negative ratio: neither read nor overwritten, and named."""
    path = _saved(tmp_path)
    _changed(path, keys, value)
    _refused(path, words)


def _refused(path: Path, words: str) -> None:
    before = path.read_bytes()
    for attempt in (
        lambda: read_baseline(path.parent, path.stem),
        lambda: ensure_savable(path.parent, path.stem, HERE),
        lambda: save_session(path.parent, path.stem, HERE, _session(2)),
    ):
        with pytest.raises(JournalError, match=words) as raised:
            attempt()
        assert str(path) in str(raised.value)
        assert "\n" not in str(raised.value)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_session_that_a_merge_doubled_is_refused(tmp_path: Path) -> None:
    """Two branches that both kept it."""
    path = _saved(tmp_path)
    one = json.loads(path.read_text("utf-8"))["sessions"][0]
    _changed(path, ("sessions",), [one, one])
    _refused(path, "is damaged: one session is in it twice")


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"hello", b'{"format": 1}', b"\xff", b"[" * 100_000, b'{"format": 1e999}']
)
def test_what_is_no_baseline_is_refused(tmp_path: Path, text: bytes) -> None:
    """An empty file, another program's, one nested without end."""
    path = tmp_path / "main.json"
    path.write_bytes(text)
    _refused(path, "is damaged|is no baseline|does not hold")


@given(st.integers(0, 10**6))
def test_a_file_cut_short_at_any_byte_is_refused(tmp_path_factory: pytest.TempPathFactory, place: int) -> None:
    """Truncated JSON is never taken for a smaller baseline."""
    path = _saved(tmp_path_factory.mktemp("cut"))
    whole = path.read_bytes().rstrip()
    path.write_bytes(whole[: place % len(whole)])
    with pytest.raises(JournalError, match="is damaged"):
        read_baseline(path.parent, "main")


def test_a_file_that_cannot_be_read_is_a_journal_error(tmp_path: Path) -> None:
    """A folder in its place."""
    (tmp_path / "main.json").mkdir()
    with pytest.raises(JournalError, match=r"main\.json cannot be read: Is a directory"):
        read_baseline(tmp_path, "main")


def test_a_folder_that_cannot_be_written_is_found_before_the_measuring(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(JournalError, match="cannot be written"):
        ensure_savable(tmp_path / "file" / "baselines", "main", HERE)


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """The old file stays whole, and no piece of the new one is left beside it."""

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = _saved(tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr(os, step, full)
    with pytest.raises(JournalError, match=r"main\.json cannot be written: No space left"):
        save_session(tmp_path, "main", HERE, _session(2))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["main.json"]


def test_an_interrupt_leaves_no_piece_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the file is written."""

    def interrupted(_descriptor: int) -> None:
        raise KeyboardInterrupt

    path = _saved(tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_session(tmp_path, "main", HERE, _session(2))
    assert (path.read_bytes(), os.listdir(tmp_path)) == (before, ["main.json"])


def test_a_lock_that_cannot_be_had_is_a_journal_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks: said, and no descriptor is left open."""
    import fcntl  # noqa: PLC0415 - as in the module: not on every platform

    def none(*_arguments: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    monkeypatch.setattr(fcntl, "flock", none)
    with pytest.raises(JournalError, match="cannot be written: No locks available"):
        save_session(tmp_path, "main", HERE, _session())
    assert before == (len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0)


def test_a_lock_that_a_dead_process_left_holds_nobody_up(tmp_path: Path) -> None:
    """The file alone is no lock."""
    (tmp_path / ".main.json.lock").write_text("", "utf-8")
    _saved(tmp_path)
    assert os.listdir(tmp_path) == ["main.json"]


SAVER = """
import sys
from pathlib import Path
from harness.records.baseline import BaselineRatio, BaselineSession
from harness.store.baselines import save_session

folder, first = Path(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for number in range(first, first + 10):
    ratios = {"pair": {"slowdown": BaselineRatio(1.0 + number, 5, 0.1)}}
    save_session(folder, "main", {"cores": "2"}, BaselineSession(number, "j", "1", ratios))
"""


def test_processes_that_save_at_once_lose_none(tmp_path: Path) -> None:
    """Four of them, ten sessions each, into one file that none of them began."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SAVER, str(tmp_path), str(10 * number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0] * 4
    assert sorted(session.saved_unix_ns for session in read_baseline(tmp_path, "main").sessions) == list(range(40))
    assert os.listdir(tmp_path) == ["main.json"]


def test_the_lock_is_held_from_reading_to_replacing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a session is being written another process cannot take the lock."""
    import fcntl  # noqa: PLC0415 - as in the module: not on every platform

    tried: list[bool] = []
    write = baselines._write

    def watched(path: Path, baseline: Baseline) -> None:
        with open(tmp_path / ".main.json.lock", "rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                tried.append(True)
            except BlockingIOError:
                tried.append(False)
        write(path, baseline)

    monkeypatch.setattr(baselines, "_write", watched)
    _saved(tmp_path)
    assert tried == [False]
