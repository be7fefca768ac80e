"""The order of a sweep's cells in which servers load models again the fewest times.

Only runner options cost a reload (``num_ctx``, ``num_gpu``, ...), on each agent's server on its own: agent ``i`` has
server ``i``. Temperature and the like cost nothing. So cells of equal runner options stand together, and the groups
are put on a shortest path, whose length between two groups is the number of agents whose runner options differ.

A caution: an order made for few reloads puts like cells side by side and measures each at a time of its own. What
drifts on the host meanwhile is then part of the difference between two cells; they are NOT compared as arms of one
block are, which are interleaved. Passes through the grid in both directions (``sweeps.visits``) spread a cell's blocks
over the sweep, so that a drift shows as scatter within the cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, zip_longest

from harness.scenarios.catalogue import AgentSpec, Scenario
from harness.scenarios.sweeps import Cell

RUNNER_OPTIONS = ("num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread")
"""Options that belong to a loaded model: Ollama loads it again when one of them changes."""
_EXACT = 11
"""Groups up to which the shortest path is looked for among all of them."""
_STARTS = 24
"""Groups from which a greedy path is begun."""
_KICKS = 1000
"""Paths with three edges changed that are tried as a way out of where 2-opt ends."""

_Distances = Sequence[Sequence[int]]
_Runner = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Order:
    """Cells in the order of measuring.

    Attributes:
        cells: The cells.
        reloads: Reloads within one pass; the first loads of all are not among them.
        as_given: Reloads in the order in which they were given.
        at_least: No order has fewer: if it equals ``reloads``, this one is shown to be among the best.
    """

    cells: tuple[Cell, ...]
    reloads: int
    as_given: int
    at_least: int


def runner_options(agent: AgentSpec) -> _Runner:
    """The runner options that an agent sends, by name. A negative ``num_gpu`` is what the server does by itself."""
    sent = agent.options.sent().items()
    return tuple(
        (name, value) for name, value in sorted(sent) if name in RUNNER_OPTIONS and (name != "num_gpu" or value >= 0)
    )


def reloads(before: Scenario, after: Scenario) -> int:
    """Servers that load their model again between two scenarios: agents whose runner options differ."""
    return _apart(_runners(before), _runners(after))


def keeps_layers(before: Scenario, after: Scenario) -> tuple[str, ...]:
    """Roles of ``after`` that would work with the number of GPU layers that ``before`` asked for: unload there first.

    Ollama does not load a model again if the new request leaves ``num_gpu`` to the server and nothing else differs.

    Source: ``needsReload`` in Ollama's ``server/sched.go``.
    """
    found = []
    for was, now in zip(before.agents, after.agents, strict=False):
        old, new = dict(runner_options(was)), dict(runner_options(now))
        if "num_gpu" in old and {name: old[name] for name in old if name != "num_gpu"} == new:
            found.append(now.role)
    return tuple(found)


def fewest_reloads(cells: Sequence[Cell]) -> Order:
    """The cells in an order with few reloads: the fewest for up to 11 groups of equal runner options.

    Beyond that by nearest neighbours, 2-opt and 3-edge kicks; ``at_least`` (a minimum spanning tree) tells how far off
    it can be.
    Cells of a group stay in the order in which they were given.
    """
    groups: dict[tuple[_Runner, ...], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(_runners(cell.scenario), []).append(cell)
    states = list(groups)
    between = [[_apart(one, other) for other in states] for one in states]
    path = shortest_path(between)
    return Order(
        cells=tuple(cell for at in path for cell in groups[states[at]]),
        reloads=_length(path, between),
        as_given=sum(reloads(one.scenario, other.scenario) for one, other in pairwise(cells)),
        at_least=spanning_tree(between),
    )


def _runners(scenario: Scenario) -> tuple[_Runner, ...]:
    return tuple(runner_options(agent) for agent in scenario.agents)


def _apart(one: tuple[_Runner, ...], other: tuple[_Runner, ...]) -> int:
    """Agents whose runner options differ; one that the other scenario does not have is another one."""
    return sum(mine != theirs for mine, theirs in zip_longest(one, other))


def _length(path: Sequence[int], between: _Distances) -> int:
    return sum(between[one][other] for one, other in pairwise(path))


def shortest_path(between: _Distances) -> list[int]:
    """A short path through all places, from anywhere to anywhere, given the (symmetric) distances between them.

    It is the shortest for up to 11 places; it does not depend on anything but the distances.
    """
    starts = range(min(len(between), _STARTS))
    path = min((_uncrossed(_greedy(start, between), between) for start in starts), key=lambda p: _length(p, between))
    if _length(path, between) > spanning_tree(between):
        path = _exact(between) if len(between) <= _EXACT else _kicked(path, between)
    return path[::-1] if path[0] > path[-1] else path


def spanning_tree(between: _Distances) -> int:
    """Weight of a minimum spanning tree: no path through all places is shorter.

    Source: Prim 1957.
    """
    nearest = list(between[0])
    outside, weight = set(range(1, len(between))), 0
    while outside:
        place = min(outside, key=lambda at: nearest[at])
        weight += nearest[place]
        outside.remove(place)
        nearest = [min(pair) for pair in zip(nearest, between[place], strict=True)]
    return weight


def _greedy(start: int, between: _Distances) -> list[int]:
    """Always on to the nearest place; of equally near ones to the first."""
    path, left = [start], set(range(len(between))) - {start}
    while left:
        path.append(min(left, key=lambda place: (between[path[-1]][place], place)))
        left.remove(path[-1])
    return path


def _uncrossed(path: list[int], between: _Distances) -> list[int]:
    """Reverses parts of a path as long as that makes it shorter.

    Source: 2-opt, Croes 1958, for a path with free ends.
    """
    last, better = len(path) - 1, True
    while better:
        better = False
        for i in range(last):
            for j in range(i + 1, last + 1):
                before, after = between[path[i - 1]], between[path[j + 1]] if j < last else None
                gain = before[path[i]] - before[path[j]] if i else 0
                gain += after[path[j]] - after[path[i]] if after else 0
                if gain > 0:
                    path[i : j + 1] = path[i : j + 1][::-1]
                    better = True
    return path


def _kicked(path: list[int], between: _Distances) -> list[int]:
    """Swaps two neighbouring parts of a path where that makes it hardly longer, and shortens the result by 2-opt.

    Source: the double bridge of iterated local search (Martin, Otto and Felten 1991), here tried place by place.
    """
    kicks, shortest = 0, spanning_tree(between)
    for i, j, k in combinations(range(1, len(path)), 3):
        joined = ((i - 1, j), (k - 1, i), (j - 1, k))
        parted = ((i - 1, i), (j - 1, j), (k - 1, k))
        longer = sum(between[path[a]][path[b]] for a, b in joined) - sum(between[path[a]][path[b]] for a, b in parted)
        if longer > 1:
            continue
        kicks += 1
        kicked = _uncrossed([*path[:i], *path[j:k], *path[i:j], *path[k:]], between)
        if _length(kicked, between) < _length(path, between):
            path = kicked
        if kicks == _KICKS or _length(path, between) == shortest:
            break
    return path


def _exact(between: _Distances) -> list[int]:
    """The shortest path by dynamic programming over subsets.

    Source: Held and Karp 1962, for a path with free ends.
    """
    n = len(between)
    whole = (1 << n) - 1
    best: dict[tuple[int, int], tuple[int, int]] = {(1 << place, place): (0, place) for place in range(n)}
    for visited in range(1, whole + 1):
        for end in range(n):
            if (visited, end) not in best:
                continue
            length = best[visited, end][0]
            for place in range(n):
                key = (visited | 1 << place, place)
                longer = length + between[end][place]
                if not visited >> place & 1 and (key not in best or longer < best[key][0]):
                    best[key] = (longer, end)
    end = min(range(n), key=lambda place: best[whole, place][0])
    path, visited = [end], whole
    while len(path) < n:
        came_from = best[visited, end][1]
        visited ^= 1 << end
        path.append(came_from)
        end = came_from
    return path
