"""Studies: questions that are answered by comparing arms of one block with each other, and the names of those arms."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from harness.records.session import CONCURRENT, solo_arm

DUAL = "dual"
SINGLE = "single"
SINGLE_PARALLEL = "single_parallel"
SEQUENTIAL = "sequential"
PATTERN_STUDIES = ("patterns", "patterns_hetero")
PATTERN_ARMS = (DUAL, SINGLE, SINGLE_PARALLEL, SEQUENTIAL)

ABSENT, IDLE, PREFILL, DECODE = "absent", "idle", "prefill", "decode"
CONTROL_KINDS = (ABSENT, IDLE, PREFILL, DECODE)

UNSAMPLED, UNDRAWN = "unsampled", "undrawn"
WITHOUT: Mapping[str, str] = {"sampling": UNSAMPLED, "drawing": UNDRAWN}
"""Studies of what the instrument itself costs: all agents at once as usual, and in this arm without it."""
SMALLER_CONTEXT = "smaller_context"
MORE_GPU_LAYERS = "more_gpu_layers"
STAGGERED = "staggered"
ONE_SERVER = "one_server"
LADDER = (SMALLER_CONTEXT, MORE_GPU_LAYERS, STAGGERED, ONE_SERVER)

MITIGATION = "mitigation:"
"""A scenario's ladder is the study of this name and the scenario's."""


def control_arm(kind: str, role: str) -> str:
    """Name of the arm in which the other agents are of this kind while ``role`` works."""
    return f"{kind}:{role}"


def together_arm(agents: int) -> str:
    """Name of the arm in which the first ``agents`` agents work at once."""
    return f"together:{agents}"


@dataclass(frozen=True, slots=True)
class Study:
    """A question about one scenario's agents.

    Attributes:
        name: Its name on the command line.
        title: The question.
        scenario: Whose agents do the work.
    """

    name: str
    title: str
    scenario: str


STUDIES: Mapping[str, Study] = {
    study.name: study
    for study in (
        Study("patterns", "two servers, or one: which finishes the same work first", "chimera_homo"),
        Study("patterns_hetero", "the same for agents whose options differ", "chimera_hetero"),
        Study("controls", "what the others' presence, prefill and decode cost each agent", "chimera_homo"),
        Study("scaling", "what each further agent gains", "chimera_homo"),
        Study("sampling", "what sampling the resources costs", "chimera_homo"),
        Study("drawing", "what drawing the live terminal costs", "chimera_homo"),
    )
}


def study_kind(name: str) -> str:
    """What a study of this name asks: what stands before the colon of ``patterns:mine``."""
    return name.partition(":")[0]


def study_of(name: str, scenarios: Collection[str]) -> Study | None:
    """The study of this name, or of one of their questions put to a scenario (``patterns:mine``); or None."""
    kind, _, scenario = name.partition(":")
    if kind not in STUDIES or scenario not in scenarios:
        return STUDIES.get(name)
    return Study(name, f"{STUDIES[kind].title} ({scenario})", scenario)


_TITLES: Mapping[str, str] = {
    DUAL: "a server for each agent",
    SINGLE: "one server, one request at a time",
    SINGLE_PARALLEL: "one server, a slot for each agent",
    SEQUENTIAL: "one server, one agent after the other",
    CONCURRENT: "all agents at once",
    UNSAMPLED: "all at once, resources not sampled",
    UNDRAWN: "all at once, nothing drawn",
    SMALLER_CONTEXT: "a smaller context",
    MORE_GPU_LAYERS: "more layers on the GPU",
    STAGGERED: "one agent starts after the other",
    ONE_SERVER: "one server for all agents",
}
_KINDS: Mapping[str, str] = {
    "solo": "{} alone",
    ABSENT: "{} while the others' models are not loaded",
    IDLE: "{} while the others' models are loaded and idle",
    PREFILL: "{} while the others prefill",
    DECODE: "{} while the others decode",
    "together": "the first {} agents at once",
}


def arm_title(arm: str) -> str:
    """An arm in words."""
    kind, colon, rest = arm.partition(":")
    return _KINDS[kind].format(rest) if colon and kind in _KINDS else _TITLES.get(arm, arm)


def study_title(name: str) -> str:
    """A study's question; a name that is no study's is its own title."""
    if name.startswith(MITIGATION):
        return f"what helps {name.removeprefix(MITIGATION)}"
    scenario = name.partition(":")[2]
    found = study_of(name, (scenario,) if scenario else ())
    return found.title if found else name


def together_sizes(agents: int) -> tuple[int, ...]:
    """How many agents work at once in the arms of ``scaling``: 2, 4, 8 ..., and all of them."""
    doubled = [2**power for power in range(1, agents.bit_length()) if 2**power < agents]
    return (*doubled, agents) if agents > 1 else ()


def arms_of(study: str, roles: Sequence[str]) -> tuple[str, ...]:
    """The arms of a study of these agents, in the order in which they are told; () if nobody knows it."""
    solos = tuple(solo_arm(role) for role in roles)
    kind = study_kind(study)
    if kind in PATTERN_STUDIES:
        return PATTERN_ARMS
    if kind == "controls":
        return tuple(control_arm(kind, role) for role in roles for kind in CONTROL_KINDS)
    if kind == "scaling":
        return (*solos, *(together_arm(size) for size in together_sizes(len(roles))))
    if kind in WITHOUT:
        return (*solos, CONCURRENT, WITHOUT[kind])
    return (*solos, CONCURRENT, *LADDER) if study.startswith(MITIGATION) else ()


def reference_of(study: str, arm: str) -> str | None:
    """The arm that an arm of a study is compared with; None if with none."""
    kind, colon, role = arm.partition(":")
    asked = study_kind(study)
    found: str | None = None
    if asked in PATTERN_STUDIES:
        found = DUAL
    elif asked == "controls" and colon:
        found = control_arm(ABSENT, role)
    elif asked in WITHOUT and arm == CONCURRENT:
        found = WITHOUT[asked]
    elif study.startswith(MITIGATION) and kind != "solo":
        found = CONCURRENT
    return None if found == arm else found
