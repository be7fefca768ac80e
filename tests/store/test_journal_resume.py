"""Going on with a journal: after SIGKILL at any byte, by the right session only, and by one at a time."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.records import BaseSide, Session
from harness.records.errors import ConfigurationError, HarnessError, JournalError
from harness.scenarios import InstrumentLimits, Limit, Stopping, StudyTerms, Terms
from harness.store import FORMAT, Journal, read_journal
from harness.store.resumable import resume_differences
from harness.testing import build_block, build_calibration, build_session

KILLED = """
import os, signal, sys
from pathlib import Path
from harness.store import Journal
from harness.testing import build_block, build_session

class Dying:
    '''A file that takes so many bytes of a line, and then its process is killed.'''
    def __init__(self, file, taken):
        self.file, self.taken = file, taken
    def write(self, data):
        self.file.write(data[:round(self.taken * len(data))])
        os.kill(os.getpid(), signal.SIGKILL)
    def __getattr__(self, name):
        return getattr(self.file, name)

journal = Journal(Path(sys.argv[1]), build_session())
for index in range(3):
    journal.append(build_block(index=index, warmup=index == 0))
journal._file = Dying(journal._file, float(sys.argv[2]))
journal.append(build_block(index=3, error="interrupted"))
"""

HOLDING = """
import sys
from pathlib import Path
from harness.store import Journal
from harness.testing import build_block, build_session

with Journal(Path(sys.argv[1]), build_session()) as journal:
    journal.append(build_block())
    print("open", flush=True)
    sys.stdin.read()
"""


def _indexes(path: Path) -> list[int]:
    return [block.index for block in read_journal(path).session.blocks]


@pytest.mark.parametrize("taken", [0.0, 0.001, 0.37, 0.999, 1.0])
def test_a_session_killed_while_it_wrote_a_line_can_be_gone_on_with(tmp_path: Path, taken: float) -> None:
    """By SIGKILL, at any byte of it: all whole lines are there, the cut one is gone, the next ones follow."""
    path = tmp_path / "journal.jsonl"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path), str(taken)], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    before = [0, 1, 2, 3] if taken == 1.0 else [0, 1, 2]
    assert _indexes(path) == before
    whole = path.read_bytes()[: path.read_bytes().rfind(b"\n") + 1]
    journal, stored = Journal.resume(path, build_session())
    with journal:
        assert [block.index for block in stored.session.blocks] == before
        assert stored.cut is (taken not in (0.0, 1.0))
        journal.append(build_block(index=4))
    assert path.read_bytes().startswith(whole)
    assert _indexes(path) == [*before, 4]
    assert read_journal(path).cut is False


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A journal with terms and two blocks."""
    path = tmp_path_factory.mktemp("whole") / "journal.jsonl"
    with Journal(path, build_session()) as journal:
        journal.begin("pair", Terms())
        for index in (1, 2):
            journal.append(build_block(index=index, tokens=2))
    return path.read_bytes()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_wherever_it_was_cut_no_whole_line_is_lost(
    whole: bytes, tmp_path_factory: pytest.TempPathFactory, place: int
) -> None:
    """And what is read afterwards is what was there, and the new block."""
    path = tmp_path_factory.mktemp("cut") / "journal.jsonl"
    kept = whole[: place % (len(whole) + 1)]
    path.write_bytes(kept)
    if b"\n" not in kept:
        with pytest.raises(JournalError, match="no whole line"):
            Journal.resume(path, build_session())
        assert path.read_bytes() == kept
        return
    before = read_journal(path).session.blocks
    with Journal.resume(path, build_session())[0] as journal:
        journal.append(build_block(index=9))
    assert path.read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])
    assert read_journal(path).session.blocks == (*before, build_block(index=9))


