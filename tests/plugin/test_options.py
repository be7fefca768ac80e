"""The command line: defaults, where each value lands, and one clear line for each bad one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from harness.plugin import options
from harness.plugin.flags import DEFAULT_DEADLINE_S, OPTIONS
from harness.plugin.options import Settings, read_settings
from harness.records.errors import ConfigurationError
from harness.scenarios import (
    SCENARIOS,
    ContentionRules,
    ErrorRates,
    InstrumentLimits,
    Limit,
    Override,
    Stopping,
)
from harness.servers.selection import select

FLAGS = frozenset(flag for flag, _, _ in OPTIONS)


@pytest.fixture(autouse=True)
def _bare_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without `ollama` and with four CPUs, whatever this one has."""
    monkeypatch.setattr(options, "usable_cpus", lambda: frozenset(range(4)))
    monkeypatch.setattr(options, "select", partial(select, which=lambda _name: None))


def read(**given: object) -> Settings:
    """Settings from options by their names with underscores; the others are not given."""
    values = {"--" + name.replace("_", "-"): value for name, value in given.items()}
    assert values.keys() <= FLAGS, "a test names an option that does not exist"
    return read_settings(values.get)


def test_without_options_everything_has_a_default() -> None:
    """Embedded servers, all scenarios, as many blocks as it takes; what depends on the host is left to be found out."""
    settings = read()
    assert (settings.selection.kind, settings.selection.model) == ("embedded", "embedded")
    assert settings.scenarios == tuple(SCENARIOS.values())
    assert (settings.stopping, settings.deadline_s) == (Stopping(30), DEFAULT_DEADLINE_S) == (Stopping(30), 300.0)
    assert (settings.rates, settings.base, settings.baselines) == (ErrorRates(0.05, 0.05), None, None)
    assert (settings.num_thread, settings.num_predict, settings.max_concurrent, settings.profile) == (None,) * 4
    assert (settings.overrides, settings.rules) == ((), ContentionRules())
    assert (settings.inconclusive_fails, settings.journal, settings.summary_json) == (False, None, None)
    assert "gpu" in settings.thresholds.profiles


def test_each_session_draws_a_seed_of_its_own() -> None:
    """Without --seed the order of arms differs from session to session; with it, it does not."""
    assert len({read().seed for _ in range(5)}) > 1
    assert read(seed="0").seed == 0


def test_values_land_where_they_belong(tmp_path: Path) -> None:
    """Every plain option, given once."""
    settings = read(
        runs="7",
        num_thread="0",
        num_predict="16",
        max_concurrent="1",
        block_deadline="12.5",
        seed="42",
        profile="cpu",
        contention_ttft_s="1.5",
        contention_throughput_pct="30",
        contention_efficiency_pct="50",
        inconclusive="fail",
        journal=str(tmp_path / "j"),
        summary_json=str(tmp_path / "s"),
    )
    assert (settings.stopping, settings.num_thread, settings.num_predict) == (Stopping(7, fixed=True), 0, 16)
    assert (settings.max_concurrent, settings.deadline_s, settings.seed) == (1, 12.5, 42)
    assert settings.profile == "cpu"
    assert settings.rules == ContentionRules(1.5, 30.0, 50.0)
    assert settings.inconclusive_fails
    assert (settings.journal, settings.summary_json) == (tmp_path / "j", tmp_path / "s")


def test_a_number_of_blocks_is_fixed_or_the_most() -> None:
    """--runs is exact, also where no sequential verdict could be; --max-runs is where a sequential one gives up."""
    assert read(runs="100").stopping == Stopping(100, fixed=True)
    assert read(max_runs="12").stopping == Stopping(12)
    assert read(error_rate="0.01").rates == ErrorRates(0.01, 0.01)


def test_the_instrument_is_calibrated_unless_told_not_to_and_its_limits_can_be_set() -> None:
    """Each limit by its name; what is not named keeps its default."""
    assert read().calibrate
    assert read().instrument == InstrumentLimits()
    settings = read(no_calibration=True, instrument_limit=["ttft_ms=2", "gap_ms=0.5"])
    assert not settings.calibrate
    assert settings.instrument == InstrumentLimits(ttft_ms=2.0, gap_ms=0.5)


