"""Layers of settings: which one counts, what is printed of it, and one clear line for each mistake."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.plugin.flags import OPTIONS
from harness.plugin.layers import Layers, layered, variable
from harness.plugin.options import read_settings
from harness.records.errors import ConfigurationError
from harness.report.presets import SettingSource, source_lines
from harness.scenarios import RunnerOptions, Stopping
from harness.scenarios.presets import PRESETS
from harness.servers.registry import TOKEN_VARIABLE

FILE = "settings.toml"
ENVIRONMENT = "environment"
FLAGS = [flag for flag, _, _ in OPTIONS]


HARNESS_CI = (
    *("ACCOUNT_ID", "BUILD_ID", "DELEGATE_ID", "EXECUTION_ID", "LOG_PREFIX", "NODE_INDEX", "ORG_ID", "PIPELINE_ID"),
    *("PROJECT_ID", "STAGE_ID", "STAGE_NAME", "STAGE_UUID", "STEP_ID", "TI_SERVICE_TOKEN", "USER_ID", "WORKSPACE"),
)


def layers(
    folder: Path,
    line: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    toml: str | None = None,
) -> Layers:
    """Layers of a command line, an environment, and a file that the command line names."""
    given_flags = dict(line or {})
    if toml is not None:
        (folder / FILE).write_text(toml, "utf-8")
        given_flags["--settings"] = str(folder / FILE)
    return layered(given_flags.get, environ or {})


def source(found: Layers, name: str) -> SettingSource | None:
    """What is said of a setting, or None."""
    return next((each for each in found.sources() if each.name == name), None)


def refusal(folder: Path, environ: Mapping[str, str] | None = None, toml: str | None = None) -> str:
    """The message with which the layers refuse this; one line."""
    with pytest.raises(ConfigurationError) as caught:
        layers(folder, environ=environ, toml=toml)
    assert "\n" not in str(caught.value)
    return str(caught.value)


PLACES = ("line", ENVIRONMENT, "file", "preset")
KINDS: dict[str, tuple[dict[str, object], object]] = {
    "--max-runs": ({"line": "11", ENVIRONMENT: "12", "file": "13"}, None),
    "--chimera-num-ctx": ({"line": "256", ENVIRONMENT: "1024", "file": "4096"}, "512"),
    "--chimera2-temperature": ({"line": "0.1", ENVIRONMENT: "0.2", "file": "0.3"}, "0.8"),
    "--scenario": ({"line": ["a", "b"], ENVIRONMENT: ["c", "d"], "file": ["e"]}, None),
    "--pull": ({"line": True, ENVIRONMENT: False, "file": True}, None),
}
"""By flag: what each place gives in the test, and what the preset ``production`` does."""


def as_text(value: object) -> str:
    """A value as the environment and the terminal have it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, list) else str(value)


@given(chosen=st.fixed_dictionaries({flag: st.sets(st.sampled_from(PLACES)) for flag in KINDS}), preset=st.booleans())
def test_the_highest_layer_counts_and_its_source_is_the_true_one(
    tmp_path_factory: pytest.TempPathFactory, chosen: dict[str, set[str]], preset: bool
) -> None:
    """Whatever subset of layers gives a setting: value, printed source and printed shadowed values agree."""
    line: dict[str, object] = {"--preset": "production"} if preset else {}
    environ, document = {}, {}
    truth: dict[str, list[tuple[object, str]]] = {flag: [] for flag in KINDS}
    for flag, (values, of_preset) in KINDS.items():
        if "line" in chosen[flag]:
            line[flag] = values["line"]
            truth[flag].append((values["line"], "command line"))
        if ENVIRONMENT in chosen[flag]:
            environ[variable(flag)] = as_text(values[ENVIRONMENT])
            truth[flag].append((values[ENVIRONMENT], f"environment {variable(flag)}"))
        if "file" in chosen[flag]:
            document[flag.removeprefix("--")] = values["file"]
            truth[flag].append((values["file"], FILE))
        if preset and of_preset is not None:
            truth[flag].append((of_preset, "preset production"))
    toml = "".join(f"{key} = {json.dumps(value)}\n" for key, value in document.items())
    found = layers(tmp_path_factory.mktemp("layers"), line, environ, toml)
    for flag, given_by in truth.items():
        said = source(found, flag.removeprefix("--"))
        if not given_by:
            assert (found(flag), said) == (None, None)
            continue
        (value, where), *shadowed = given_by
        assert found(flag) == value
        if where == "command line" and not shadowed:
            assert said is None
        else:
            over = tuple((as_text(each), below) for each, below in shadowed)
            assert said == SettingSource(flag.removeprefix("--"), as_text(value), where, over)


