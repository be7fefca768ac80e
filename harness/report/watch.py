"""A round of ``harness watch`` in words: plain lines, JSON, and what ended it."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from harness.judge.location import Location
from harness.judge.solo_window import ProbeFigures
from harness.judge.watch import Fired, JudgedRound, JudgedServer
from harness.records.watch import GpuLook, HeldModel, WatchRound
from harness.report.text import printable

_NS = 1e9
_HUNDRED = 100.0
_MIB, _GIB = 2**20, 2**30
_YEAR_S = 365 * 86400.0
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


def unix_ns(made: WatchRound, at_ns: int) -> int:
    """An instant of the monotonic clock on the wall clock, ns."""
    return made.unix_ns + at_ns - made.started_ns


def clock_time(made: WatchRound, at_ns: int) -> str:
    """An instant as a time of day where this runs, with its date if it is long ago."""
    past = (made.ended_ns - at_ns) / _NS >= _DAY_S
    shape = "%Y-%m-%d %H:%M" if past else "%H:%M:%S"
    return datetime.fromtimestamp(unix_ns(made, at_ns) / _NS, UTC).astimezone().strftime(shape)


def memory(size: int) -> str:
    """Bytes in words."""
    return f"{size / _GIB:.1f} GiB" if size >= _GIB else f"{size / _MIB:.0f} MiB"


def length(seconds: float) -> str:
    """A duration in words."""
    if seconds < _MINUTE_S:
        return f"{int(seconds)} s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S:.0f} min {int(seconds % _MINUTE_S)} s"
    if seconds < _YEAR_S:
        return f"{seconds // _HOUR_S:.0f} h {int(seconds % _HOUR_S // _MINUTE_S)} min"
    return "years"


def symptom_words(fired: Fired) -> str:
    """A symptom in words, without where and since when."""
    value, limit, subject = fired.value or 0.0, fired.limit or 0.0, printable(fired.subject)
    return {
        "down": "does not answer",
        "failing": f"a probe failed: {subject}",
        "evicted": f"{subject} went before its time",
        "spilled": f"{subject} has lost {value:.0f} % of what it had in GPU memory (limit {limit:g} %)",
        "queue": f"a probe waited {value:.1f} s for a slot (limit {limit:g} s)",
        "ttft": f"TTFT together is {value:.1f} s over alone (limit {limit:g} s)",
        "throughput": f"throughput together is {value:.0f} % below alone (limit {limit:g} %)",
        "efficiency": f"efficiency together is {value:.0f} % (limit {limit:g} %)",
    }[fired.rule]


def place(fired: Fired) -> str:
    """Where a symptom fires."""
    return "all servers" if fired.url is None else printable(fired.url)


def fired_line(judged: JudgedRound, fired: Fired) -> str:
    """A symptom in one line: which, where, since when and for how long."""
    made = judged.made
    held_s = (made.ended_ns - fired.since_ns) / _NS
    since = f"since {clock_time(made, fired.since_ns)} ({length(held_s)})"
    return f"{fired.rule}: {place(fired)}: {symptom_words(fired)}, {since}"


def model_words(model: HeldModel, now_ns: int) -> str:
    """A loaded model: its sizes, its context and how long it has left."""
    if model.expires_ns is None:
        left = "expiry unknown"
    else:
        seconds = (model.expires_ns - now_ns) / _NS
        left = "kept for ever" if seconds >= _YEAR_S else f"expires in {length(max(0.0, seconds))}"
    on_gpu = f"{memory(model.size_vram)} of it in GPU memory" if model.size_vram else "none of it in GPU memory"
    return f"{printable(model.name)}, {memory(model.size)}, {on_gpu}, context {model.context_length}, {left}"


def tree_words(server: JudgedServer) -> str:
    """What a server's processes use."""
    tree = server.look.tree
    if tree is None:
        return "processes cannot be seen from here"
    count = f"{len(tree.pids)} process" + ("es" if len(tree.pids) > 1 else "")
    cores = "" if server.cores is None else f", {server.cores:.2f} cores"
    gpu = "" if tree.gpu_bytes is None else f", {memory(tree.gpu_bytes)} of GPU memory"
    return f"{count}, {memory(tree.rss_bytes)}{cores}{gpu}"


def figures_words(figures: ProbeFigures | None) -> str:
    """A probe's throughput and TTFT."""
    return "-" if figures is None else f"{figures.tok_s:.1f} tok/s, TTFT {_seconds(figures.ttft_s)}"


def probe_words(server: JudgedServer) -> str:
    """What a server's probes of a round showed, or why there were none."""
    if server.target is None:
        return f"not probed: {printable(server.unprobed or '')}"
    parts = [f"alone {figures_words(server.alone)}", f"together {figures_words(server.together)}"]
    if server.queue_s is not None:
        parts.append(f"queue {_seconds(max(0.0, server.queue_s))}")
    if server.unprobed is not None:
        parts.append(printable(server.unprobed))
    return "; ".join(parts)


def reference_words(server: JudgedServer) -> str:
    """What a server does alone, with the interval of the median."""
    found = server.reference
    if found is None:
        return f"none yet ({server.clean} rounds)"
    low, high = (_seconds(end) for end in (found.ttft_s.low, found.ttft_s.high))
    rate = found.tok_s
    return (
        f"{rate.median:.1f} tok/s ({rate.low:.1f} to {rate.high:.1f}), TTFT {_seconds(found.ttft_s.median)} "
        f"({low} to {high}), {rate.n} rounds"
    )


