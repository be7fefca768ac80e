"""What arms used, over blocks; and the energy of a token alone and together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.resources import energy_j, resource_figures, servers_gpus
from harness.records import AgentRun, Block
from harness.records.resources import GpuUse, Resources, ServerUse
from harness.records.session import CONCURRENT
from harness.testing import build_agent_run, build_block, build_run, build_study_block

ONE, TWO = "http://one", "http://two"


def _gpu(energy: float | None = 100.0, *, uuid: str = "GPU-1", servers: tuple[str, ...] = (ONE,)) -> GpuUse:
    return GpuUse(uuid, "H100", 50.0, 2**30, 1500.0, 200.0, energy, servers=servers)


def _used(*gpus: GpuUse, cores: tuple[float | None, ...] = (1.0, 0.5), rss: int | None = 100) -> Resources:
    urls = (ONE, TWO)[: len(cores)]
    return Resources(5, tuple(ServerUse(url, each, rss) for url, each in zip(urls, cores, strict=True)), gpus)


def _with(block: Block, used: Mapping[str, Resources]) -> Block:
    """The block with these resources by arm, and its agents dealt out to both servers."""
    roles = list(dict.fromkeys(agent.role for run in block.runs for agent in (*run.agents, *run.background)))

    def placed(agents: tuple[AgentRun, ...]) -> tuple[AgentRun, ...]:
        return tuple(replace(agent, url=(ONE, TWO)[roles.index(agent.role) % 2]) for agent in agents)

    return replace(
        block,
        runs=tuple(
            replace(run, resources=used.get(run.arm), agents=placed(run.agents), background=placed(run.background))
            for run in block.runs
        ),
    )


def _block(used: Mapping[str, Resources], index: int = 1) -> Block:
    """Two agents with 10 tokens each."""
    return _with(build_block(index=index), used)


def test_cores_and_power_are_means_over_blocks_and_memory_is_the_most() -> None:
    """Servers and GPUs of a run are added up, utilisation and clock are not."""
    second = replace(_gpu(300.0), power_w=400.0, utilization_pct=100.0, memory_bytes=2**31, sm_clock_mhz=1700.0)
    first_run = _used(_gpu(), _gpu(uuid="GPU-2"))
    second_run = _used(second, _gpu(uuid="GPU-2"), cores=(2.0, 0.7), rss=80)
    found = resource_figures([_block({CONCURRENT: first_run}), _block({CONCURRENT: second_run}, 2)])
    assert found is not None
    (arm,) = found.arms
    assert arm.arm == CONCURRENT
    assert arm.cpu_cores is not None
    assert arm.cpu_cores.point == pytest.approx(2.1)
    assert arm.rss_bytes == 200
    assert arm.gpu_memory_bytes == 2**30 + 2**31
    assert arm.power_w is not None
    assert arm.power_w.point == pytest.approx(500.0)
    assert arm.energy_j is not None
    assert arm.energy_j.point == pytest.approx(300.0)
    assert arm.energy_j.n == 2
    assert arm.utilization_pct is not None
    assert arm.utilization_pct.point == pytest.approx(62.5)
    assert arm.sm_clock_mhz is not None
    assert arm.sm_clock_mhz.point == pytest.approx(1550.0)


def test_a_tokens_energy_alone_is_that_of_all_agents_alone() -> None:
    """100 J and 200 J for 10 tokens each are 15 J a token; together 240 J for 20 are 12 J, 0.8 times that."""
    used = {"solo:A": _used(_gpu(100.0)), "solo:B": _used(_gpu(200.0)), CONCURRENT: _used(_gpu(240.0))}
    found = resource_figures([_block(used)])
    assert found is not None
    assert found.alone_joules_per_token is not None
    assert found.together_joules_per_token is not None
    assert found.energy_ratio is not None
    assert found.alone_joules_per_token.point == pytest.approx(15.0)
    assert found.together_joules_per_token.point == pytest.approx(12.0)
    assert found.energy_ratio.point == pytest.approx(0.8)
    assert {arm.arm: arm.joules_per_token and arm.joules_per_token.point for arm in found.arms} == {
        "solo:A": pytest.approx(10.0),
        "solo:B": pytest.approx(20.0),
        CONCURRENT: pytest.approx(12.0),
    }


@given(st.lists(st.tuples(st.floats(1, 1e6), st.floats(1, 1e6), st.floats(1, 1e6)), min_size=1, max_size=12))
def test_the_energy_ratio_is_within_those_of_the_blocks(energies: list[tuple[float, float, float]]) -> None:
    """And counts each block once, however many joules it took."""
    blocks = [
        _block({"solo:A": _used(_gpu(a)), "solo:B": _used(_gpu(b)), CONCURRENT: _used(_gpu(c))}, index)
        for index, (a, b, c) in enumerate(energies, 1)
    ]
    found = resource_figures(blocks)
    assert found is not None
    assert found.energy_ratio is not None
    ratios = [c / (a + b) for a, b, c in energies]
    assert found.energy_ratio.n == len(blocks)
    assert min(ratios) * (1 - 1e-9) <= found.energy_ratio.point <= max(ratios) * (1 + 1e-9)


def test_without_a_gpu_there_is_no_energy() -> None:
    """Cores and memory are told all the same."""
    used = _used()
    found = resource_figures([_block({"solo:A": used, "solo:B": used, CONCURRENT: used})])
    assert found is not None
    assert (found.alone_joules_per_token, found.together_joules_per_token, found.energy_ratio) == (None, None, None)
    for arm in found.arms:
        assert (arm.gpu_memory_bytes, arm.power_w, arm.energy_j, arm.joules_per_token) == (None, None, None, None)
        assert arm.cpu_cores is not None


def test_half_of_an_energy_is_none() -> None:
    """A GPU that does not tell might have used any; so might an agent that was not sampled alone."""
    untold = _used(_gpu(100.0), _gpu(None, uuid="GPU-2"))
    found = resource_figures([_block({"solo:A": _used(_gpu()), CONCURRENT: untold})])
    assert found is not None
    assert (found.alone_joules_per_token, found.together_joules_per_token) == (None, None)
    assert energy_j(_block({CONCURRENT: untold}).runs[-1]) is None
    sampled = _block({"solo:A": _used(_gpu()), CONCURRENT: _used(_gpu())})
    one_alone = resource_figures([replace(sampled, runs=tuple(run for run in sampled.runs if run.arm != "solo:B"))])
    assert one_alone is not None
    assert one_alone.alone_joules_per_token is None


def test_a_server_of_which_nothing_is_known_hides_the_sum() -> None:
    """The cores of one are not those of both; a block that tells them counts."""
    hidden, told = _used(cores=(1.0, None)), _used(cores=(1.0, 2.0))
    found = resource_figures([_block({CONCURRENT: hidden}), _block({CONCURRENT: told}, 2)])
    assert found is not None
    (arm,) = found.arms
    assert arm.cpu_cores is not None
    assert (arm.cpu_cores.point, arm.cpu_cores.n) == (3.0, 1)


def test_gpus_that_no_server_is_on_do_not_count() -> None:
    """Unless none is seen on any, as in a container: then all of them do."""
    used = _used(_gpu(100.0), _gpu(50.0, uuid="GPU-2", servers=()))
    assert [gpu.uuid for gpu in servers_gpus(used)] == ["GPU-1"]
    assert energy_j(_block({CONCURRENT: used}).runs[-1]) == 100.0
    unseen = _used(_gpu(100.0, servers=()), _gpu(50.0, uuid="GPU-2", servers=()))
    assert energy_j(_block({CONCURRENT: unseen}).runs[-1]) == 150.0


def test_servers_that_no_agent_of_the_scenario_uses_do_not_count() -> None:
    """A base's, or the one that another pattern shares, hold their models beside the scenario's; so do their GPUs."""
    base, shared = "http://base", "http://shared"
    servers = tuple(ServerUse(url, 1.0, 100) for url in (ONE, TWO, base, shared))
    gpus = (_gpu(servers=(ONE, base)), _gpu(uuid="GPU-2", servers=(TWO,)), _gpu(1000.0, uuid="GPU-3", servers=(base,)))
    used = Resources(5, servers, gpus)
    found = resource_figures([_block({"solo:A": used, "solo:B": used, CONCURRENT: used})])
    assert found is not None
    for arm in found.arms:
        assert arm.rss_bytes == 200  # a model that waits for its turn is there
        assert arm.cpu_cores is not None
        assert arm.cpu_cores.point == pytest.approx(2.0)
        assert arm.gpu_memory_bytes == 2**31
        assert arm.energy_j is not None
        assert arm.energy_j.point == pytest.approx(200.0)
    elsewhere = replace(used, gpus=gpus[2:])
    found = resource_figures([_block({CONCURRENT: elsewhere})])
    assert found is not None
    assert found.arms[0].energy_j is None


def test_energy_that_agents_in_the_background_had_a_share_in_is_nobodys_per_token() -> None:
    """The energy itself is told."""
    block = build_study_block({"decode:A": {"A": 100.0}}, study="controls", background={"decode:A": ["B"]})
    found = resource_figures([_with(block, {"decode:A": _used(_gpu())})])
    assert found is not None
    (arm,) = found.arms
    assert arm.joules_per_token is None
    assert arm.energy_j is not None


def test_a_run_without_tokens_has_no_energy_per_token() -> None:
    """And no division by zero."""
    run = build_run("dual", [build_agent_run(tokens=0)])
    found = resource_figures([_with(replace(build_block(), runs=(run,)), {"dual": _used(_gpu())})])
    assert found is not None
    assert found.arms[0].joules_per_token is None


def test_arms_that_were_not_sampled_are_not_there() -> None:
    """Nothing at all if none was; the order is that of the agents, whatever was run first."""
    assert resource_figures([]) is None
    assert resource_figures([build_block()]) is None
    found = resource_figures([_block({CONCURRENT: _used(), "solo:B": _used()})])
    assert found is not None
    assert [arm.arm for arm in found.arms] == ["solo:B", CONCURRENT]
    block = _block({CONCURRENT: _used(), "solo:A": _used(), "solo:B": _used()})
    found = resource_figures([replace(block, runs=block.runs[::-1])])
    assert found is not None
    assert [arm.arm for arm in found.arms] == ["solo:A", "solo:B", CONCURRENT]


def test_why_clocks_were_held_down_is_told_once() -> None:
    """Over all blocks and GPUs."""
    hot = replace(_gpu(), throttle=("power cap", "too hot (driver)"))
    capped = replace(_gpu(uuid="GPU-2"), throttle=("power cap",))
    found = resource_figures([_block({CONCURRENT: _used(capped, hot)}), _block({CONCURRENT: _used(hot)}, 2)])
    assert found is not None
    assert found.arms[0].throttle == ("power cap", "too hot (driver)")


@pytest.mark.parametrize("agents", [1, 3])
def test_any_number_of_agents_is_alone_in_turn(agents: int) -> None:
    """A token's energy alone takes all of them."""
    roles = [f"agent {i}" for i in range(agents)]
    used = {f"solo:{role}": _used(_gpu(100.0)) for role in roles} | {CONCURRENT: _used(_gpu(60.0 * agents))}
    found = resource_figures([_with(build_block(dict.fromkeys(roles, 1000.0)), used)])
    assert found is not None
    assert found.energy_ratio is not None
    assert found.energy_ratio.point == pytest.approx(0.6)