@pytest.mark.parametrize("text", ["ttft_ms", "ttft_ms=", "ttft_ms=x", "ttft_ms=nan", "ttft_ms=-1", "speed=1", "=1"])
def test_a_bad_limit_of_the_instrument_says_what_to_write(text: str) -> None:
    """The message shows the form and the names."""
    with pytest.raises(ConfigurationError, match=r"write NAME=NUMBER, for example ttft_ms=5; names: ttft_ms, gap_ms"):
        read(instrument_limit=[text])


def test_a_rule_may_be_set_to_zero() -> None:
    """Zero is a limit, not the absence of one."""
    assert read(contention_ttft_s="0").rules == ContentionRules(ttft_s=0.0)


def test_scenarios_are_measured_once_each_in_the_order_given() -> None:
    """A name given twice is one scenario."""
    names = ["chimera_homo", "baseline_vs_chimera", "chimera_homo"]
    assert [scenario.name for scenario in read(scenario=names).scenarios] == names[:2]


def test_chimera_options_reach_the_first_tuned_agent_and_chimera2_the_second() -> None:
    """Each override lands on its agent in every scenario, and nowhere else."""
    settings = read(chimera_num_ctx="4096", chimera_temperature="0", chimera2_top_k="7", chimera2_num_gpu="-1")
    by_name = {scenario.name: scenario.agents for scenario in settings.scenarios}
    collector, insight = by_name["baseline_vs_chimera"]
    assert collector == SCENARIOS["baseline_vs_chimera"].agents[0]
    assert (insight.options.num_ctx, insight.options.temperature, insight.options.top_k) == (4096, 0.0, 40)
    for name in ("chimera_hetero", "chimera_homo"):
        collector, insight = by_name[name]
        assert (collector.options.num_ctx, collector.options.top_k) == (4096, 40)
        assert (insight.options.top_k, insight.options.num_gpu) == (7, -1)
        assert insight.options.num_ctx == SCENARIOS[name].agents[1].options.num_ctx


def test_thresholds_come_from_the_file_and_the_command_line_over_it(tmp_path: Path) -> None:
    """A table of one's own replaces the built-in one; --threshold goes over both."""
    table = tmp_path / "mine.toml"
    table.write_text("[cpu.default]\nguide_speedup = 1.2\n", "utf-8")
    settings = read(thresholds=str(table), threshold=["chimera_homo.guide_speedup=1.9", "contention_rate=0.5"])
    assert settings.overrides == (
        Override("chimera_homo", Limit("guide_speedup", 1.9)),
        Override(None, Limit("contention_rate", 0.5)),
    )
    assert settings.thresholds.limits("cpu", "chimera_homo", settings.overrides) == (
        Limit("guide_speedup", 1.9),
        Limit("contention_rate", 0.5),
    )


def test_urls_ports_and_pins_become_the_selection() -> None:
    """Connecting with URLs; starting with ports and pins."""
    urls = {"collector_ollama_url": "http://one:11434/", "insight_ollama_url": "http://two:11434"}
    assert read(**urls).selection.urls == ("http://one:11434", "http://two:11434")
    started = read(ports="18434,18435", pin="0-1,2-3", free_ports=True, pull=True).selection
    assert (started.ports, started.pins) == ((18434, 18435), ((0, 1), (2, 3)))
    assert (started.free_ports, started.pull) == (True, True)


