"""What a session is compared with: bases measured beside it, and stored baselines."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from harness.judge import COMPARED_BY_DEFAULT, SELF_NORMALISED
from harness.plugin import compare
from harness.plugin.compare import BaseChoice, BaselineChoice, read_base, read_baselines
from harness.records.errors import ConfigurationError
from harness.scenarios import ChangeRules
from harness.scenarios.options import Reader
from harness.servers.selection import Selection, select
from harness.store.baselines import baseline_session, save_session
from harness.testing import build_session

CANDIDATE = Selection("embedded", "no URLs given", "embedded", pins=((0,), (1,)))
URLS = {"base_url1": "http://one:1", "base_url2": "http://two:2"}


@pytest.fixture(autouse=True)
def _bare_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host on which a program is found by its whole path only."""
    found = {sys.executable: sys.executable}
    monkeypatch.setattr(compare, "select", partial(select, which=found.get))


def _reader(given: dict[str, object]) -> Reader:
    return Reader({"--" + name.replace("_", "-"): value for name, value in given.items()}.get)


def base(**given: object) -> BaseChoice | None:
    """The base that these options ask for, beside embedded servers."""
    return read_base(_reader(given), CANDIDATE)


def servers(candidate: Selection = CANDIDATE, /, **given: object) -> Selection:
    """Servers of the base's own."""
    choice = read_base(_reader(given), candidate)
    assert choice is not None
    assert choice.selection is not None
    return choice.selection


def test_nothing_is_compared_unless_asked_for() -> None:
    """Neither with a base nor with a baseline."""
    assert base() is None
    assert read_baselines(_reader({})) is None


def test_servers_that_run_are_a_base() -> None:
    """Both URLs, with the candidate's model unless another one is named; never pinned by us."""
    found = servers(**URLS)
    assert (found.kind, found.urls, found.model, found.pins) == (
        "connect",
        ("http://one:1", "http://two:2"),
        "embedded",
        (),
    )
    assert servers(**URLS, base_model="gemma3").model == "gemma3"


def test_another_program_is_a_base_on_free_ports() -> None:
    """Two servers of it are started beside the candidate's, on its CPUs: the sides take turns."""
    found = servers(base_ollama_bin=sys.executable)
    assert (found.kind, found.program, found.ports) == ("ollama", sys.executable, ())
    assert found.pins == CANDIDATE.pins


def test_servers_of_the_same_kind_are_a_base() -> None:
    """Base against base: what two pairs of the same servers differ by."""
    found = servers(base_server="embedded")
    assert (found.kind, found.model) == ("embedded", "embedded")


def test_a_base_has_as_many_servers_as_its_candidate() -> None:
    """Started ones as many; two that run are no base of four."""
    four = replace(CANDIDATE, count=4, pins=((0,), (1,), (0,), (1,)))
    found = servers(four, base_server="embedded")
    assert (found.count, found.pins) == (4, four.pins)
    assert servers(base_server="embedded").count == 2
    with pytest.raises(ConfigurationError, match=r"are two servers, the candidate has 4: a base has as many"):
        servers(four, **URLS)


def test_another_model_or_option_is_a_base_on_the_candidates_servers() -> None:
    """Another quantization needs no servers of its own."""
    choice = base(base_model="gemma3:q4", base_option=["num_ctx=4096", "temperature=0"])
    assert choice is not None
    assert (choice.selection, choice.model) == (None, "gemma3:q4")
    assert choice.options == {"num_ctx": 4096.0, "temperature": 0.0}
    assert choice.rules == ChangeRules(COMPARED_BY_DEFAULT, 5.0, 1.0)


def test_what_is_compared_and_how_much_worse_it_may_be_can_be_set() -> None:
    """Each metric once, in the order given."""
    choice = base(**URLS, compare=["slowdown", "ttft_ratio", "slowdown"], worse_pct="3", noise_pct="0")
    assert choice is not None
    assert choice.rules == ChangeRules(("slowdown", "ttft_ratio"), 3.0, 0.0)


def _saved(folder: Path, name: str) -> None:
    session = baseline_session(build_session(), Path("j.jsonl"), {"pair": {"slowdown": [1.0, 1.1]}})
    save_session(folder, name, {"cpu": "one"}, session)


def test_baselines_are_kept_in_the_project_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only ratios in which a session's shift cancels are compared with them; facts may differ by name."""
    monkeypatch.chdir(tmp_path)
    _saved(Path("perf/baselines"), "old")
    _saved(tmp_path / "mine", "old")
    choice = read_baselines(_reader({"baseline_save": "main", "baseline": "old", "baseline_allow": ["a,b", "c"]}))
    rules = ChangeRules(SELF_NORMALISED)
    assert choice == BaselineChoice(Path("perf/baselines"), "main", "old", ("a", "b", "c"), rules)
    other = read_baselines(_reader({"baseline": "old", "baseline_dir": str(tmp_path / "mine")}))
    assert other is not None
    assert (other.folder, other.save) == (tmp_path / "mine", None)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"base_url1": "http://one:1"}, "give both --base-url1 and --base-url2, or neither"),
        ({"base_url1": "one", "base_url2": "http://two:2"}, "--base-url1 'one' is not a server's URL"),
        ({**URLS, "base_server": "embedded"}, "--base-url1 and --base-url2 are servers that run"),
        ({**URLS, "base_ollama_bin": "x"}, "--base-url1 and --base-url2 are servers that run"),
        ({"base_ollama_bin": "x", "base_server": "embedded"}, "--base-ollama-bin starts real Ollama servers"),
        ({"base_ollama_bin": "/no/such"}, "--ollama-bin '/no/such' is not a program"),
        ({"base_server": "connect"}, "--base-server 'connect': choose one of ollama, embedded"),
        ({"base_option": ["num_ctx"]}, "--base-option 'num_ctx': write NAME=NUMBER"),
        ({"base_option": ["=1"]}, "--base-option '=1': write NAME=NUMBER"),
        ({"base_option": ["num_ctx=nan"]}, "--base-option 'num_ctx=nan': write NAME=NUMBER"),
        ({**URLS, "compare": ["speed"]}, "--compare 'speed' is unknown; choose from: concurrent_wall_s"),
        ({"compare": ["slowdown"]}, "--compare needs a base: give --base-url1"),
        ({**URLS, "noise_pct": "5"}, "--noise-pct 5 and --worse-pct 5: the first must be below the second"),
        (
            {**URLS, "worse_pct": "100"},
            "--noise-pct 1 and --worse-pct 100: the first must be below the second",
        ),
    ],
)
def test_a_base_that_cannot_be_is_one_line_that_says_what_to_write(given: dict[str, object], words: str) -> None:
    """Nothing is started before the options make sense."""
    with pytest.raises(ConfigurationError) as raised:
        base(**given)
    assert str(raised.value).startswith(words)
    assert "\n" not in str(raised.value)


def test_allowing_differences_from_nothing_is_an_error() -> None:
    """A forgotten --baseline would otherwise be a comparison that silently did not happen."""
    with pytest.raises(ConfigurationError, match="--baseline-allow needs --baseline NAME"):
        read_baselines(_reader({"baseline_allow": ["cpu"]}))