def test_what_nobody_gives_is_the_command_lines_own_default() -> None:
    """None, False or an empty list: as pytest says it, with nothing to print."""
    found = layered({"--pull": False, "--scenario": [], "--seed": None}.get, {})
    assert [found(flag) for flag in ("--pull", "--scenario", "--seed")] == [False, [], None]
    assert found.sources() == ()
    environ = {"HARNESS_PULL": "1", "HARNESS_SCENARIO": "chimera_homo"}
    found = layered({"--pull": False, "--scenario": []}.get, environ)
    assert [found(flag) for flag in ("--pull", "--scenario")] == [True, ["chimera_homo"]]


@pytest.mark.parametrize("flag", FLAGS)
def test_every_option_has_a_variable_and_a_key(flag: str, tmp_path: Path) -> None:
    """Each can be set in the environment and in the file, and is read back."""
    switch = next(metavar is None for name, metavar, _ in OPTIONS if name == flag)
    name = flag.removeprefix("--")
    if name not in ("settings", "preset"):
        value = "true" if switch else "1"
        assert as_text(layers(tmp_path, environ={variable(flag): value})(flag)) == value
        toml = f"{name} = {value if switch else json.dumps(value)}"
        assert as_text(layers(tmp_path, toml=toml)(flag)) == value


def test_variables_are_told_apart() -> None:
    """No two options share one, and none is a variable of our own machinery."""
    names = [variable(flag) for flag in FLAGS]
    assert len(set(names)) == len(names)
    assert TOKEN_VARIABLE not in names
    assert variable("--chimera2-num-ctx") == "HARNESS_CHIMERA2_NUM_CTX"


def test_the_mark_of_our_servers_and_ollamas_variables_are_left_alone(tmp_path: Path) -> None:
    """HARNESS_SERVER is --server; HARNESS_SERVER_TOKEN is nobody's setting."""
    environ = {TOKEN_VARIABLE: "abc", "OLLAMA_HOST": "x", "MY_HARNESS_RUNS": "x", "HARNESS_SERVER": "embedded"}
    assert layers(tmp_path, environ=environ).sources() == (
        SettingSource("server", "embedded", "environment HARNESS_SERVER"),
    )


def test_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    """As in a shell; a lower layer counts then."""
    found = layers(tmp_path, environ={"HARNESS_MAX_RUNS": " "}, toml="max-runs = 9")
    assert found("--max-runs") == "9"
    assert [each.name for each in found.sources()] == ["max-runs"]
    assert layers(tmp_path, environ={"HARNESS_MAX_RUNS": " 8 "})("--max-runs") == "8"


@pytest.mark.parametrize("text", ["a, b", "a;b", "a;b,", " a ; b "])
def test_a_repeated_option_is_separated_by_commas_or_semicolons(text: str, tmp_path: Path) -> None:
    """In the environment; blanks around a part are none of it."""
    assert layers(tmp_path, environ={"HARNESS_COMPARE": text})("--compare") == ["a", "b"]


def test_other_options_keep_their_commas(tmp_path: Path) -> None:
    """--ports is one text."""
    assert layers(tmp_path, environ={"HARNESS_PORTS": "1,2"})("--ports") == "1,2"


