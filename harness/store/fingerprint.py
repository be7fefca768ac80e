"""What a session's ratios depend on besides the code under test, as facts by name; and where two sessions differ in it.

Left out, because they change no ratio: host name, URLs and ports, command line, times, sizes of host memory (that a
model does not fit shows in ``model_in_gpu``), the number of blocks (a session of few says so by its own scatter), and
the seed of sampling (random by default; what it changes is part of how much sessions differ). The Python and the
libraries of the measuring process are left out for Ollama: what they cost is calibrated in every session.

What cannot be known is not compared: hardware behind a URL on another host, and the environment of an Ollama server
that we did not start.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from harness.protocol import normalized_model
from harness.records import ServerInfo, Session
from harness.records.baseline import Baseline, Difference
from harness.records.errors import ConfigurationError

HARNESS = "ollama-concurrency-harness"
_OPTIONS = "options."
_NONE = "none"
_SERIES = re.compile(r"(\w+)-(\d+(?:\.\d+)?)")
_MACHINE = re.compile(r"x86_64|amd64|aarch64|arm64|ppc64le|riscv64|s390x|loongarch64", re.IGNORECASE)


def fingerprint(session: Session) -> dict[str, str]:
    """The facts that ratios depend on, by name, as text; where servers differ, one after the other in their order."""
    environment, servers = session.environment, session.servers
    facts = {
        # What is computed: other weights, another engine or another part of the model on the GPU are another program.
        "model": normalized_model(session.model),
        "model_digest": _each(info.model_digest for info in servers),
        "model_in_gpu": _each(_in_gpu(info) for info in servers),
        "server_kind": _each(info.kind for info in servers),
        "server_version": _each(info.version for info in servers),
        # Where: one server shares more than two do, and servers on other hosts do not share these cores.
        "servers": _places(servers),
        "pinned_cpus": _each(",".join(map(str, info.cpus or ())) or _NONE for info in servers),
        "gpus": "; ".join(_gpu(line)[0] for line in environment.gpus) or _NONE,
        # How a GPU and cores are shared out is the driver's and the kernel's business: its series, not its build.
        "gpu_driver": _each(_gpu(line)[1] for line in environment.gpus) or _NONE,
        "platform": _platform(environment.platform),
        "cpu": environment.cpu,
        "cores": str(environment.cores),
        # What is asked: prompts, formulas and defaults may change with a minor version of this package.
        "harness": _minor(environment.versions.get(HARNESS, "unknown")),
        "profile": session.profile,
        "max_concurrent": str(session.max_concurrent),
    }
    # What started Ollama servers are told beside our own (flash attention, type of the KV cache).
    facts |= {name: text for name, text in session.settings.items() if name.startswith("OLLAMA_")}
    if any(info.kind == "embedded" for info in servers):  # there Python serves every token, and the engine is a package
        facts["xllamacpp"] = environment.versions.get("xllamacpp", "unknown")
        facts["python"] = _minor(environment.versions.get("python", "unknown"))
    for scenario, roles in session.options.items():  # num_predict and num_thread are among them
        for role, options in roles.items():
            sent = (f"{name}={options[name]:.15g}" for name in sorted(options) if name != "seed")
            facts[f"{_OPTIONS}{scenario}.{role}"] = " ".join(sent) or _NONE
    return facts


def differences(stored: Mapping[str, str], now: Mapping[str, str]) -> tuple[Difference, ...]:
    """Facts that differ, or that one side lacks; the options of a scenario that only one side has are none of them."""
    shared = {_scenario(name) for name in stored} & {_scenario(name) for name in now}
    return tuple(
        Difference(name, stored.get(name, _NONE), now.get(name, _NONE))
        for name in dict.fromkeys((*stored, *now))
        if not name.startswith(_OPTIONS) or _scenario(name) in shared
        if stored.get(name) != now.get(name)
    )


def require_same_environment(
    baseline: Baseline, environment: Mapping[str, str], allowed: Sequence[str] = ()
) -> tuple[Difference, ...]:
    """The differences between a baseline's environment and this one's, every one of them allowed by name.

    Raises:
        ConfigurationError: If one is not (all such are listed, one a line), or if an allowed name is no known fact.
    """
    known = tuple(dict.fromkeys((*baseline.environment, *environment)))
    for name in allowed:
        if name not in known:
            raise ConfigurationError(f"--baseline-allow {name!r} is unknown; choose from: {', '.join(known)}")
    different = differences(baseline.environment, environment)
    refused = tuple(each for each in different if each.name not in allowed)
    if refused:
        names = ",".join(dict.fromkeys((*allowed, *(each.name for each in refused))))
        raise ConfigurationError(
            f"baseline {baseline.name!r} is of another environment, and nothing is compared: measure in that one, save "
            f"a baseline of this one under another name, or allow the differences with --baseline-allow {names}\n"
            f"{difference_lines(refused)}"
        )
    return different


def difference_lines(different: Sequence[Difference]) -> str:
    """The differences, one a line."""
    return "\n".join(f"  {each.name}: stored {each.stored}, now {each.now}" for each in different)


def _scenario(name: str) -> str:
    """The scenario of a fact about options, with what stands before it; empty for another fact."""
    return name.rpartition(".")[0] if name.startswith(_OPTIONS) else ""


def _each(values: Iterable[str]) -> str:
    """The value that all share, or all of them in order."""
    found = list(values)
    return "; ".join(found[:1] if len(set(found)) == 1 else found)


def _in_gpu(info: ServerInfo) -> str:
    return f"{100 * info.size_vram / info.size:.0f} %" if info.size > 0 else "unknown"


def _places(servers: Sequence[ServerInfo]) -> str:
    """How many servers there are (one that has several agents counts once), and whether they are on this host."""
    urls = {info.url for info in servers}
    hosts = [urlsplit(url).hostname or "" for url in urls]
    here = sum(host in ("localhost", "::1") or host.startswith("127.") for host in hosts)
    return f"{len(urls)}, {'all' if here == len(urls) else here or _NONE} of them on this host"


def _gpu(line: str) -> tuple[str, str]:
    """Name with memory, and driver, of a line ``name, driver, memory``."""
    parts = line.rsplit(", ", 2)
    if len(parts) != 3:  # noqa: PLR2004 - not a line of ours: kept as it is
        return line, "unknown"
    name, driver, memory = parts
    return f"{name}, {memory}", driver


def _minor(version: str) -> str:
    """The first two numbers of a version."""
    return ".".join(version.split(".")[:2])


def _platform(text: str) -> str:
    """System, the first two numbers of its release, and the machine; the whole text where it has no such parts."""
    series, machines = _SERIES.match(text), _MACHINE.findall(text)  # a distribution's flavour may be named like one
    return f"{series[1]} {series[2]} {machines[-1]}" if series and machines else text
