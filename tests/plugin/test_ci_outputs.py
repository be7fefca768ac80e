"""One real session with every file for CI: written by pytest, read back as their consumers read them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from google.protobuf import json_format
from junitparser.xunit2 import JUnitXml, TestCase, TestSuite
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from harness.__main__ import main
from harness.report import OUTPUTS
from harness.servers.process import ServerProcess
from tests.plugin.conftest import INI, QUICK, run_foreign
from tests.report.exports.trace_format import problems

ServerPair = tuple[ServerProcess, ServerProcess]
OTHERS = ("--junitxml", "junit.xml", "--benchmark-json", "benchmark.json", "--journal", "j.jsonl", "--no-calibration")
BEFORE = "# an earlier step's line\n"


@pytest.fixture(scope="module")
def folder(running_pair: ServerPair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a session that wrote every file, in a GitHub Actions step."""
    path = tmp_path_factory.mktemp("ci")
    path.joinpath("step.md").write_text(BEFORE, "utf-8")
    files = [part for flag in OUTPUTS for part in (flag, flag.removeprefix("--"))]
    one, two = running_pair
    urls = ("--collector-ollama-url", one.spec.url, "--insight-ollama-url", two.spec.url, "--model", "embedded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GITHUB_STEP_SUMMARY", "step.md")
        result = run_foreign(path, *urls, *QUICK, *OTHERS, *files)
    assert "journal: " in result.stdout, result.stdout + result.stderr
    return path


def test_every_file_is_written_and_judging_again_writes_the_same(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`harness judge` has the same options, and makes the same bytes from the journal."""
    files = [part for flag in OUTPUTS for part in (flag, str(tmp_path / flag))]
    main(["judge", str(folder / "j.jsonl"), *files])
    capsys.readouterr()
    for flag in OUTPUTS:
        written = folder.joinpath(flag.removeprefix("--")).read_bytes()
        assert written, flag
        assert written == tmp_path.joinpath(flag).read_bytes(), flag


def test_a_real_session_is_read_back_by_consumers(folder: Path) -> None:
    """A valid trace; as many rows in both tables; metrics that a receiver of OTLP takes."""
    assert problems(folder.joinpath("trace-json").read_bytes()) == []
    with folder.joinpath("blocks-csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == pq.read_table(folder / "blocks-parquet").num_rows == 3 * 8  # a warm-up and two blocks
    parsed = json_format.Parse(folder.joinpath("otlp-json").read_bytes(), ExportMetricsServiceRequest())
    assert parsed.resource_metrics[0].scope_metrics[0].metrics


def test_the_step_summary_is_added_to_once(folder: Path) -> None:
    """The same Markdown as the file's, behind what stood there."""
    summary = folder.joinpath("summary-md").read_text("utf-8")
    assert folder.joinpath("step.md").read_text("utf-8") == f"{BEFORE}\n{summary}"


def properties(of: TestCase | TestSuite) -> dict[str, str]:
    """The properties of a suite or a case by name."""
    return {each.name: each.value for each in of.properties()}  # type: ignore[no-untyped-call]


def cases(folder: Path) -> tuple[TestSuite, dict[str, TestCase]]:
    """The suite and its cases as junitparser reads them, by name."""
    (suite,) = JUnitXml.fromfile(str(folder / "junit.xml"))
    assert isinstance(suite, TestSuite)
    return suite, {case.name: case for case in suite if isinstance(case, TestCase)}


def test_junit_has_properties_of_the_session_and_of_each_scenario(folder: Path) -> None:
    """junitparser reads them: model, seed and instrument of the suite; verdict, figures and gates of the case."""
    suite, found = cases(folder)
    shared = properties(suite)
    assert shared["model"] == "embedded"
    assert shared["instrument"] == "not calibrated"
    assert {"server_1", "server_2", "profile", "seed", "journal"} <= shared.keys()
    case = found["test_scenario[chimera_homo]"]
    own = properties(case)
    summary = json.loads(folder.joinpath("summary-json").read_text("utf-8"))["scenarios"]["chimera_homo"]
    assert own["verdict"] == summary["verdict"]
    if summary["verdict"] != "INVALID":
        assert float(own["slowdown"]) == summary["slowdown"]
        assert [float(own[f"slowdown{end}"]) for end in ("_low", "_high")] == summary["intervals"]["slowdown"]
        assert "gate.measured_speedup" in own
    root = ElementTree.parse(folder / "junit.xml").getroot()  # noqa: S314 - our own file
    assert len(root.findall(".//testcase/properties/property")) == len(own)


def test_github_action_benchmark_reads_pytest_benchmarks_file(folder: Path) -> None:
    """What its tool `pytest` takes of each benchmark: full name, operations per second, deviation, mean, rounds."""
    document: dict[str, Any] = json.loads(folder.joinpath("benchmark.json").read_text("utf-8"))
    (benchmark,) = document["benchmarks"]
    assert benchmark["fullname"] == "test_foreign.py::test_scenario[chimera_homo]"
    stats = benchmark["stats"]
    assert all(isinstance(stats[name], int | float) for name in ("ops", "stddev", "mean", "rounds"))
    assert stats["rounds"] == 2
    assert stats["ops"] == pytest.approx(1 / stats["mean"])
    summary = json.loads(folder.joinpath("summary-json").read_text("utf-8"))["scenarios"]["chimera_homo"]
    assert stats["mean"] == pytest.approx(summary["concurrent_wall_s"])
    assert benchmark["extra_info"]["verdict"] == summary["verdict"]


HOSTILE_TEST = """
from harness.report.exports.properties import scenario_properties, session_properties
from tests.report.exports.sessions import SESSIONS

def test_hostile(request, record_testsuite_property):
    judged = SESSIONS["hostile"]
    for name, value in session_properties(judged.session, judged.journal):
        record_testsuite_property(name, value)
    for scenario in judged.scenarios:
        request.node.user_properties.extend(scenario_properties(scenario, judged.journal))
"""


def test_junit_with_hostile_names_can_be_read(pytester: pytest.Pytester) -> None:
    """NUL, escapes and markup in a model's name and an agent's do not break the file."""
    pytester.makeini(INI)
    pytester.makepyfile(test_hostile=HOSTILE_TEST)
    pytester.runpytest_inprocess("--junitxml=junit.xml", "-p", "no:cacheprovider").assert_outcomes(passed=1)
    suite, found = cases(pytester.path)
    assert "<script>" in properties(suite)["model"]
    assert any(name.endswith("A.ttft_ms") for name in properties(found["test_hostile"]))
