"""Which facts make two sessions comparable, and how a difference is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import ServerInfo, Session
from harness.records.baseline import Baseline, Difference
from harness.records.errors import ConfigurationError
from harness.store import Journal, read_journal
from harness.store.fingerprint import difference_lines, differences, fingerprint, require_same_environment
from harness.testing import build_session

LINUX = "Linux-6.18.5-amd64-x86_64-with-glibc2.36"
FACTS = st.dictionaries(
    st.sampled_from(["cpu", "cores", "options.x.A", "options.x.B", "options.y.A"]), st.sampled_from("ab"), max_size=5
)


def _servers(session: Session, **changes: object) -> Session:
    """The session with both its servers changed."""
    return replace(session, servers=tuple(replace(info, **changes) for info in session.servers))  # type: ignore[arg-type]


def _second(session: Session, **changes: object) -> Session:
    """The session with its second server changed."""
    first, second = session.servers
    return replace(session, servers=(first, replace(second, **changes)))  # type: ignore[arg-type]


def _environment(session: Session, **changes: object) -> Session:
    return replace(session, environment=replace(session.environment, **changes))  # type: ignore[arg-type]


def _options(**options: float) -> dict[str, dict[str, dict[str, float]]]:
    return {"pair": {"A": options}}


def test_the_facts_of_a_session() -> None:
    """In a fixed order, as text."""
    found = fingerprint(build_session())
    assert list(found.items()) == [
        ("model", "embedded:latest"),
        ("model_digest", "sha256:0"),
        ("model_in_gpu", "0 %"),
        ("server_kind", "embedded"),
        ("server_version", "0.1"),
        ("servers", "2, all of them on this host"),
        ("pinned_cpus", "0; 1"),
        ("gpus", "a GPU, 1024 MiB"),
        ("gpu_driver", "1.0"),
        ("platform", "Linux"),
        ("cpu", "a CPU"),
        ("cores", "2"),
        ("harness", "unknown"),
        ("profile", "embedded"),
        ("max_concurrent", "2"),
        ("xllamacpp", "unknown"),
        ("python", "3.11"),
        ("options.pair.A", "num_ctx=512"),
    ]


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        (replace(build_session(), model="gemma3"), "model"),
        (_servers(build_session(), model_digest="sha256:1"), "model_digest"),
        (_second(build_session(), model_digest="sha256:1"), "model_digest"),
        (_servers(build_session(), size_vram=10), "model_in_gpu"),
        (_second(build_session(), size=0), "model_in_gpu"),
        (_servers(build_session(), version="0.2"), "server_version"),
        (_servers(build_session(), kind="ollama"), "server_kind xllamacpp python"),
        (_servers(build_session(), url="http://127.0.0.1:1"), "servers"),
        (_servers(build_session(), url="http://10.0.0.1:1"), "servers"),
        (_second(build_session(), url="http://10.0.0.1:1"), "servers"),
        (_servers(build_session(), cpus=None), "pinned_cpus"),
        (_servers(build_session(), cpus=(0, 1)), "pinned_cpus"),
        (_environment(build_session(), gpus=()), "gpus gpu_driver"),
        (_environment(build_session(), gpus=("a GPU, 2.0, 1024 MiB",)), "gpu_driver"),
        (_environment(build_session(), gpus=("a GPU, 1.0, 1024 MiB",) * 2), "gpus"),
        (_environment(build_session(), gpus=("something",)), "gpus gpu_driver"),
        (_environment(build_session(), platform=LINUX), "platform"),
        (_environment(build_session(), cpu="another"), "cpu"),
        (_environment(build_session(), cores=4), "cores"),
        (_environment(build_session(), versions={"python": "3.12.1"}), "python"),
        (_environment(build_session(), versions={"python": "3.11.7", "xllamacpp": "2026.10"}), "xllamacpp"),
        (
            _environment(build_session(), versions={"python": "3.11.7", "ollama-concurrency-harness": "0.3.0"}),
            "harness",
        ),
        (replace(build_session(), profile="cpu"), "profile"),
        (replace(build_session(), max_concurrent=1), "max_concurrent"),
        (replace(build_session(), options=_options(num_ctx=1024)), "options.pair.A"),
        (replace(build_session(), options=_options(num_ctx=512, num_predict=64)), "options.pair.A"),
        (replace(build_session(), options=_options()), "options.pair.A"),
    ],
)
def test_what_changes_ratios_is_a_difference(changed: Session, names: str) -> None:
    """Another model, server, GPU, core count or option; nothing else differs with it."""
    found = differences(fingerprint(build_session()), fingerprint(changed))
    assert [each.name for each in found] == names.split()


@pytest.mark.parametrize(
    "changed",
    [
        replace(build_session(), model="embedded:latest"),
        replace(build_session(), seed=8, settings={"runs": "30"}, calibrations=()),
        replace(build_session(), options=_options(num_ctx=512, seed=8)),
        _environment(build_session(), host="another", command_line=("pytest",), memory_bytes=1),
        _environment(build_session(), versions={"python": "3.11.9", "httpx": "1.0"}),
        replace(
            build_session(),
            servers=tuple(
                replace(info, url=f"http://localhost:{4000 + at}") for at, info in enumerate(build_session().servers)
            ),
        ),
    ],
)
def test_what_changes_no_ratio_is_none(changed: Session) -> None:
    """Seed, host name, ports, command line, memory, patches of Python, and how many blocks were asked for."""
    assert differences(fingerprint(build_session()), fingerprint(changed)) == ()


@pytest.mark.parametrize(
    ("text", "series"),
    [
        (LINUX, "Linux 6.18 x86_64"),
        ("Linux-6.18.9-cloud-x86_64-with-glibc2.41", "Linux 6.18 x86_64"),
        ("Linux-5.15.167.4-microsoft-standard-WSL2-x86_64-with-glibc2.35", "Linux 5.15 x86_64"),
        ("macOS-14.5-arm64-arm-64bit", "macOS 14.5 arm64"),
        ("Linux-7-aarch64-with-glibc2.41", "Linux 7 aarch64"),
        ("something else", "something else"),
    ],
)
def test_the_platform_is_the_kernels_series_and_not_its_build(text: str, series: str) -> None:
    """A security update of the kernel does not make a baseline useless."""
    assert fingerprint(_environment(build_session(), platform=text))["platform"] == series


def test_servers_that_differ_are_listed_in_their_order() -> None:
    """So that swapped servers differ too."""
    session = _second(build_session(), version="0.2")
    assert fingerprint(session)["server_version"] == "0.1; 0.2"
    swapped = replace(session, servers=session.servers[::-1])
    assert fingerprint(swapped)["server_version"] == "0.2; 0.1"


def test_two_agents_on_one_server_are_not_two_servers() -> None:
    """They share its slots: another experiment."""
    info = ServerInfo("http://gpu.example:11434", "connect", "0.24.0", "sha256:0", 10, 10)
    session = replace(build_session(), servers=(info, info))
    assert fingerprint(session)["servers"] == "1, none of them on this host"
    assert fingerprint(session)["model_in_gpu"] == "100 %"


def test_a_stored_session_has_the_fingerprint_of_the_live_one(tmp_path: Path) -> None:
    """Whole numbers come back from a journal as floats; that is no difference."""
    session = replace(build_session(), options=_options(num_ctx=512, temperature=0.1, num_predict=64))
    with Journal(tmp_path / "j.jsonl", session):
        pass
    assert fingerprint(read_journal(tmp_path / "j.jsonl").session) == fingerprint(session)
    assert fingerprint(session)["options.pair.A"] == "num_ctx=512 num_predict=64 temperature=0.1"


@given(FACTS, FACTS)
def test_differences_are_the_same_from_both_sides(one: dict[str, str], other: dict[str, str]) -> None:
    """With the sides swapped; and none of a set of facts with itself."""
    assert differences(one, one) == ()
    there = {(each.name, each.stored, each.now) for each in differences(one, other)}
    assert there == {(each.name, each.now, each.stored) for each in differences(other, one)}


def test_options_of_a_scenario_that_only_one_side_measured_are_no_difference() -> None:
    """A role that only one side has is one."""
    stored = {"cpu": "a", "options.x.A": "1", "options.x.B": "1", "options.y.A": "1"}
    now = {"cpu": "a", "options.x.A": "1", "options.x.C": "1", "options.z.A": "1"}
    assert differences(stored, now) == (
        Difference("options.x.B", "1", "none"),
        Difference("options.x.C", "none", "1"),
    )


def test_a_fact_that_a_baseline_does_not_know_is_a_difference() -> None:
    """An older baseline was not measured by what a newer version asks for; an empty one is like nothing."""
    assert differences({}, {"cpu": "a"}) == (Difference("cpu", "none", "a"),)


STORED = Baseline("main", {"cpu": "a", "cores": "2", "server_version": "1"}, ())
NOW = {"cpu": "b", "cores": "2", "server_version": "2"}


def test_another_environment_is_refused_with_all_that_differs() -> None:
    """One a line, below a line that says what to do."""
    with pytest.raises(ConfigurationError) as raised:
        require_same_environment(STORED, NOW)
    first, *lines = str(raised.value).splitlines()
    assert "nothing is compared" in first
    assert first.endswith("--baseline-allow cpu,server_version")
    assert lines == ["  cpu: stored a, now b", "  server_version: stored 1, now 2"]


def test_what_is_allowed_by_name_is_given_back_to_be_told() -> None:
    """All of it must be; what is allowed already stays in the advice."""
    both = require_same_environment(STORED, NOW, ("server_version", "cpu", "cores"))
    assert difference_lines(both) == "  cpu: stored a, now b\n  server_version: stored 1, now 2"
    with pytest.raises(ConfigurationError, match=r"--baseline-allow cpu,server_version\n  server_version: .*2$"):
        require_same_environment(STORED, NOW, ("cpu",))
    assert require_same_environment(STORED, STORED.environment) == ()


def test_an_allowed_name_that_is_no_fact_is_refused_with_those_that_are() -> None:
    """Even if nothing differs: a slip of the pen must not wait for the day when it matters."""
    with pytest.raises(ConfigurationError, match=r"'cpus' is unknown; choose from: cpu, cores, server_version, gpus$"):
        require_same_environment(STORED, {**STORED.environment, "gpus": "none"}, ("cpus",))
