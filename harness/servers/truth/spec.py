"""What the ground-truth server is told to do: timings, faults, the virtual device, the models. Pure data, checked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from harness.records.errors import ConfigurationError
from harness.servers.embedded.names import canonical_name

READY = "truth server ready on "
"""Begins the line that the process writes to standard error when it answers; its URLs follow."""
NS_PER_MS = 1_000_000
MIN_GAP_MS = 0.02
"""A token takes the server about as long to send: without this a stream of no gaps would be all that it does."""
PHASES = ("prefill", "decode", "load")
SHAPES = ("packed_lines", "split_lines", "merged_chunks", "empty_first", "early_headers", "last_with_done")
STRIKES = (
    *("error_line", "no_done", "broken_json", "broken_utf8", "long_line"),
    *("stall", "reset", "silent_death"),
)
STATUSES = {"status_400": 400, "status_404": 404, "status_500": 500, "status_503": 503}
SLOW_LOAD = "slow_load"
FAULTS = (*SHAPES, *STRIKES, *STATUSES, SLOW_LOAD)
"""Kinds of faults.

In how lines are written: ``packed_lines`` two in a write and chunk; ``merged_chunks`` two chunks in a write;
``split_lines`` each in two writes; ``empty_first`` a first line without text, when the prefill begins;
``early_headers`` the head at arrival; ``last_with_done`` the last token and the done line in one write.
After ``Fault.after`` tokens: ``error_line`` a bare error, then a proper end; ``broken_json`` and ``broken_utf8`` a bad
line between good ones; ``long_line`` a token of 10 MB; ``stall`` nothing more until the client leaves; ``reset`` an
RST; ``silent_death`` the end of the connection without the last chunk. At the end: ``no_done`` no done line.
Instead of an answer: ``status_...`` that status. Before it: ``slow_load`` a cold load takes 100 times as long.
"""


def _require(holds: bool, problem: str, wanted: str) -> None:
    if not holds:
        raise ConfigurationError(f"{problem}: write {wanted}")


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations of one kind, ms.

    Attributes:
        kind: How they are drawn.
        ms: ``fixed``: the value; ``exponential``: the mean; ``stalls``: a duration without its stall.
        stall_ms: ``stalls``: added to the last of every ``every`` durations.
        every: See ``stall_ms``.
        trace_ms: ``trace``: replayed in order, from the start again when used up.
    """

    kind: Literal["fixed", "exponential", "stalls", "trace"] = "fixed"
    ms: float = 10.0
    stall_ms: float = 0.0
    every: int = 32
    trace_ms: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Checks the ranges."""
        for name, value in (("ms", self.ms), ("stall_ms", self.stall_ms), *(("trace_ms", ms) for ms in self.trace_ms)):
            _require(math.isfinite(value) and value >= 0, f"{name} is {value}", "a duration of 0 ms or more")
        _require(self.every >= 1, f"every is {self.every}", "1 or more")
        _require(self.kind != "trace" or bool(self.trace_ms), "trace_ms is empty", "at least one duration in ms")

    @property
    def mean_ms(self) -> float:
        """Their mean, ms."""
        if self.kind == "stalls":
            return self.ms + self.stall_ms / self.every
        if self.kind == "trace":
            return math.fsum(self.trace_ms) / len(self.trace_ms)
        return self.ms


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that a server does to its client.

    Attributes:
        kind: One of ``FAULTS``.
        after: Tokens sent before it strikes, where that has a meaning; in a shorter answer it strikes at the end.
    """

    kind: str
    after: int = 3

    def __post_init__(self) -> None:
        """Checks the ranges."""
        _require(self.kind in FAULTS, f"fault kind {self.kind!r} is unknown", f"one of {', '.join(FAULTS)}")
        _require(self.after >= 0, f"after is {self.after}", "a number of tokens, 0 or more")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one request is answered.

    Attributes:
        ttft: Prefill: from the grant of a slot to the first token, when alone on the device.
        gaps: Decode: work of each further token, when alone; one below ``MIN_GAP_MS`` counts as that.
        tokens: How many; None: the request's ``num_predict``, or 128 if it has none.
        fault: What goes wrong, or None.
    """

    ttft: Timing = Timing(ms=50.0)
    gaps: Timing = Timing(ms=10.0)
    tokens: int | None = None
    fault: Fault | None = None

    def __post_init__(self) -> None:
        """Checks the ranges."""
        _require(self.tokens is None or self.tokens >= 0, f"tokens is {self.tokens}", "0 or more, or nothing")


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """The one virtual device that all ports share.

    Attributes:
        pool_tok_s: Tokens a second that all decoding requests share; None: no limit.
        interference: ``interference["decode"]["prefill"] = 1.5``: a decoding request runs 1.5 times slower while any
            OTHER request, on any port, is in prefill. Phases: ``PHASES``. Of several the strongest holds.
        memory_bytes: For loaded models; None: no limit.
        load_ms: A cold load of a model.
        spill_slowdown: Factor on prefill and decode of a model that is wholly outside the memory; linear in the share.
        slots: Requests that a port works on at once; 0: no limit. Others queue.
        nodelay: TCP_NODELAY on accepted connections.
    """

    pool_tok_s: float | None = None
    interference: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    memory_bytes: int | None = None
    load_ms: float = 0.0
    spill_slowdown: float = 1.0
    slots: int = 0
    nodelay: bool = True

    def __post_init__(self) -> None:
        """Checks the ranges."""
        pool = self.pool_tok_s
        _require(pool is None or 0 < pool < math.inf, f"pool_tok_s is {pool}", "a rate above 0, or nothing")
        _require(
            self.memory_bytes is None or self.memory_bytes >= 0, "memory_bytes is negative", "0 or more, or nothing"
        )
        _require(0 <= self.load_ms < math.inf, f"load_ms is {self.load_ms}", "a duration of 0 ms or more")
        _require(1 <= self.spill_slowdown < math.inf, f"spill_slowdown is {self.spill_slowdown}", "1 or more")
        _require(self.slots >= 0, f"slots is {self.slots}", "0 (no limit) or more")
        for mine, row in self.interference.items():
            for theirs, factor in row.items():
                for phase in (mine, theirs):
                    _require(phase in PHASES, f"interference names {phase!r}", f"phases out of {', '.join(PHASES)}")
                _require(1 <= factor < math.inf, f"interference {mine}/{theirs} is {factor}", "1 or more")


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model that every port has: its name with tag, and the bytes it takes when loaded."""

    name: str = "truth:latest"
    size_bytes: int = 2**30

    def __post_init__(self) -> None:
        """Checks the ranges."""
        _require(bool(canonical_name(self.name)), f"{self.name!r} is no model name", "one such as truth:latest")
        _require(self.size_bytes >= 1, f"size_bytes of {self.name} is {self.size_bytes}", "1 or more")