def test_a_lists_layer_replaces_the_lower_one_whole(tmp_path: Path) -> None:
    """Lists of two layers are not joined."""
    found = layers(tmp_path, {"--scenario": ["chimera_homo"]}, toml='scenario = ["a", "b"]')
    assert found("--scenario") == ["chimera_homo"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("TRUE", True), ("1", True), ("false", False), ("False", False), ("0", False)],
)
def test_a_switch_is_true_false_1_or_0(text: str, value: bool, tmp_path: Path) -> None:
    """In the environment; false there switches off what the file switches on."""
    found = layers(tmp_path, environ={"HARNESS_NO_CALIBRATION": text}, toml="no-calibration = true")
    assert found("--no-calibration") is value


def test_a_file_gives_numbers_texts_lists_and_switches(tmp_path: Path) -> None:
    """A number is the text that the command line would have; one text is a list of one."""
    toml = 'max-runs = 20\nchimera-temperature = 0.8\nmodel = "gemma3"\npull = true\nscenario = "chimera_homo"\n'
    found = layers(tmp_path, toml=toml + 'threshold = ["measured_speedup=1", "guide_speedup=1"]')
    assert (found("--max-runs"), found("--chimera-temperature"), found("--model")) == ("20", "0.8", "gemma3")
    assert (found("--pull"), found("--scenario")) == (True, ["chimera_homo"])
    assert found("--threshold") == ["measured_speedup=1", "guide_speedup=1"]


def test_the_environment_may_name_the_file_and_the_command_line_another(tmp_path: Path) -> None:
    """--settings counts over HARNESS_SETTINGS; only one file is read."""
    other = tmp_path / "other.toml"
    other.write_text("max-runs = 7\nseed = 1", "utf-8")
    environ = {"HARNESS_SETTINGS": str(other)}
    found = layers(tmp_path, environ=environ)
    assert (found("--max-runs"), source(found, "max-runs")) == ("7", SettingSource("max-runs", "7", "other.toml"))
    found = layers(tmp_path, environ=environ, toml="max-runs = 9")
    assert (found("--max-runs"), found("--seed")) == ("9", None)


def test_a_preset_is_named_by_any_layer_and_lies_below_all_of_them(tmp_path: Path) -> None:
    """The file's own option counts over the preset, also where the command line names the preset."""
    found = layers(tmp_path, {"--preset": "memory_constrained"}, toml='preset = "production"\nchimera-num-gpu = 33')
    assert [found(f"--{group}-num-gpu") for group in ("chimera", "chimera2")] == ["33", "60"]
    assert found("--preset") == "memory_constrained"
    assert "chimera-num-gpu = 33 (settings.toml, over 60 from preset memory_constrained)" in source_lines(
        found.sources()
    )
    assert layers(tmp_path, toml='preset = "production"')("--chimera2-num-gpu") == "80"
    assert layers(tmp_path, environ={"HARNESS_PRESET": "production"})("--chimera-top-k") == "40"


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_values_pass_the_same_checks_as_flags(name: str, tmp_path: Path) -> None:
    """Read as settings, both tuned agents send the preset's options; a flag of one group changes that group's alone."""
    line = {"--preset": name, "--server": "embedded", "--chimera-num-ctx": "640", "--scenario": ["chimera_homo"]}
    (scenario,) = read_settings(layers(tmp_path, line)).scenarios
    own = RunnerOptions(80, 2048, 1.0, 0.9, 40, 1.1).sent()
    wanted = {**own, **PRESETS[name].options.sent()}
    assert [agent.options.sent() for agent in scenario.agents] == [{**wanted, "num_ctx": 640}, wanted]


def test_a_number_of_blocks_in_a_higher_layer_withdraws_the_other_kind_below(tmp_path: Path) -> None:
    """--runs on the command line is no conflict with the file's max-runs, and the other way round; it is said."""
    found = layers(tmp_path, {"--runs": "3", "--server": "embedded"}, toml="max-runs = 20")
    assert read_settings(found).stopping == Stopping(3, fixed=True)
    assert source_lines(found.sources()) == ["runs = 3 (command line, over max-runs = 20 from settings.toml)"]
    found = layers(tmp_path, environ={"HARNESS_MAX_RUNS": "20"}, toml="runs = 3\nserver = 'embedded'")
    assert read_settings(found).stopping == Stopping(20)
    same = layers(tmp_path, toml="runs = 3\nmax-runs = 20\nserver = 'embedded'")
    with pytest.raises(ConfigurationError, match="give one of them"):
        read_settings(same)


