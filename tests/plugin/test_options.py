"""The command line: defaults, where each value lands, and one clear line for each bad one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from harness.plugin import server_options
from harness.plugin.flags import DEFAULT_DEADLINE_S, OPTIONS, STUDY_RUNS
from harness.plugin.layers import layered
from harness.plugin.options import Settings, read_settings
from harness.records.errors import ConfigurationError, JournalError
from harness.scenarios import (
    SCENARIOS,
    ContentionRules,
    ErrorRates,
    InstrumentLimits,
    Limit,
    Override,
    Stopping,
)
from harness.scenarios.presets import PRESETS
from harness.scenarios.sweeps import TR110_RUNS
from harness.servers.selection import select
from harness.store import Journal
from harness.testing import build_session

FLAGS = frozenset(flag for flag, _, _ in OPTIONS)
URLS = ["http://one:1", "http://two:1"]
PAIR = {"collector_ollama_url": URLS[0], "insight_ollama_url": URLS[1]}
GRID = "chimera_homo:num_ctx=1024,512;temperature=0.6,0.8"


@pytest.fixture(autouse=True)
def _bare_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without `ollama` and with four CPUs, whatever this one has."""
    monkeypatch.setattr(server_options, "usable_cpus", lambda: frozenset(range(4)))
    monkeypatch.setattr(server_options, "select", partial(select, which=lambda _name: None))


def read(**given: object) -> Settings:
    """Settings from options by their names with underscores; the others are not given."""
    values = {"--" + name.replace("_", "-"): value for name, value in given.items()}
    assert values.keys() <= FLAGS, "a test names an option that does not exist"
    return read_settings(values.get)


def test_a_base_is_not_for_studies() -> None:
    """It would be started, and compared with nothing."""
    with pytest.raises(ConfigurationError, match="--scenario patterns: a study compares its arms with each other"):
        read(scenario=["patterns"], base_server="embedded")


def test_without_options_everything_has_a_default() -> None:
    """Embedded servers, all scenarios, as many blocks as it takes; what depends on the host is left to be found out."""
    settings = read()
    assert (settings.selection.kind, settings.selection.model) == ("embedded", "embedded")
    assert settings.scenarios == tuple(SCENARIOS.values())
    assert (settings.stopping, settings.deadline_s) == (Stopping(30), DEFAULT_DEADLINE_S) == (Stopping(30), 300.0)
    assert (settings.rates, settings.base, settings.baselines) == (ErrorRates(0.05, 0.05), None, None)
    assert (settings.num_thread, settings.num_predict, settings.max_concurrent, settings.profile) == (None,) * 4
    assert (settings.overrides, settings.rules) == ((), ContentionRules())
    assert (settings.inconclusive_fails, settings.journal, settings.outputs) == (False, None, {})
    assert "gpu" in settings.thresholds.profiles
    assert (settings.studies, settings.sweep, settings.preset, settings.resume) == ((), None, None, None)
    assert (settings.selection.count, settings.stagger_s, settings.padding) == (2, 0.0, {})
    assert (settings.preflight, settings.mitigate, settings.sample) == ("stop", False, True)


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
    assert (settings.journal, settings.outputs) == (tmp_path / "j", {"--summary-json": tmp_path / "s"})


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


def test_studies_are_named_among_the_scenarios_and_measured_in_the_order_given() -> None:
    """Once each; a study alone leaves no scenario, and all scenarios leave no study."""
    settings = read(scenario=["controls", "chimera_homo", "patterns", "controls"])
    assert [study.name for study in settings.studies] == ["controls", "patterns"]
    assert [scenario.name for scenario in settings.scenarios] == ["chimera_homo"]
    assert read(scenario=["sampling"]).scenarios == ()
    assert settings.studied == {each.name: each for each in read().scenarios}


def test_a_study_has_blocks_of_a_number_of_its_own_unless_one_is_given() -> None:
    """Its verdicts are none of those that a sequential rule decides."""
    assert read(scenario=["controls"], max_runs="20").study_runs == STUDY_RUNS
    assert read(scenario=["controls"], runs="3").study_runs == 3


def test_plain_options_of_how_it_is_measured_land_where_they_belong() -> None:
    """Each given once."""
    settings = read(
        stagger="0.25",
        prompt_words=["Insight=200", "DataCollector=0"],
        preflight="warn",
        mitigate=True,
        no_sampling=True,
        no_live=True,
        preset="production",
    )
    assert (settings.stagger_s, settings.padding) == (0.25, {"Insight": 200, "DataCollector": 0})
    assert (settings.preflight, settings.mitigate, settings.sample, settings.live) == ("warn", True, False, False)
    assert settings.preset == PRESETS["production"]


def test_a_presets_options_reach_the_tuned_agents_and_what_is_given_goes_over_them() -> None:
    """The preset is a layer of options as any other."""
    given = {"--preset": "memory_constrained", "--chimera2-num-ctx": "4096", "--server": "embedded"}
    first, second = next(each for each in read_settings(layered(given.get, {})).scenarios if "homo" in each.name).agents
    assert (first.options.num_gpu, first.options.num_ctx, first.options.temperature) == (60, 512, 0.8)
    assert (second.options.num_gpu, second.options.num_ctx) == (60, 4096)


