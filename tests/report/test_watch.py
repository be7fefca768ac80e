"""A round of a watch as plain lines, as JSON, and on a screen."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from rich.console import Console

from harness.judge.watch import Fired, JudgedRound, RoundJudge
from harness.records.watch import GpuLook, TreeLook, WatchRound
from harness.report.watch import clock_time, fired_line, length, symptom_words, watch_json, watch_lines
from harness.report.watch_screen import watch_screen
from harness.scenarios.watching import SYMPTOMS, WatchRules
from tests.judge.watch_rounds import MODEL, NOW_NS, A, B, a_round, judge_all

HOSTILE = "\x1b[2J\x1b]0;title\x07<script>[bold red]evil[/]\u202e\n\x00|"
DAY_MS = 86_400_000


def _last(rounds: Sequence[WatchRound]) -> JudgedRound:
    return judge_all(RoundJudge(WatchRules()), rounds)[-1]


def _calm(count: int = 8) -> list[WatchRound]:
    return [a_round(i) for i in range(1, count + 1)]


def _screen(judged: JudgedRound, width: int = 120) -> str:
    output = io.StringIO()
    console = Console(file=output, width=width, highlight=False, force_terminal=False, legacy_windows=False)
    console.print(watch_screen(judged, ["header"]))
    return output.getvalue()


def _hostile() -> JudgedRound:
    """Everything that a server can say, said by one that means no good; one server is down, one model has gone."""
    model = replace(MODEL, name=HOSTILE, expires_at=HOSTILE)
    first = a_round(1, models=[model])
    second = a_round(2, models=[model], down=[B])
    up, down = second.before
    before = (
        replace(up, version=HOSTILE, models=(replace(model, name=f"{HOSTILE}2"),)),
        replace(down, trouble=HOSTILE),
    )
    gpus = (GpuLook("GPU-1", HOSTILE, 100, 50, 10, 99.0),)
    return _last([first, replace(second, before=before, unprobed={A: HOSTILE}, gpus=gpus, probes=())])


def test_a_line_a_server_and_one_about_all() -> None:
    """Each begins with the time and the round, and holds all that is known of it."""
    judged = _last(_calm())
    one, two, both = watch_lines(judged)
    head = f"{clock_time(judged.made, judged.made.ended_ns)} round 8 "
    assert all(line.startswith(head) for line in (one, two, both))
    assert A in one
    assert B in two
    for words in (
        "version 0.24.0; m:latest, 0 MiB, 0 MiB of it in GPU memory, context 4096, expires in 277 h 46 min",
        "alone 10.0 tok/s, TTFT 100 ms; together 10.0 tok/s, TTFT 100 ms; queue 0 ms",
        "together TTFT +0.00 s over alone (0 of 5 rounds beyond 10 s), throughput 0 % below alone",
        "processes cannot be seen from here",
    ):
        assert words in one
    assert both.endswith("together: efficiency 100 % (0 of 5 rounds below 80 %)")


def test_what_fires_has_a_line_of_its_own() -> None:
    """Which, where, since when; and a server that is down says why."""
    lines = watch_lines(_last([*_calm(), a_round(9, down=[B]), a_round(10, down=[B])]))
    assert "DOWN since" in lines[1]
    assert lines[1].endswith("; gone")
    assert lines[2].endswith("contention cannot be judged: 1 of 2 servers can be probed, and contention takes two")
    assert f"SYMPTOM down: {B}: does not answer, since " in lines[3]
    assert lines[3].endswith("(5 s)")


@pytest.mark.parametrize("rule", SYMPTOMS)
def test_every_symptom_has_words(rule: str) -> None:
    """With its figure and its limit, where it has them."""
    words = symptom_words(Fired(rule, A, 0, 33.0, 20.0, "a subject"))
    assert words
    assert ("33" in words) == ("20" in words)


def test_processes_and_gpus_are_told() -> None:
    """Of those that can be seen: memory, cores, load and power."""
    made = a_round(1)
    tree = TreeLook(1.0, 3 * 2**30, (1, 2), 2**30, NOW_NS - DAY_MS * 10**6)
    gpus = (GpuLook("GPU-1", "H100", 80 * 2**30, 20 * 2**30, 93, 310.4), GpuLook("GPU-2", "?"))
    judged = _last([replace(made, before=tuple(replace(each, tree=tree) for each in made.before), gpus=gpus)])
    lines = watch_lines(judged)
    assert "2 processes, 3.0 GiB, 1.0 GiB of GPU memory" in lines[0]
    assert lines[2].endswith("GPU H100: 20.0 GiB of 80.0 GiB, 93 % busy, 310 W")
    assert lines[3].endswith("GPU ?: ? of ?")
    assert "-" in lines[0].partition("up since ")[2][:10], "a start long ago has its date"
    assert "H100: 20.0 GiB of 80.0 GiB" in _screen(judged)


def test_json_is_one_line_with_everything() -> None:
    """Times on the wall clock, sizes in bytes, symptoms with how long they have held."""
    slow = [a_round(i, together_ms=2000.0) for i in range(9, 15)]
    text = watch_json(_last([*_calm(), *slow]))
    assert "\n" not in text
    document = json.loads(text)
    assert document["round"] == 14
    assert document["at"] == pytest.approx(NOW_NS / 1e9 + 14 * 5 + 3)
    one = document["servers"][0]
    assert (one["url"], one["up"], one["models"][0]["context_length"], one["solo"]["tok_s"]["n"]) == (A, True, 4096, 14)
    assert one["together"] == {"ttft_s": 0.1, "service_s": 2.0, "tok_s": 5.0}
    assert [each["rule"] for each in document["symptoms"]] == ["throughput", "throughput", "efficiency"]
    assert document["symptoms"][0]["held_s"] == 5.0
    assert document["symptoms"][0]["since"] == pytest.approx(NOW_NS / 1e9 + 13 * 5 + 3)


@pytest.mark.parametrize("width", [120, 60, 20])
def test_a_screen_fits_its_width(width: int) -> None:
    """Whatever is shown is folded, and nothing is cut off."""
    judged = _last([*_calm(), a_round(9, down=[B])])
    text = _screen(judged, width)
    assert max(map(len, text.splitlines())) <= width
    joined = "".join(text.replace("│", " ").split())
    for words in ("header", "context4096", "SYMPTOMdown:", "contentioncannotbejudged", "gone"):
        assert words in joined


def test_what_servers_say_is_harmless_everywhere() -> None:
    """No escape sequence, no control or bidirectional mark, no markup, no line of its own."""
    judged = _hostile()
    assert {fired.rule for fired in judged.fired} == {"down", "evicted"}
    lines = watch_lines(judged)
    screen = _screen(judged)
    for text in ("\n".join(lines), screen, fired_line(judged, judged.fired[0])):
        assert not {"\x1b", "\x07", "\u202e", "\x00"} & set(text)
    wide = _screen(judged, 3000)
    assert wide.count("evil") == wide.count("[bold red]evil[/]") > 5
    assert len(lines) == 2 + 1 + 1 + len(judged.fired)
    assert json.loads(watch_json(judged))["servers"][0]["version"] == HOSTILE
    assert "\x1b" not in watch_json(judged)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.9, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (119.9, "1 min 59 s"), (7199, "1 h 59 min"), (1e9, "years")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    """Never more than has passed."""
    assert length(seconds) == words