URLS = 'collector-ollama-url = "http://127.0.0.1:1"\ninsight-ollama-url = "http://127.0.0.1:2"\n'


def test_a_kind_of_server_in_a_higher_layer_withdraws_the_urls_below(tmp_path: Path) -> None:
    """Also URLs a kind that starts servers; only `connect` stands beside URLs."""
    found = layers(tmp_path, {"--server": "embedded"}, toml=URLS)
    assert read_settings(found).selection.kind == "embedded"
    assert source_lines(found.sources()) == [
        "server = embedded (command line, over collector-ollama-url = http://127.0.0.1:1 from settings.toml, "
        "over insight-ollama-url = http://127.0.0.1:2 from settings.toml)"
    ]
    connected = read_settings(layers(tmp_path, {"--server": "connect"}, toml=URLS)).selection
    assert connected.urls == ("http://127.0.0.1:1", "http://127.0.0.1:2")
    urls = {"--collector-ollama-url": "http://127.0.0.1:3", "--insight-ollama-url": "http://127.0.0.1:4"}
    for kind in ("embedded", "connect"):
        selection = read_settings(layers(tmp_path, urls, {"HARNESS_SERVER": kind})).selection
        assert (selection.kind, selection.urls) == ("connect", tuple(urls.values()))
    several = layers(tmp_path, {"--url": ["http://127.0.0.1:5"]}, {"HARNESS_PORTS": "1,2", "HARNESS_PIN": "0,0"}, URLS)
    assert read_settings(several).selection.urls == ("http://127.0.0.1:5",)


def test_what_is_withdrawn_withdraws_nothing(tmp_path: Path) -> None:
    """A kind of server that does not count against URLs leaves a third layer's URL of their sort alone."""
    line = {"--url": ["http://127.0.0.1:1"]}
    found = layers(tmp_path, line, {"HARNESS_SERVER": "embedded"}, 'parallel-url = "http://127.0.0.1:3"')
    assert (found("--server"), found("--parallel-url")) == (None, "http://127.0.0.1:3")
    assert layers(tmp_path, {"--server": "embedded"}, toml='parallel-url = "x"')("--parallel-url") is None


def test_a_users_name_and_password_are_not_printed(tmp_path: Path) -> None:
    """The value has them, the line has not."""
    found = layers(tmp_path, environ={"HARNESS_COLLECTOR_OLLAMA_URL": "http://me:secret@host:1"})
    assert found("--collector-ollama-url") == "http://me:secret@host:1"
    assert source_lines(found.sources()) == [
        "collector-ollama-url = http://***@host:1 (environment HARNESS_COLLECTOR_OLLAMA_URL)"
    ]