def test_every_scenario_has_as_many_agents_as_were_asked_for() -> None:
    """Their options as those of the first two, overrides too; words before prompts by the new names."""
    settings = read(agents="5", chimera_num_ctx="4096", prompt_words=["Insight-2=7"])
    assert {len(scenario.agents) for scenario in settings.studied.values()} == {5}
    homo = settings.studied["chimera_homo"].agents
    roles = ["DataCollector", "Insight", "DataCollector-2", "Insight-2", "DataCollector-3"]
    assert [agent.role for agent in homo] == roles
    assert [agent.options.num_ctx for agent in homo] == [4096, 2048, 4096, 2048, 4096]
    assert settings.padding == {"Insight-2": 7}


def test_agents_are_dealt_out_to_any_number_of_servers_up_to_their_own() -> None:
    """To started ones with ports and pins each, and to those that run."""
    started = read(agents="4", servers="3", ports="1,2,3", pin="0,1,2-3").selection
    assert (started.count, started.ports, started.pins) == (3, (1, 2, 3), ((0,), (1,), (2, 3)))
    assert read(servers="1").selection.count == 1
    there = read(agents="8", url=["http://one:1/", "http://two:1", "http://three:1"]).selection
    assert (there.kind, there.urls, there.count) == ("connect", (*URLS, "http://three:1"), 3)
    usual = read(agents="3", server="connect", servers="3").selection
    assert usual.urls == tuple(f"http://127.0.0.1:{port}" for port in (11434, 11435, 11436))


def test_the_patterns_have_one_more_server_that_works_for_all_agents_at_once() -> None:
    """It is started with the others, or connected to if it is named; nothing else has it."""
    assert read(scenario=["patterns"]).selection.parallel == 2
    assert read(scenario=["chimera_homo", "patterns_hetero"], agents="4").selection.parallel == 4
    assert read(scenario=["controls", "chimera_homo"], agents="4").selection.parallel is None
    assert read(scenario=["patterns"], url=URLS).selection.parallel is None
    named = {"url": URLS, "parallel_url": "http://more:1/"}
    there = read(scenario=["patterns"], **named).selection
    assert (there.urls, there.count, there.parallel, there.parallel_url) == (tuple(URLS), 2, 2, "http://more:1")
    other = read(scenario=["controls"], **named).selection
    assert (other.parallel, other.parallel_url) == (None, None)


def test_a_sweep_is_scenarios_of_its_own_in_the_order_of_measuring() -> None:
    """Exactly as many blocks of each; agents and options are those that were asked for; limits can name a cell."""
    settings = read(sweep=[GRID], runs="3", passes="2", agents="3", chimera_num_gpu="7")
    assert settings.sweep is not None
    names = [f"chimera_homo@num_ctx={ctx},temperature={t}" for ctx in (1024, 512) for t in (0.6, 0.8)]
    assert [cell.name for cell in settings.sweep.sweep.cells] == names
    assert [scenario.name for scenario in settings.scenarios] == [cell.name for cell in settings.sweep.order.cells]
    assert (settings.stopping, settings.sweep.runs, settings.sweep.passes) == (Stopping(3, fixed=True), 3, 2)
    assert [agent.options.num_gpu for agent in settings.scenarios[0].agents] == [7, 80, 7]
    limited = read(sweep=[GRID], threshold=[f"{names[0]}.guide_speedup=1.9"])
    limits = [Limit("guide_speedup", 1.9) in limited.thresholds.limits("cpu", n, limited.overrides) for n in names]
    assert limits == [True, False, False, False]


def test_a_sweeps_own_numbers_hold_unless_others_are_given(tmp_path: Path) -> None:
    """The published matrix has 5 runs; a line of text has none, and gets as many."""
    path = tmp_path / "grid.toml"
    path.write_text('runs = 4\npasses = 2\n[[grid]]\nscenario = "chimera_homo"\nnum_ctx = [512, 1024]\n', "utf-8")
    asked = (
        {"sweep": [str(path)]},
        {"sweep": [str(path)], "runs": "7", "passes": "3"},
        {"sweep": ["tr110"]},
        {"sweep": [GRID]},
    )
    found = [sweep for each in asked if (sweep := read(**each).sweep)]
    assert [(sweep.runs, sweep.passes) for sweep in found] == [(4, 2), (7, 3), (TR110_RUNS, 1), (TR110_RUNS, 1)]


