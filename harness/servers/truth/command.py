"""The options of ``python -m harness truth`` as a configuration: a file's, with single options over it."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from harness.records.errors import ConfigurationError
from harness.servers.truth.spec import (
    PHASES,
    Behaviour,
    DeviceSpec,
    Fault,
    ModelSpec,
    Timing,
    TruthConfig,
    decode_config,
)

_MIB = 2**20


def config_of(options: argparse.Namespace) -> TruthConfig:
    """What the options say.

    Raises:
        ConfigurationError: one of them is bad; the message says what to write.
    """
    config = decode_config(_read(options.config)) if options.config is not None else TruthConfig()
    changes: dict[str, Any] = {
        "behaviour": _behaviour(config.behaviour, options),
        "device": _device(config.device, options),
    }
    if options.model:
        changes["models"] = tuple(map(_model, options.model))
    if options.seed is not None:
        changes["seed"] = options.seed
    return replace(config, **changes)


def _behaviour(behaviour: Behaviour, options: argparse.Namespace) -> Behaviour:
    changes: dict[str, Any] = {"gaps": _gaps(behaviour.gaps, options)}
    if options.ttft_ms is not None:
        changes["ttft"] = Timing(ms=options.ttft_ms)
    if options.tokens is not None:
        changes["tokens"] = options.tokens
    if options.fault is not None:
        changes["fault"] = Fault(options.fault)
    if options.fault_after is not None:
        fault = changes.get("fault", behaviour.fault)
        if fault is None:
            raise ConfigurationError("--fault-after has no fault: write --fault KIND too")
        changes["fault"] = replace(fault, after=options.fault_after)
    return replace(behaviour, **changes)


def _gaps(gaps: Timing, options: argparse.Namespace) -> Timing:
    changes: dict[str, Any] = {}
    if options.gap_ms is not None:
        changes["ms"] = options.gap_ms
    if options.stall_ms is not None:
        changes |= {"kind": "stalls", "stall_ms": options.stall_ms}
    if options.stall_every is not None:
        changes |= {"kind": "stalls", "every": options.stall_every}
    if options.gaps is not None:
        changes["kind"] = options.gaps
    if options.trace is not None:
        changes |= {"kind": "trace", "trace_ms": _trace(options.trace)}
    return replace(gaps, **changes)


def _device(device: DeviceSpec, options: argparse.Namespace) -> DeviceSpec:
    given = {
        "pool_tok_s": options.pool_tok_s,
        "memory_bytes": None if options.memory_mib is None else round(options.memory_mib * _MIB),
        "load_ms": options.load_ms,
        "spill_slowdown": options.spill_slowdown,
        "slots": options.slots,
        "nodelay": False if options.no_nodelay else None,
        "interference": None if options.slowdown is None else _everywhere(options.slowdown),
    }
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return replace(device, **changes)


def _everywhere(slowdown: float) -> dict[str, dict[str, float]]:
    return {mine: dict.fromkeys(PHASES, slowdown) for mine in PHASES}


def _model(text: str) -> ModelSpec:
    name, equals, mib = text.partition("=")
    if not equals:
        return ModelSpec(name)
    try:
        return ModelSpec(name, round(float(mib) * _MIB))
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(f"--model {text}: write NAME or NAME=MIB, such as truth:latest=1024") from error


def _trace(path: Path) -> tuple[float, ...]:
    try:
        return msgspec.json.decode(_read(path), type=tuple[float, ...])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path}: {error}; write a JSON list of gaps in ms, such as [10, 12.5]") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}; write the path of a JSON file") from error