BAD: tuple[tuple[dict[str, object], str], ...] = (
    ({"runs": "x"}, "--runs must be a whole number, got 'x'"),
    ({"runs": "0"}, "--runs must be a whole number of at least 1, got 0"),
    ({"runs": "1.5"}, "--runs must be a whole number, got '1.5'"),
    ({"max_runs": "3"}, "--max-runs must be a whole number of at least 4, got 3"),
    ({"max_runs": "61"}, "--max-runs must be at most 60, got 61: --runs may be more"),
    ({"runs": "5", "max_runs": "9"}, "--runs measures exactly so many blocks, --max-runs at most: give one of them"),
    ({"error_rate": "0.5"}, "--error-rate must be above 0 and below 0.5, got 0.5"),
    ({"error_rate": "0"}, "--error-rate must be above 0 and below 0.5, got 0"),
    ({"runs": ""}, "--runs must be a whole number, got ''"),
    ({"seed": "-1"}, "--seed must be a whole number of at least 0, got -1"),
    ({"seed": "9" * 400}, "--seed must be a whole number"),
    ({"num_predict": "1"}, "--num-predict must be a whole number of at least 2, got 1"),
    ({"num_thread": "-1"}, "--num-thread must be a whole number of at least 0"),
    ({"max_concurrent": "0"}, "--max-concurrent must be a whole number of at least 1"),
    ({"block_deadline": "0"}, "--block-deadline must be a number of at least 0.1, got 0"),
    ({"block_deadline": "soon"}, "--block-deadline must be a number, got 'soon'"),
    ({"block_deadline": "nan"}, "--block-deadline must be a number, got 'nan'"),
    ({"block_deadline": "inf"}, "--block-deadline must be a number, got 'inf'"),
    ({"contention_ttft_s": "-1"}, "--contention-ttft-s must be a number of at least 0"),
    ({"contention_throughput_pct": "x"}, "--contention-throughput-pct must be a number"),
    ({"contention_efficiency_pct": "-0.1"}, "--contention-efficiency-pct must be a number of at least 0"),
    ({"chimera_num_ctx": "63"}, "--chimera-num-ctx must be a whole number of at least 64"),
    ({"chimera2_temperature": "-1"}, "--chimera2-temperature must be a number of at least 0"),
    ({"chimera_num_gpu": "-2"}, "--chimera-num-gpu must be a whole number of at least -1"),
    ({"scenario": ["nowhere"]}, "--scenario 'nowhere' is unknown; choose from: baseline_vs_chimera"),
    ({"profile": "tpu"}, "--profile 'tpu': choose one of gpu, cpu, embedded"),
    ({"inconclusive": "maybe"}, "--inconclusive 'maybe': choose one of pass, fail"),
    ({"server": "vllm"}, "--server 'vllm': choose one of ollama, embedded, connect"),
    ({"server": "ollama"}, "--server ollama: no `ollama` on PATH; install it"),
    ({"ollama_bin": "/no/such"}, "--ollama-bin '/no/such' is not a program that can be run"),
    ({"model": "gemma3"}, "--model gemma3: the embedded engine"),
    ({"collector_ollama_url": "http://one:1"}, "give both --collector-ollama-url and --insight-ollama-url"),
    ({"collector_ollama_url": "one:1", "insight_ollama_url": "http://two:1"}, "--collector-ollama-url 'one:1' is not"),
    ({"server": "connect", "ports": "1,2"}, "--ports and --pin are for servers that we start"),
    ({"server": "connect", "pin": "0,1"}, "--ports and --pin are for servers that we start"),
    ({"ports": "1"}, "--ports '1': write two different port numbers"),
    ({"pin": "0,9"}, "--pin '0,9': this process may only use the CPUs 0,1,2,3"),
    ({"threshold": ["speed=1"]}, "--threshold speed=1: unknown metric 'speed'"),
    ({"thresholds": "/no/such.toml"}, "--thresholds /no/such.toml cannot be read"),
    ({"thresholds": "/"}, "--thresholds / cannot be read"),
)


@pytest.mark.parametrize(("given", "words"), BAD, ids=lambda value: str(value)[:40])
def test_a_bad_value_is_one_line_that_names_its_option(given: dict[str, object], words: str) -> None:
    """The message says which option, what was given, and what to write instead."""
    with pytest.raises(ConfigurationError) as raised:
        read(**given)
    message = str(raised.value)
    assert message.startswith(words)
    assert "\n" not in message


@pytest.mark.parametrize("content", [b"[cpu", b"\xff\xfe", b"cpu = 1\n"])
def test_a_bad_thresholds_file_is_named(tmp_path: Path, content: bytes) -> None:
    """Not TOML, not UTF-8, not a table: each names the file."""
    table = tmp_path / "mine.toml"
    table.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"mine\.toml"):
        read(thresholds=str(table))


def test_every_option_has_a_help_text_and_a_name_of_its_own() -> None:
    """Help is the first documentation that people read."""
    assert len(FLAGS) == len(OPTIONS)
    assert all(text for _, _, text in OPTIONS)