@dataclass(frozen=True, slots=True)
class TruthConfig:
    """Everything about a ground-truth server.

    Attributes:
        behaviour: Of every request ...
        by_port: ... but of these ports; the key is the POSITION of the port: 0, 1, ...
        script: ... and the next requests with a prompt get these, in order of arrival, each used once.
        device: What all ports share.
        models: What every port has.
        seed: Of everything drawn.
    """

    behaviour: Behaviour = Behaviour()
    by_port: Mapping[int, Behaviour] = field(default_factory=dict)
    script: tuple[Behaviour, ...] = ()
    device: DeviceSpec = DeviceSpec()
    models: tuple[ModelSpec, ...] = (ModelSpec(),)
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks what its parts cannot check alone."""
        _require(bool(self.models), "models is empty", "at least one model")
        _require(
            all(position >= 0 for position in self.by_port), "by_port is negative", "positions of ports: 0, 1, ..."
        )


def decode_config(data: bytes) -> TruthConfig:
    """A configuration from JSON.

    Raises:
        ConfigurationError: it is no JSON, or a field is unknown or bad; the message names the field.
    """
    try:
        raw = msgspec.json.decode(data)
        config = msgspec.convert(raw, TruthConfig, str_keys=True)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"this is no truth configuration: {error}") from error
    unknown = next(_unknown_fields(raw, msgspec.to_builtins(config, str_keys=True), ""), None)
    if unknown is not None:
        raise ConfigurationError(f"this is no truth configuration: there is no field {unknown}; leave it out")
    return config


def encode_config(config: TruthConfig) -> bytes:
    """A configuration as JSON."""
    return msgspec.json.encode(config)


def _unknown_fields(raw: object, known: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(raw, Mapping):
        for name, value in raw.items():
            place = f"{path}.{name}" if path else str(name)
            if name in known:
                yield from _unknown_fields(value, known[name], place)
            else:
                yield place
    elif isinstance(raw, Sequence) and not isinstance(raw, str):
        for index, (value, other) in enumerate(zip(raw, known, strict=True)):
            yield from _unknown_fields(value, other, f"{path}[{index}]")
