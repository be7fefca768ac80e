"""When tokens are sent, by the server's own log: never early, never later and later."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest

from harness.servers.truth import Behaviour, DeviceSpec, Timing, TrueRequest, TruthConfig, TruthServer
from tests.servers.truth.client import gaps_ns, logged, stream, texts
from tests.servers.truth.simulation import everywhere

MS = 1_000_000


def _behaviour(ttft_ms: float = 5, gap_ms: float = 2, tokens: int = 20) -> Behaviour:
    return Behaviour(Timing(ms=ttft_ms), Timing(ms=gap_ms), tokens)


def _together(server: TruthServer, *positions: int) -> list[TrueRequest]:
    """Requests that run at the same time on these ports, by the ports' order."""
    with ThreadPoolExecutor(len(positions)) as pool:
        lines = pool.map(lambda n: stream(server.urls[positions[n]], prompt=f"{n} "), range(len(positions)))
        assert all(list(lines))
    return sorted(logged(server, len(positions)), key=lambda request: request.prompt)


def _lasted(request: TrueRequest) -> int:
    return request.token_ns[-1] - request.token_ns[0]


def _prefill(request: TrueRequest) -> int:
    return request.token_ns[0] - request.granted_ns


def test_no_token_is_early_and_lateness_does_not_add_up(truth_server: TruthServer) -> None:
    """Each token is at or after its instant, and the last ones are as close to it as a write is."""
    truth_server.configure(TruthConfig(_behaviour(3, 1, 300)))
    assert len(stream(truth_server.urls[0])) == 301
    (request,) = truth_server.log()
    late = [at - request.granted_ns - (3 + n) * MS for n, at in enumerate(request.token_ns)]
    assert min(late) >= 0
    assert min(late[-50:]) < 3 * MS  # were gaps counted from the real instants, it would be 300 wake-ups
    assert request.outcome == "done"


def test_every_token_comes_once_in_a_write_of_its_own(truth_server: TruthServer) -> None:
    """Texts differ, so that a lost one would be seen; the head goes with the first."""
    truth_server.configure(TruthConfig(_behaviour(tokens=5)))
    lines = stream(truth_server.urls[0])
    assert texts(lines) == [" w0", " w1", " w2", " w3", " w4"]
    (request,) = truth_server.log()
    assert request.token_write == (0, 1, 2, 3, 4)
    assert request.head_ns == request.token_ns[0]
    assert request.arrived_ns <= request.read_ns <= request.granted_ns < request.token_ns[0] < request.ended_ns


def test_the_done_line_tells_the_true_times(truth_server: TruthServer) -> None:
    """Its durations are those of the log, and with the wait for the slot they add up to the total."""
    truth_server.configure(TruthConfig(_behaviour(tokens=5), device=DeviceSpec(slots=1)))
    with ThreadPoolExecutor(2) as pool:
        streams = list(pool.map(lambda prompt: stream(truth_server.urls[0], prompt=prompt), ["0 a b", "1 c"]))
    requests = sorted(logged(truth_server, 2), key=lambda request: request.prompt)
    for lines, request in zip(streams, requests, strict=True):
        done = json.loads(lines[-1])
        assert done["eval_count"] == 5
        assert done["eval_duration"] == _lasted(request)
        assert done["prompt_eval_duration"] == request.token_ns[0] - request.granted_ns
        assert done["total_duration"] == request.token_ns[-1] - request.arrived_ns
        durations = done["load_duration"] + done["prompt_eval_duration"] + done["eval_duration"]
        assert done["total_duration"] - durations == request.granted_ns - request.arrived_ns - done["load_duration"]
        assert done["prompt_eval_count"] == len(request.prompt.split())
        assert (done["done_reason"], done["done"]) == ("length", True)


def test_slots_are_granted_one_after_the_other(truth_server: TruthServer) -> None:
    """The second request of a port begins when the first one has its last token, not before."""
    truth_server.configure(TruthConfig(_behaviour(), device=DeviceSpec(slots=1)))
    first, second = sorted(_together(truth_server, 0, 0), key=lambda request: request.granted_ns)
    assert first.arrived_ns < second.arrived_ns
    assert second.arrived_ns < first.token_ns[-1]
    assert second.granted_ns >= first.token_ns[-2]
    assert second.token_ns[0] > first.token_ns[-1]


