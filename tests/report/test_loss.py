"""The decomposition and the ledger for programs and for the terminal."""

from __future__ import annotations

import pytest

from harness.judge.ledger import AgentLedger, MeanLedger, agent_ledgers
from harness.judge.loss import AgentLoss, Loss, agent_losses, block_loss
from harness.report.loss import ledger_json, ledger_lines, loss_json, loss_lines
from harness.testing import build_block

LOSS = Loss(
    useful=0.921,
    contention=0.05,
    load=-0.0004,
    orchestration=0.004,
    imbalance=0.0254,
    contention_queue=0.001,
    contention_prefill=0.012,
    contention_decode=0.034,
    contention_unattributed=0.003,
    orchestration_stagger=0.0,
    orchestration_wait=0.001,
    orchestration_client=-0.001,
    orchestration_join=0.004,
    imbalance_inherent=0.0214,
    imbalance_induced=0.004,
)
QUIET = MeanLedger(0.0, 0.0, 0.04, 0.1, 3.1, 20.0, 300.0, 1.0, 324.24)
WAITING = MeanLedger(100.0, 0.0, 0.04, 40.0, 3.2, 25.0, 310.2, -0.02, 478.42)


def test_a_program_reads_five_shares_and_what_they_are_made_of() -> None:
    """The names of the issue, shares of 1; each split sums to its term."""
    read = loss_json(LOSS)
    assert {name: share for name, share in read.items() if name != "split"} == {
        "useful": 0.921,
        "contention": 0.05,
        "load": -0.0004,
        "orchestration": 0.004,
        "imbalance": 0.0254,
    }
    assert read["split"] == {
        "contention": {"queue": 0.001, "prefill": 0.012, "decode": 0.034, "unattributed": 0.003},
        "orchestration": {"stagger": 0.0, "wait": 0.001, "client": -0.001, "join": 0.004},
        "imbalance": {"inherent": 0.0214, "induced": 0.004},
    }


def test_a_program_reads_a_ledger_in_ms() -> None:
    """Each term under its own name, and their sum."""
    assert ledger_json(WAITING) == {
        "coordinator_wait_ms": 100.0,
        "connection_ms": 0.0,
        "client_ms": 0.04,
        "queue_ms": 40.0,
        "load_ms": 3.2,
        "prefill_ms": 25.0,
        "decode_ms": 310.2,
        "unattributed_ms": -0.02,
        "total_ms": 478.42,
    }


def test_the_table_of_a_loss_is_aligned_and_says_what_each_term_is() -> None:
    """All agents and each; splits in words; what rounds to nothing has no sign."""
    assert loss_lines("pair", LOSS, [AgentLoss("A", LOSS), AgentLoss("Bertha", LOSS)], wall_s=1.931) == [
        "pair: where 100 % of 2 x 1.93 s went",
        "  %               all     A  Bertha",
        "  useful         92.1  92.1    92.1  the agents' time alone",
        "  contention      5.0   5.0     5.0  longer in flight than alone: queue 0.1, prefill 1.2, decode 3.4, "
        "unattributed 0.3",
        "  load            0.0   0.0     0.0  loading models, together less alone",
        "  orchestration   0.4   0.4     0.4  outside the requests: coordinator's wait 0.1, client -0.1, join 0.4",
        "  imbalance       2.5   2.5     2.5  until the last agent ended: inherent 2.1, induced 0.4",
    ]


def test_the_columns_of_the_agents_add_up_to_that_of_all() -> None:
    """Made by the real judge: B was slowed down, and A waited for it."""
    block = build_block({"A": 1000, "B": 1000}, {"A": 1000, "B": 2000})
    lines = loss_lines("pair", block_loss(block), agent_losses(block), wall_s=2.0)
    rows = {words[0]: words[1:4] for words in (line.split() for line in lines[2:])}
    assert rows["useful"] == ["50.0", "25.0", "25.0"]
    assert rows["contention"] == ["25.0", "0.0", "25.0"]
    assert rows["imbalance"] == ["25.0", "25.0", "0.0"]


def test_the_table_of_a_ledger_leaves_out_what_is_nowhere() -> None:
    """Alone and together by agent; no connection was opened, and the client's part rounds to nothing."""
    assert ledger_lines("pair", [AgentLedger("A", QUIET, WAITING), AgentLedger("B", QUIET, QUIET)]) == [
        "pair: where the time of a request went, on average",
        "  ms                A alone -> together  B alone -> together",
        "  coordinator wait         0.0 -> 100.0           0.0 -> 0.0",
        "  queue                     0.1 -> 40.0           0.1 -> 0.1",
        "  load                       3.1 -> 3.2           3.1 -> 3.1",
        "  prefill                  20.0 -> 25.0         20.0 -> 20.0",
        "  decode                 300.0 -> 310.2       300.0 -> 300.0",
        "  unattributed               1.0 -> 0.0           1.0 -> 1.0",
        "  total                  324.2 -> 478.4       324.2 -> 324.2",
    ]


@pytest.mark.parametrize("agents", [1, 3])
def test_the_tables_take_any_number_of_agents(agents: int) -> None:
    """A user's scenario need not be a pair."""
    block = build_block({f"agent {i}": 1000.0 for i in range(agents)})
    lines = loss_lines("many", block_loss(block), agent_losses(block), wall_s=1.0)
    assert lines[0] == f"many: where 100 % of {agents} x 1.00 s went"
    assert lines[2].split()[1:3] == ["100.0", f"{100 / agents:.1f}"]
    assert len(ledger_lines("many", agent_ledgers([block]))) == 5  # title, heading, prefill, decode, total