def test_who_goes_on_with_a_session_has_its_seed_unless_another_is_given(tmp_path: Path) -> None:
    """The order of arms goes on with it; that another seed is another session is told later."""
    path = tmp_path / "j.jsonl"
    Journal(path, build_session()).close()
    settings = read(resume=str(path))
    assert (settings.seed, settings.resume, settings.journal) == (build_session().seed, path, None)
    assert read(resume=str(path), seed="8").seed == 8
    with pytest.raises(JournalError, match=r"^the journal .*none\.jsonl cannot be read: No such file"):
        read(resume=str(tmp_path / "none.jsonl"))


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
    ({"agents": "1"}, "--agents must be a whole number of at least 2, got 1"),
    ({"agents": "two"}, "--agents must be a whole number, got 'two'"),
    ({"servers": "0"}, "--servers must be a whole number of at least 1, got 0"),
    ({"servers": "3"}, "--servers: 3 servers for 2 agents would leave some idle: name at most 2, or give --agents 3"),
    ({"servers": "5", "agents": "4"}, "--servers: 5 servers for 4 agents would leave some idle"),
    ({"servers": "3", "server": "connect"}, "--servers: 3 servers for 2 agents would leave some idle"),
    ({"servers": "2", "url": URLS}, "--servers is a number of servers to start; these are only connected to"),
    ({"servers": "2", **PAIR}, "--servers is a number of servers to start; these are only connected to"),
    ({"url": [*URLS, "http://three:1"]}, "--url: 3 servers for 2 agents would leave some idle: name at most 2, or"),
    ({"url": ["one:1"]}, "--url 'one:1' is not a server's URL"),
    ({"url": ["http://one:1", "http://one:1/"]}, "--url names a server twice: agents are dealt out to servers in turn"),
    ({"url": URLS, **PAIR}, "--url names all servers: leave --collector-ollama-url and --insight-ollama-url out"),
    ({"url": URLS, "server": "embedded"}, "--server embedded starts servers of its own"),
    ({"url": URLS, "ports": "1,2"}, "--ports and --pin are for servers that we start"),
    ({"ports": "1,2", "agents": "3", "servers": "3"}, "--ports '1,2': write 3 different port numbers"),
    ({"pin": "0,1", "agents": "3", "servers": "3"}, "--pin '0,1': name a CPU (or a range) for each of the 3 servers"),
    ({"parallel_url": "http://more:1"}, "--parallel-url is a server to connect to: these are started"),
    ({"parallel_url": "more:1", "url": URLS}, "--parallel-url 'more:1' is not a server's URL"),
    ({"parallel_url": "http://one:1/", "url": URLS}, "--parallel-url names a server of the agents"),
    ({"stagger": "-1"}, "--stagger must be a number of at least 0, got -1"),
    ({"stagger": "nan"}, "--stagger must be a number, got 'nan'"),
    ({"prompt_words": ["Nobody=3"]}, "--prompt-words 'Nobody=3': write ROLE=NUMBER, for example DataCollector=200;"),
    ({"prompt_words": ["Insight-2=3"]}, "--prompt-words 'Insight-2=3': write ROLE=NUMBER"),
    ({"prompt_words": ["Insight"]}, "--prompt-words 'Insight': write ROLE=NUMBER"),
    ({"prompt_words": ["Insight=-1"]}, "--prompt-words 'Insight=-1': write ROLE=NUMBER"),
    ({"prompt_words": ["Insight=1.5"]}, "--prompt-words 'Insight=1.5': write ROLE=NUMBER"),
    ({"scenario": ["contrals"]}, "--scenario 'contrals' is unknown; choose from: baseline_vs_chimera"),
    ({"preset": "prod"}, "--preset 'prod': choose one of maximise_throughput"),
    ({"preflight": "maybe"}, "--preflight 'maybe': choose one of stop, warn, off"),
    ({"sweep": ["nowhere"]}, "--sweep 'nowhere': write SCENARIO:OPTION=NUMBER,NUMBER;..."),
    ({"sweep": ["nowhere:num_ctx=512"]}, "--sweep 'nowhere:num_ctx=512': unknown scenario 'nowhere'"),
    ({"sweep": ["no.toml"]}, "--sweep no.toml cannot be read: No such file"),
    ({"sweep": [GRID], "scenario": ["chimera_homo"]}, "--sweep names the scenarios itself: leave --scenario out"),
    ({"sweep": [GRID], "max_runs": "9"}, "--sweep measures as many blocks of every cell: give --runs in place of"),
    ({"sweep": [GRID], "base_server": "embedded"}, "--sweep measures one configuration after the other: leave the"),
    ({"sweep": [GRID], "baseline_save": "main"}, "--sweep measures one configuration after the other: leave the"),
    ({"sweep": [GRID], "passes": "0"}, "--passes must be a whole number of at least 1, got 0"),
    ({"sweep": [GRID], "threshold": ["chimera_homo@num_ctx=7.guide_speedup=1"]}, "--threshold chimera_homo@num_ctx=7"),
    ({"passes": "2"}, "--passes is for --sweep: a scenario's blocks are measured together"),
    ({"resume": "/j", "journal": "/j"}, "--resume appends to the journal that it names: leave --journal out"),
    ({"resume": "/j", "base_option": ["a=1"]}, "--resume goes on with sessions that have no base: begin a new one"),
    ({"resume": "/j", "base_server": "embedded"}, "--resume goes on with sessions that have no base"),
    ({"servers": "1", "base_url1": URLS[0], "base_url2": URLS[1]}, "--base-url1 and --base-url2 are two servers, the"),
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