def test_a_stall_comes_once_in_every_so_many_gaps(truth_server: TruthServer) -> None:
    """The gaps that are longest are those of the schedule."""
    gaps = Timing("stalls", 1, stall_ms=30, every=4)
    truth_server.configure(TruthConfig(Behaviour(Timing(ms=1), gaps, 13)))
    stream(truth_server.urls[0])
    drawn = gaps_ns(truth_server.log()[0])
    assert sorted(sorted(range(12), key=drawn.__getitem__)[-3:]) == [3, 7, 11]


def test_a_trace_is_replayed(truth_server: TruthServer) -> None:
    """No token is before the sum of the gaps up to it."""
    trace = (1.0, 20.0, 2.0)
    truth_server.configure(TruthConfig(Behaviour(Timing(ms=1), Timing("trace", trace_ms=trace), 7)))
    stream(truth_server.urls[0])
    (request,) = truth_server.log()
    due, late = request.granted_ns + 1 * MS, []
    for at, gap in zip(request.token_ns, [*trace, *trace, 0.0], strict=True):
        late.append(at - due)
        due += round(gap * MS)
    assert min(late) >= 0
    assert min(late[-3:]) < 15 * MS


def test_the_same_seed_gives_the_same_schedule(truth_server: TruthServer) -> None:
    """Per port and request, whatever ran before; another seed gives another."""
    behaviour = Behaviour(Timing(ms=1), Timing("exponential", ms=3), 12)
    lasted = []
    for seed in (1, 1, 2):
        truth_server.reset(TruthConfig(behaviour, seed=seed))
        stream(truth_server.urls[0])
        lasted.append(_lasted(truth_server.log()[0]))
    assert abs(lasted[0] - lasted[1]) < abs(lasted[0] - lasted[2])


def test_requests_on_two_ports_slow_each_other_by_the_factor(truth_server: TruthServer) -> None:
    """By the log's own times: together twice as long as alone, for prefill and decode."""
    truth_server.configure(TruthConfig(_behaviour(40, 4, 30), device=DeviceSpec(interference=everywhere(2.0))))
    stream(truth_server.urls[0])
    (alone,) = truth_server.log()
    truth_server.clear()
    for request in _together(truth_server, 0, 1):
        assert median(gaps_ns(request)) / median(gaps_ns(alone)) == pytest.approx(2, rel=0.2)
        assert _prefill(request) / _prefill(alone) == pytest.approx(2, rel=0.3)


def test_two_that_decode_share_the_pool(truth_server: TruthServer) -> None:
    """Each wants all of it, and gets half while the other is there."""
    device = DeviceSpec(pool_tok_s=250.0)
    truth_server.configure(TruthConfig(_behaviour(2, 4, 30), device=device))
    for request in _together(truth_server, 0, 1):
        assert median(gaps_ns(request)) == pytest.approx(8 * MS, rel=0.25)


def test_a_port_and_a_script_have_behaviours_of_their_own(truth_server: TruthServer) -> None:
    """The script first, in order of arrival at any port, then the port's, then everybody's."""
    truth_server.configure(
        TruthConfig(
            _behaviour(tokens=1),
            by_port={1: _behaviour(tokens=2)},
            script=(_behaviour(tokens=3), _behaviour(tokens=4)),
        )
    )
    counts = [len(texts(stream(truth_server.urls[port]))) for port in (1, 0, 1, 0)]
    assert counts == [3, 4, 2, 1]


@pytest.mark.parametrize(
    ("tokens", "options", "count"), [(None, {"num_predict": 7}, 7), (None, {}, 128), (3, {"num_predict": 7}, 3)]
)
def test_the_number_of_tokens_is_the_behaviours_then_the_requests(
    truth_server: TruthServer, tokens: int | None, options: dict[str, int], count: int
) -> None:
    """128 if nobody says."""
    truth_server.configure(TruthConfig(Behaviour(Timing(ms=0), Timing(ms=0), tokens)))
    lines = stream(truth_server.urls[0], options=options)
    assert len(texts(lines)) == json.loads(lines[-1])["eval_count"] == count


def test_an_answer_without_tokens_is_a_done_line(truth_server: TruthServer) -> None:
    """Counts and durations that are zero are left out, as Ollama does."""
    truth_server.configure(TruthConfig(Behaviour(Timing(ms=1), tokens=0)))
    (line,) = stream(truth_server.urls[0])
    assert json.loads(line)["done"] is True
    assert "eval_count" not in json.loads(line)
    assert truth_server.log()[0].token_ns == ()
