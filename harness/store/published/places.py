"""What a ``metrics.json`` file does not say of itself but its place does: data set, phase, runtime, configuration, run.

Source: the layout of the public repository Sahil170595/Chimeraforge, whose reports name these folders as their data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_TOKIO = "tokio-default"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file lies.

    Attributes:
        dataset: The data set that its folder is known as, or the folder's own name.
        phase: Part of the study; empty if the place names none.
        configuration: Name of its configuration.
        runtime: What drove the agents; empty if the place names none.
        index: Number of the repetition; None if the place names none.
    """

    dataset: str
    phase: str
    configuration: str
    runtime: str
    index: int | None


@dataclass(frozen=True, slots=True)
class _Root:
    parts: tuple[str, ...]
    dataset: str
    phase: str = ""
    runtime: str = ""


_ROOTS = (
    _Root(("chimera_sweep",), "TR109-python-solo"),
    _Root(("comprehensive_test_results",), "TR110-python-dual", runtime="python-asyncio"),
    _Root(("Demo_rust_multiagent_results",), "TR113-rust-single", "sweep", _TOKIO),
    _Root(("Demo_rust_multiagent_results_tr110_dual",), "TR114-rust-dual", runtime=_TOKIO),
    _Root(("TR115_runtime_optimization", "results"), "TR115v1"),
    _Root(("TR115_runtime_optimization", "results_v2"), "TR115v2"),
    _Root(("tr115_results_v2",), "TR115v2"),
)


def place_of(path: Path, folder: Path) -> Place:
    """The place of a file somewhere under ``folder``; both absolute."""
    parts = path.parent.parts
    root, rest = _Root((), folder.name), parts[len(folder.parts) :]
    for known in _ROOTS:
        for start in range(len(parts) - len(known.parts) + 1):
            if parts[start : start + len(known.parts)] == known.parts:
                root, rest = known, parts[start + len(known.parts) :]
    phase, runtime, index, names = root.phase, root.runtime, None, []
    for part in rest:
        if numbered := re.fullmatch(r"run_(\d+)", part):
            index = int(numbered[1]) if index is None else index  # an inner run_1 is a program's own count
        elif part.startswith("runtime-"):
            runtime = part.removeprefix("runtime-")
        elif re.fullmatch(r"phase\d+", part):
            phase = part
        elif tested := re.fullmatch(r"phase_(\d+)_(test_\d+)", part):
            phase = f"phase{tested[1]}"
            names.append(tested[2])
        elif part != "data":
            names.append(part.removeprefix("run_"))
    return Place(root.dataset, phase, "/".join(names) or root.dataset, runtime, index)