def test_an_error_about_a_value_names_its_source(tmp_path: Path) -> None:
    """Each flag in the message that is not the command line's; the command line's needs no word."""
    found = layers(tmp_path, {"--seed": "x", "--runs": "1"}, {"HARNESS_PIN": "9"}, toml="max-runs = 1")
    assert found.explained("--pin '9': write") == "--pin '9': write (--pin from environment HARNESS_PIN)"
    assert found.explained("--seed 'x' is bad") == "--seed 'x' is bad"
    assert found.explained("--max-runs is withdrawn") == "--max-runs is withdrawn"
    found = layers(tmp_path, {"--ports": "1"}, {"HARNESS_PIN": "9"}, toml="seed = 1")
    assert found.explained("--ports, --pin, --seed") == (
        "--ports, --pin, --seed (--pin from environment HARNESS_PIN; --seed from settings.toml)"
    )


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("HARNESS_MAX_RUN", "HARNESS_MAX_RUNS"),
        ("HARNESS_CHIMERA_CTX", "HARNESS_CHIMERA_NUM_CTX"),
        ("HARNESS_SETTING", "HARNESS_SETTINGS"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest(name: str, nearest: str, tmp_path: Path) -> None:
    """A misspelt setting would be lost in silence."""
    assert refusal(tmp_path, {name: "1"}) == f"environment: '{name}' is unknown; the nearest is {nearest}"


def test_a_variable_that_resembles_nothing_is_refused_too(tmp_path: Path) -> None:
    """Some variable is always the nearest."""
    assert "'HARNESS_ZZZ' is unknown; the nearest is HARNESS_" in refusal(tmp_path, {"HARNESS_ZZZ": "1"})


def test_harness_ci_sets_variables_of_its_own(tmp_path: Path) -> None:
    """harness.io's builds have our prefix: there only what surely was meant for us is refused."""
    theirs = {f"HARNESS_{name}": "x" for name in HARNESS_CI}
    assert layers(tmp_path, environ={**theirs, "HARNESS_MAX_RUNS": "9"})("--max-runs") == "9"
    assert refusal(tmp_path, {**theirs, "HARNESS_MAX_RUN": "9"}).endswith("the nearest is HARNESS_MAX_RUNS")


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("max_runs = 1", "'max_runs' is unknown; the nearest is max-runs"),
        ("maxruns = 1", "'maxruns' is unknown; the nearest is max-runs"),
        ("settings = 'x'", "'settings' is unknown; the nearest is"),
        ("[chimera]\nnum-ctx = 1", "(there are no tables: write chimera-num-ctx = 1024)"),
        ("max-runs = true", "max-runs must be a text or a number, got True"),
        ("max-runs = [1]", "max-runs must be a text or a number, got [1]"),
        ("seed = 1979-05-27", "seed must be a text or a number, got datetime.date"),
        ("pull = 1", "pull is a switch: write true or false, got 1"),
        ("pull = 'true'", "pull is a switch: write true or false, got 'true'"),
        ("scenario = 1", 'scenario must be texts, ["...", "..."], got 1'),
        ("scenario = [1]", 'scenario must be texts, ["...", "..."], got [1]'),
        (
            "preset = 'prod'",
            "--preset 'prod' (settings.toml) is unknown; the nearest is production; choose from: maxim",
        ),
        ("max-runs =", "not valid TOML"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_that_names_the_file(toml: str, message: str, tmp_path: Path) -> None:
    """Unknown keys with the nearest one, wrong types with what to write, and what is no TOML."""
    said = refusal(tmp_path, toml=toml)
    assert message in said
    assert FILE in said


def test_a_switch_in_the_environment_takes_no_other_word(tmp_path: Path) -> None:
    """The message names the variable and the four words."""
    said = refusal(tmp_path, {"HARNESS_PULL": "yes"})
    assert said == "environment: HARNESS_PULL='yes' is a switch: write true, false, 1 or 0"


@pytest.mark.parametrize("kind", ["missing", "folder", "bytes", "no path"])
def test_a_file_that_cannot_be_read_is_named_with_who_named_it(kind: str, tmp_path: Path) -> None:
    """Not there, a folder, no UTF-8, or no path at all."""
    paths = {"missing": tmp_path / "m.toml", "folder": tmp_path, "bytes": tmp_path / "b.toml", "no path": "a\0b"}
    (tmp_path / "b.toml").write_bytes(b"model = '\xff'")
    with pytest.raises(ConfigurationError, match=r"\(environment HARNESS_SETTINGS\): cannot be read: ."):
        layered(dict[str, object]().get, {"HARNESS_SETTINGS": str(paths[kind])})


def test_an_unknown_preset_in_the_environment_is_refused(tmp_path: Path) -> None:
    """With its source and the nearest name."""
    said = refusal(tmp_path, {"HARNESS_PRESET": "maximize_throughput"})
    assert "(environment HARNESS_PRESET) is unknown; the nearest is maximise_throughput" in said