@contextlib.contextmanager
def _held(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the journal open."""
    command = [sys.executable, "-c", HOLDING, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            yield process
        finally:
            process.kill()


def test_two_processes_cannot_append_to_one_journal(tmp_path: Path) -> None:
    """The second is refused while the first lives, and the file is as it was; it can go on once the first is killed."""
    path = tmp_path / "journal.jsonl"
    with _held(path) as process:
        before = path.read_bytes()
        with pytest.raises(JournalError, match=r"journal\.jsonl is open in another session: wait"):
            Journal.resume(path, build_session())
        assert path.read_bytes() == before
        assert len(read_journal(path).session.blocks) == 1
        process.kill()
        process.wait()
        Journal.resume(path, build_session())[0].close()


def test_a_journal_that_was_resumed_is_locked_too(tmp_path: Path) -> None:
    """Until it is closed."""
    path = tmp_path / "journal.jsonl"
    Journal(path, build_session()).close()
    with Journal.resume(path, build_session())[0], pytest.raises(JournalError, match="open in another session"):
        Journal.resume(path, build_session())
    Journal.resume(path, build_session())[0].close()


def test_where_a_file_system_has_no_locks_a_journal_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some network and user-space file systems."""

    def unsupported(_file: object, _operation: int) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr("fcntl.flock", unsupported)
    path = tmp_path / "journal.jsonl"
    with Journal(path, build_session()) as journal:
        journal.append(build_block())
    assert len(read_journal(path).session.blocks) == 1


def test_who_goes_on_stands_in_the_journal_without_its_blocks(tmp_path: Path) -> None:
    """With its own environment, servers and calibrations, after how many blocks."""
    path = tmp_path / "journal.jsonl"
    with Journal(path, build_session()) as journal:
        journal.append(build_block())
    later = replace(build_session([build_block()]), calibrations=(replace(build_calibration(), loop="asyncio"),))
    journal, stored = Journal.resume(path, later)
    journal.close()
    line = json.loads(path.read_text("utf-8").splitlines()[-1])
    assert (line["type"], line["session"]["blocks"]) == ("resumed", [])
    assert stored.resumed == read_journal(path).resumed
    assert [(each.blocks, each.session) for each in stored.resumed] == [(1, replace(later, blocks=()))]


def _resumed(path: Path, *parts: tuple[Session, int]) -> Session:
    """What is read of sessions one after the other, each with so many blocks."""
    index = 0
    for number, (session, blocks) in enumerate(parts):
        with Journal.resume(path, session)[0] if number else Journal(path, session) as journal:
            for _ in range(blocks):
                index += 1
                journal.append(build_block(index=index))
    return read_journal(path).session


def test_sessions_are_read_as_one(tmp_path: Path) -> None:
    """Blocks in order; the options of all scenarios; the environment of the first."""
    more = replace(build_session(), options={**build_session().options, "other": {"A": {"num_ctx": 64.0}}})
    found = _resumed(tmp_path / "j.jsonl", (build_session(), 2), (more, 1), (build_session(), 1))
    assert [block.index for block in found.blocks] == [1, 2, 3, 4]
    assert found.options == more.options
    assert found.environment == build_session().environment


def test_the_calibrations_are_those_of_the_sessions_that_measured(tmp_path: Path) -> None:
    """One whose instrument was unfit measured nothing, and must not make the others' blocks unfit."""
    good, bad = build_calibration(), replace(build_calibration(), ttft_error_p99_ms=1e6)
    unfit = replace(build_session(), calibrations=(bad,))
    assert _resumed(tmp_path / "1", (build_session(), 1), (unfit, 0)).calibrations == (good,)
    assert _resumed(tmp_path / "2", (unfit, 0), (build_session(), 1)).calibrations == (good,)
    assert _resumed(tmp_path / "3", (build_session(), 1), (build_session(), 1)).calibrations == (good, good)
    assert _resumed(tmp_path / "4", (unfit, 0), (unfit, 0)).calibrations == (bad, bad)


def test_a_scenario_that_was_gone_on_with_has_no_fault_any_more(tmp_path: Path) -> None:
    """What ended it is over once it has a block more; other scenarios keep theirs."""
    path = tmp_path / "journal.jsonl"
    with Journal(path, build_session()) as journal:
        journal.append(build_block())
        journal.fault("pair", "a server died")
        journal.fault("other", "a server died")
    with Journal.resume(path, build_session())[0] as journal:
        assert set(read_journal(path).faults) == {"pair", "other"}
        journal.begin("pair", Terms((Limit("guide_speedup", 1.5),)))
        journal.append(build_block(index=2))
    stored = read_journal(path)
    assert stored.faults == {"other": "a server died"}
    assert stored.terms == {"pair": Terms((Limit("guide_speedup", 1.5),))}


def test_a_scenario_that_is_judged_anew_has_no_fault_any_more(tmp_path: Path) -> None:
    """A session that goes on and finds nothing left to measure says so by its terms; a study likewise."""
    path, terms = tmp_path / "journal.jsonl", Terms((Limit("guide_speedup", 1.5),))
    study = StudyTerms(InstrumentLimits(), {}, Stopping(8), {})
    with Journal(path, build_session()) as journal:
        journal.begin("pair", terms)
        journal.append(build_block())
        journal.fault("pair", "the pre-flight failed")
        journal.study("patterns", study)
        journal.fault("patterns", "the pre-flight failed")
    with Journal.resume(path, build_session())[0] as journal:
        journal.begin("pair", terms)
        assert list(read_journal(path).faults) == ["patterns"]
        journal.study("patterns", study)
    assert read_journal(path).faults == {}


def test_what_a_study_is_judged_by_is_read_back(tmp_path: Path) -> None:
    """Beside the scenarios' terms: a study's blocks are judged by no table of limits."""
    path = tmp_path / "journal.jsonl"
    with Journal(path, build_session()) as journal:
        journal.study("pair", StudyTerms(None, {"one_server": "there is one"}))
        journal.append(build_block())
    stored = read_journal(path)
    assert stored.studies == {"pair": StudyTerms(None, {"one_server": "there is one"})}
    assert stored.terms_or_usual(None) == {}  # type: ignore[arg-type]


def _base(model: str = "embedded", size: int = 10) -> BaseSide:
    servers = tuple(replace(info, size=size) for info in build_session().servers)
    return BaseSide(servers, model, {"pair": {"A": {"num_ctx": 512.0}}})


def _servers(**changes: object) -> Session:
    servers = tuple(replace(info, **changes) for info in build_session().servers)  # type: ignore[arg-type]
    return replace(build_session(), servers=servers)


def _environment(**changes: object) -> Session:
    return replace(build_session(), environment=replace(build_session().environment, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now", "names"),
    [
        (_servers(model_digest="sha256:1"), ["model_digest"]),
        (_servers(version="0.2"), ["server_version"]),
        (_environment(host="another"), ["host"]),
        (_environment(gpus=()), ["gpus", "gpu_driver"]),
        (replace(build_session(), seed=8), ["seed"]),
        (replace(build_session(), profile="cpu"), ["profile"]),
        (replace(build_session(), max_concurrent=1), ["max_concurrent"]),
        (replace(build_session(), options={"pair": {"A": {"num_ctx": 64.0}}}), ["options.pair.A"]),
        (replace(build_session(), base=_base()), ["base"]),
    ],
)
def test_a_session_that_would_measure_something_else_is_refused_with_all_that_differs(
    tmp_path: Path, now: Session, names: list[str]
) -> None:
    """A line each; not a byte of the journal is changed, not even of a line that was cut."""
    path = tmp_path / "journal.jsonl"
    Journal(path, build_session()).close()
    with path.open("ab") as file:
        file.write(b'{"type": "blo')
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="measured something else") as raised:
        Journal.resume(path, now)
    assert [line.strip().partition(":")[0] for line in str(raised.value).splitlines()[1:]] == names
    assert path.read_bytes() == before
    Journal.resume(path, build_session())[0].close()


def test_what_may_differ_does_not_keep_a_session_from_going_on() -> None:
    """Ports, calibrations, settings, a scenario more, the time."""
    now = replace(
        _servers(),
        servers=tuple(replace(info, url=info.url + "9") for info in build_session().servers),
        calibrations=(),
        settings={"runs": "9"},
        options={**build_session().options, "other": {"A": {"num_ctx": 64.0}}},
    )
    assert resume_differences(build_session(), now) == ()


def test_bases_are_compared_fact_by_fact() -> None:
    """Theirs are told apart from the candidate's; one that both share is told once."""
    one, same = (replace(build_session(), base=_base()) for _ in range(2))
    assert resume_differences(one, same) == ()
    other = replace(one, base=_base(size=20, model="another"))
    assert [each.name for each in resume_differences(one, other)] == ["base", "base: model"]
    drained = replace(one, base=replace(_base(), servers=tuple(replace(i, size=0) for i in one.servers)))
    assert [each.name for each in resume_differences(one, drained)] == ["base: model_in_gpu"]


def test_many_differences_are_cut_short(tmp_path: Path) -> None:
    """A sweep has many cells, and one option changes all of them."""
    one, other = (
        replace(build_session(), options={f"s{n}": {"A": {"num_thread": threads}} for n in range(20)})
        for threads in (1.0, 2.0)
    )
    Journal(tmp_path / "j.jsonl", one).close()
    with pytest.raises(ConfigurationError, match=r"and 8 more$"):
        Journal.resume(tmp_path / "j.jsonl", other)


def test_a_journal_of_an_older_format_is_read_but_not_gone_on_with(tmp_path: Path) -> None:
    """An older version of this program would not know what it reads."""
    path = tmp_path / "journal.jsonl"
    Journal(path, build_session()).close()
    path.write_text(path.read_text("utf-8").replace(f'"format":{FORMAT}', '"format":3'), "utf-8")
    assert (FORMAT, read_journal(path).format) == (4, 3)
    with pytest.raises(JournalError, match="is of format 3, and this version writes 4"):
        Journal.resume(path, build_session())


@pytest.mark.parametrize("name", ["nothing.jsonl", "."])
def test_what_is_no_file_cannot_be_gone_on_with(tmp_path: Path, name: str) -> None:
    """And none is made."""
    with pytest.raises(HarnessError, match="cannot be gone on with"):
        Journal.resume(tmp_path / name, build_session())
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_half_a_line_gets_it_taken_back(tmp_path: Path) -> None:
    """The next line must not run into it: here the limit of a file's size is met, then raised."""
    script = """
import resource, sys
from pathlib import Path
from harness.records.errors import JournalError
from harness.store import Journal
from harness.testing import build_block, build_session

path = Path(sys.argv[1])
journal = Journal(path, build_session())
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, hard))
try:
    journal.append(build_block(index=1))
except JournalError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
journal.fault("pair", "full")
assert path.read_bytes().endswith(b'"full"}\\n'), path.read_bytes()[-200:]
journal.append(build_block(index=2))
"""
    path = tmp_path / "journal.jsonl"
    command = [sys.executable, "-c", script, str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "journal.jsonl cannot be written: File too large" in ended.stdout
    assert _indexes(path) == [2]
