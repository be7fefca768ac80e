"""Calibration: a server of its own, the session's client, both sides of every request."""

from __future__ import annotations

import psutil
import pytest

from harness.measure import rounds_for, run_calibration
from harness.records.errors import ServerError
from harness.servers.truth import Behaviour, Fault, TruthConfig, TruthServer


@pytest.mark.asyncio
async def test_every_request_is_there_from_both_sides() -> None:
    """So many streams, so many rounds; each record beside the truth of its nonce, over connections opened before."""
    run = await run_calibration(streams=3, rounds=2)
    assert len(run.pairs) == 6
    for record, true in run.pairs:
        assert true.prompt.startswith(record.nonce)
        assert len(record.token_ns) == len(true.token_ns) == 16
        assert not record.connected
    assert len({true.port for _, true in run.pairs}) == 2
    assert run.cpu_s > 0


@pytest.mark.asyncio
async def test_no_process_is_left_behind() -> None:
    """The ground-truth server is gone when its calibration is over."""
    before = {child.pid for child in psutil.Process().children()}
    await run_calibration(streams=2, rounds=1)
    assert {child.pid for child in psutil.Process().children()} <= before


@pytest.mark.asyncio
async def test_a_request_that_fails_is_no_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is concluded from what did not work: the error says what happened."""
    start = TruthServer.start

    def faulty(_config: TruthConfig, *, cpus: tuple[int, ...] | None) -> TruthServer:
        return start(TruthConfig(behaviour=Behaviour(fault=Fault("status_500"))), cpus=cpus)

    monkeypatch.setattr(TruthServer, "start", faulty)
    with pytest.raises(ServerError, match="calibration: a request to the ground-truth server failed: HTTP 500"):
        await run_calibration(streams=2, rounds=1)


def test_few_streams_get_more_rounds() -> None:
    """So many requests at least, and never fewer rounds than a session's start has."""
    assert rounds_for(2, 200) == 100
    assert rounds_for(3, 200) == 67
    assert rounds_for(1000, 200) == 6
