"""Hypothesis strategies over records and streams."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from harness.records import AgentRun, Block, Chunk, ModelMemory, RequestRecord, Run, ServerDurations
from harness.records.resources import GpuUse, Resources, ServerUse
from harness.testing import done_line, text_line

INSTANTS = st.integers(0, 2**63 - 1)
NAMES = st.text(max_size=8)
REASONS = st.none() | st.text(max_size=20)


def _record(
    stamps: Sequence[tuple[int, int]],
    text: str,
    sent_ns: int,
    server: ServerDurations | None,
    error: str | None,
) -> RequestRecord:
    return RequestRecord(
        name=text[:3],
        nonce="12345678",
        asked_ns=sent_ns,
        sent_ns=sent_ns,
        ended_ns=sent_ns,
        connected=bool(stamps),
        token_ns=tuple(instant for instant, _ in stamps),
        token_chunk=tuple(index for _, index in stamps),
        text=text,
        done_reason=error,
        server=server,
        error=error,
    )


DURATIONS = st.builds(ServerDurations, *[INSTANTS] * 6)
REQUESTS = st.builds(
    _record, st.lists(st.tuples(INSTANTS, INSTANTS), max_size=3), NAMES, INSTANTS, st.none() | DURATIONS, REASONS
)
AGENT_RUNS = st.builds(
    AgentRun, NAMES, NAMES, INSTANTS, INSTANTS, INSTANTS, st.lists(REQUESTS, max_size=2).map(tuple), REASONS
)
_AGENTS = st.lists(AGENT_RUNS, max_size=2).map(tuple)
MEMORY = st.lists(st.builds(ModelMemory, NAMES, NAMES, INSTANTS, INSTANTS), max_size=2).map(tuple)
_FIGURE = st.none() | st.floats(0, 1e12)
_SERVER_USES = st.lists(st.builds(ServerUse, NAMES, _FIGURE, st.none() | INSTANTS, st.none() | INSTANTS), max_size=2)
_GPU_USES = st.lists(
    st.builds(GpuUse, NAMES, NAMES, _FIGURE, st.none() | INSTANTS, _FIGURE, _FIGURE, _FIGURE), max_size=1
)
RESOURCES = st.builds(Resources, st.integers(0, 100), _SERVER_USES.map(tuple), _GPU_USES.map(tuple))
RUNS = st.builds(
    Run, NAMES, INSTANTS, INSTANTS, _AGENTS, background=_AGENTS, memory=MEMORY, resources=st.none() | RESOURCES
)
BLOCKS = st.builds(
    Block,
    scenario=NAMES,
    index=st.integers(0, 1000),
    warmup=st.booleans(),
    order=st.lists(NAMES, max_size=3).map(tuple),
    runs=st.lists(RUNS, max_size=3).map(tuple),
    deadline_s=st.floats(0, 1e6),
    error=REASONS,
    memory=MEMORY,
    fallback=REASONS,
)
"""Arbitrary blocks, also ones that no server could give: whatever can be recorded can be stored."""

DURATION = st.integers(1, 10**12)
DURATION_LISTS = st.lists(DURATION, min_size=1, max_size=6)

_ODD_LINES = st.sampled_from(
    [b"\n", b" \n", b'{"error": "boom"}\n', b"not JSON\n", b"[]\n", b'{"response": 1}\n', b"\xff\n"]
)
STREAMS = st.builds(
    lambda lines, rest: b"".join(lines) + rest,
    st.lists(st.text(max_size=6).map(text_line) | st.just(done_line()) | _ODD_LINES, max_size=8),
    st.sampled_from([b"", b'{"response": "cut', done_line().rstrip()]),
)
"""Streams of whole, odd and broken lines, some of them cut short."""


def cut(data: bytes, places: Sequence[int]) -> list[Chunk]:
    """``data`` in reads that end at these places (modulo its length); read ``i`` came at ``10 i`` ns."""
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    starts = [0, *ends[:-1]]
    return [
        Chunk(index, 10 * index, data[first:last]) for index, (first, last) in enumerate(zip(starts, ends, strict=True))
    ]