_COMPARED = {
    "ttft": "TTFT {value:+.2f} s over alone ({beyond} beyond {limit:g} s)",
    "throughput": "throughput {value:.0f} % below alone ({beyond} beyond {limit:g} %)",
    "efficiency": "efficiency {value:.0f} % ({beyond} below {limit:g} %)",
}


def compared_words(judged: JudgedRound, url: str | None) -> str:
    """Together against alone for a server, or for all together (None); empty if that cannot be said."""
    return ", ".join(
        _COMPARED[each.rule].format(
            value=each.value, limit=each.limit, beyond=f"{sum(each.beyond)} of {len(each.beyond)} rounds"
        )
        for each in judged.comparisons
        if each.url == url
    )


def progress_words(judged: JudgedRound) -> str:
    """How far a watch is, and what its probes have cost so far."""
    made = judged.made
    cost = f", {_HUNDRED * judged.share:.1f} % of the time in probes so far" if judged.share else ""
    return f"round {made.index} at {clock_time(made, made.ended_ns)}{cost}"


def contention_words(judged: JudgedRound) -> str:
    """Together against alone for all servers together, or why nothing can be said."""
    if judged.comparisons:
        return f"together: {compared_words(judged, None)}"
    return f"contention cannot be judged: {printable(judged.unsaid or '')}"


def gpu_words(gpu: GpuLook) -> str:
    """A GPU's memory, load and power."""
    used = "?" if gpu.used is None else memory(gpu.used)
    total = "?" if gpu.total is None else memory(gpu.total)
    load = "" if gpu.utilization_pct is None else f", {gpu.utilization_pct} % busy"
    power = "" if gpu.power_w is None else f", {gpu.power_w:.0f} W"
    return f"{printable(gpu.name)}: {used} of {total}{load}{power}"


def watch_lines(judged: JudgedRound) -> list[str]:
    """A line for each server and GPU, one about all servers together, and one for each symptom."""
    made = judged.made
    head = f"{clock_time(made, made.ended_ns)} round {made.index}"
    lines = []
    for server in judged.servers:
        up = server.look.trouble is None
        since = f"{'up' if up else 'DOWN'} since {clock_time(made, server.since_ns)}"
        parts = [f"{head} {printable(server.look.url)} {since}"]
        if up:
            parts += [f"version {printable(server.look.version)}"]
            parts += [model_words(model, made.unix_ns) for model in server.look.models] or ["no model loaded"]
            parts += [tree_words(server), probe_words(server)]
            compared = compared_words(judged, server.look.url)
            parts += [f"together {compared}"] if compared else []
            parts += [f"others: {', '.join(map(printable, server.others))}"] if server.others else []
        else:
            parts.append(printable(server.look.trouble or ""))
        lines.append("; ".join(parts))
    lines += [f"{head} GPU {gpu_words(gpu)}" for gpu in made.gpus]
    lines.append(f"{head} {contention_words(judged)}")
    lines += [f"{head} SYMPTOM {fired_line(judged, fired)}" for fired in judged.fired]
    return lines


def watch_json(judged: JudgedRound) -> str:
    """A round as one line of JSON; times as Unix seconds, durations in s, sizes in bytes."""
    made = judged.made
    document = {
        "round": made.index,
        "at": unix_ns(made, made.ended_ns) / _NS,
        "probe_share": judged.share,
        "servers": [_server_json(judged, server) for server in judged.servers],
        "gpus": made.gpus,
        "comparisons": [
            {"rule": each.rule, "url": each.url, "value": each.value, "limit": each.limit, "beyond": each.beyond}
            for each in judged.comparisons
        ],
        "contention_unsaid": judged.unsaid,
        "symptoms": [fired_json(judged, fired) for fired in judged.fired],
    }
    return msgspec.json.encode(document).decode()


def fired_json(judged: JudgedRound, fired: Fired) -> dict[str, object]:
    """A symptom for programs."""
    return {
        "rule": fired.rule,
        "url": fired.url,
        "subject": fired.subject,
        "value": fired.value,
        "limit": fired.limit,
        "since": unix_ns(judged.made, fired.since_ns) / _NS,
        "held_s": (judged.made.ended_ns - fired.since_ns) / _NS,
    }


def _server_json(judged: JudgedRound, server: JudgedServer) -> dict[str, object]:
    look, reference = server.look, server.reference
    return {
        "url": look.url,
        "up": look.trouble is None,
        "since": unix_ns(judged.made, server.since_ns) / _NS,
        "trouble": look.trouble,
        "version": look.version,
        "models": look.models,
        "processes": look.tree,
        "cores": server.cores,
        "probed": None if server.target is None else server.target.model,
        "unprobed": server.unprobed,
        "alone": server.alone,
        "together": server.together,
        "queue_s": server.queue_s,
        "solo": None if reference is None else _reference_json(reference.ttft_s, reference.tok_s),
        "solo_rounds": server.clean,
        "others": server.others,
    }


def _reference_json(ttft_s: Location, tok_s: Location) -> dict[str, object]:
    return {"ttft_s": ttft_s, "tok_s": tok_s}


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
