"""The table of our command-line options. Values stay text here; ``options`` checks them, all in one place."""

from __future__ import annotations

import pytest

from harness.judge import COMPARED, COMPARED_BY_DEFAULT
from harness.scenarios import DEFAULT_MAX_RUNS, SCENARIOS, STUDIES
from harness.scenarios.options import OUTPUT_OPTIONS, REPEATED_TERMS_OPTIONS, TERMS_OPTIONS
from harness.scenarios.presets import PRESETS

DEFAULT_DEADLINE_S = 300.0
PREFLIGHTS = ("stop", "warn", "off")
STUDY_RUNS = 8
"""Blocks of a study, unless the user says otherwise."""

# (flag, metavar or None for a switch, help)
OPTIONS: tuple[tuple[str, str | None, str], ...] = (
    (
        "--scenario",
        "NAME",
        f"measure only this scenario; may be repeated. Known: {', '.join(SCENARIOS)}, and yours; "
        f"studies: {', '.join(STUDIES)}, and of another scenario as patterns:SCENARIO",
    ),
    (
        "--sweep",
        "SWEEP",
        "measure a grid of configurations in the order with the fewest reloads: tr110, a file.toml, or as "
        "'chimera_homo:num_ctx=512,1024;temperature=0.6,0.8'; may be repeated",
    ),
    ("--passes", "N", "spread the blocks of each cell of a sweep over N passes through the grid (default 1)"),
    ("--sweep-csv", "FILE", "write the table of a sweep as CSV"),
    (
        "--resume",
        "JOURNAL",
        "go on with a session that was cut short: blocks that its journal has are not repeated",
    ),
    ("--agents", "N", "agents of each scenario (default: its own): DataCollector, Insight, DataCollector-2, ..."),
    ("--stagger", "S", "in the concurrent run each agent starts S seconds after the one before it (default 0)"),
    ("--prompt-words", "ROLE=N", "put N words before each prompt of an agent; may be repeated"),
    (
        "--runs",
        "N",
        "measure exactly N blocks a scenario, the warm-up block not counted, and look once at the end "
        f"(studies: default {STUDY_RUNS})",
    ),
    (
        "--max-runs",
        "N",
        f"else measure until every verdict is decided, at most N blocks (default {DEFAULT_MAX_RUNS})",
    ),
    (
        "--model",
        "NAME",
        "model (default gemma3:latest on Ollama); `embedded` is made on the spot, on real Ollama too",
    ),
    ("--pull", None, "pull the model if a server lacks it"),
    (
        "--server",
        "KIND",
        "ollama, embedded, connect or a kind of yours (default: URLs given, else `ollama` on PATH, else embedded)",
    ),
    ("--servers", "N", "servers to start, or for --server connect Ollama's usual port and those after it (default 2)"),
    ("--url", "URL", "a server to connect to, never stopped; repeat it for each, the agents are dealt out to them"),
    ("--parallel-url", "URL", "one more to connect to, with OLLAMA_NUM_PARALLEL >= agents (for the study patterns)"),
    ("--collector-ollama-url", "URL", "server of the DataCollector; connect to it, never stop it"),
    ("--insight-ollama-url", "URL", "server of the Insight agent; connect to it, never stop it"),
    ("--ollama-bin", "PATH", "the `ollama` program to start servers with"),
    ("--ports", "P,P", "ports of started servers (default 11434,11435 for ollama, free ones for embedded)"),
    ("--free-ports", None, "take free ports where the wanted ones are in use"),
    ("--pin", "CPU,CPU", "pin started servers to CPUs, one each: 0,1 or 0-3,4-7; 0,0 puts both on one"),
    (
        "--num-thread",
        "N",
        "num_thread of every request; 0 sends none (default: cores / servers without a GPU)",
    ),
    (
        "--num-predict",
        "N",
        "tokens each request generates (default by profile: 128 gpu, 64 cpu, 24 embedded)",
    ),
    ("--max-concurrent", "N", "slots of the coordinator's semaphore (default: one for each agent)"),
    ("--block-deadline", "S", f"seconds a block, or a model's loading, may take (default {DEFAULT_DEADLINE_S:g})"),
    ("--seed", "N", "seed of the order of arms and of sampling (default: random, and printed)"),
    *TERMS_OPTIONS,
    (
        "--inconclusive",
        "pass|fail",
        "what an INCONCLUSIVE verdict does to its test (default pass, said loudly)",
    ),
    ("--base-url1", "URL", "compare with a base, pair by pair: the base's server of the DataCollector"),
    ("--base-url2", "URL", "the base's server of the Insight agent"),
    (
        "--base-ollama-bin",
        "PATH",
        "compare with servers of this other `ollama` program, started beside the candidate's",
    ),
    ("--base-server", "KIND", "compare with started servers of this kind: ollama, embedded or one of yours"),
    ("--base-model", "NAME", "compare with this model (on the candidate's servers, unless the base has its own)"),
    ("--base-option", "OPTION", "compare with this Ollama option, NAME=NUMBER (likewise); may be repeated"),
    (
        "--compare",
        "METRIC",
        f"what is compared with the base; may be repeated (default {', '.join(COMPARED_BY_DEFAULT)}). "
        f"Known: {', '.join(COMPARED)}",
    ),
    ("--baseline-save", "NAME", "add this session to the stored baseline NAME"),
    ("--baseline", "NAME", "compare this session's ratios with the sessions of the stored baseline NAME"),
    ("--baseline-dir", "DIR", "where stored baselines are (default perf/baselines)"),
    ("--baseline-allow", "FACT", "compare though this fact of the environment differs; may be repeated"),
    (
        "--preflight",
        "stop|warn|off",
        "what a failed item of the checklist does before anything is measured (default stop: nothing is measured)",
    ),
    ("--mitigate", None, "after a scenario that failed, try the guide's remedies on it and say what each bought"),
    ("--no-sampling", None, "do not sample the servers' and GPUs' resources during the runs"),
    (
        "--preset",
        "NAME",
        f"the tuned agents' options by the guide's strategy; --chimera-... goes over it. Known: {', '.join(PRESETS)}",
    ),
    (
        "--settings",
        "FILE",
        "a TOML file of options, without dashes in front: max-runs = 20; below the environment and the command line",
    ),
    (
        "--no-live",
        None,
        "do not draw the live terminal (drawn on a terminal only, and not with -q or in CI)",
    ),
    ("--no-calibration", None, "do not measure the instrument's own error first (about a second)"),
    ("--journal", "FILE", "journal of all raw timings (default: a new file in .perf/)"),
    *((flag, "FILE", text) for flag, text in OUTPUT_OPTIONS),
    ("--chimera-num-gpu", "N", "layers on the GPU, first tuned agent"),
    ("--chimera-num-ctx", "N", "context length"),
    ("--chimera-temperature", "T", "temperature"),
    ("--chimera-top-p", "P", "top_p"),
    ("--chimera-top-k", "K", "top_k"),
    ("--chimera-repeat-penalty", "R", "repeat_penalty"),
    ("--chimera2-num-gpu", "N", "the same for the second tuned agent"),
    ("--chimera2-num-ctx", "N", "context length"),
    ("--chimera2-temperature", "T", "temperature"),
    ("--chimera2-top-p", "P", "top_p"),
    ("--chimera2-top-k", "K", "top_k"),
    ("--chimera2-repeat-penalty", "R", "repeat_penalty"),
)
REPEATED = (
    "--scenario",
    "--sweep",
    "--prompt-words",
    "--url",
    *REPEATED_TERMS_OPTIONS,
    "--base-option",
    "--compare",
    "--baseline-allow",
)


def add_options(parser: pytest.Parser) -> None:
    """Registers every option in a group of its own."""
    group = parser.getgroup("concurrency", "concurrent LLM agents on Ollama servers")
    for flag, metavar, text in OPTIONS:
        if metavar is None:
            group.addoption(flag, action="store_true", default=False, help=text)
        else:
            action = "append" if flag in REPEATED else "store"
            group.addoption(flag, action=action, default=None, metavar=metavar, help=text)
