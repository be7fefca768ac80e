"""What the place of a public file says of its run."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.store.published.places import Place, place_of

TOKIO = "tokio-default"


@pytest.mark.parametrize(
    ("folder", "below", "place"),
    [
        (
            "/r/src/demo_multiagent",
            "comprehensive_test_results/phase_2_test_108/run_5",
            Place("TR110-python-dual", "phase2", "test_108", "python-asyncio", 5),
        ),
        (
            "/r/comprehensive_test_results/phase_2_test_108",
            "run_5",
            Place("TR110-python-dual", "phase2", "test_108", "python-asyncio", 5),
        ),
        (
            "/r",
            "Demo_rust_multiagent_results/homo_gpu80_ctx512_temp0p6/run_1",
            Place("TR113-rust-single", "sweep", "homo_gpu80_ctx512_temp0p6", TOKIO, 1),
        ),
        (
            "/r",
            "Demo_rust_multiagent_results_tr110_dual/phase1/chimera-homo/gpu80_ctx512/run_2",
            Place("TR114-rust-dual", "phase1", "chimera-homo/gpu80_ctx512", TOKIO, 2),
        ),
        (
            "/r",
            "data/research/tr115_results_v2/runtime-smol-1kb/chimera_homo_gpu80_ctx512/run_3/run_1",
            Place("TR115v2", "", "chimera_homo_gpu80_ctx512", "smol-1kb", 3),
        ),
        (
            "/r",
            "TR115_runtime_optimization/results/runtime-smol/chimera_homo_gpu80_ctx512/run_3/run_1",
            Place("TR115v1", "", "chimera_homo_gpu80_ctx512", "smol", 3),
        ),
        (
            "/r",
            "chimera_sweep/run_gpu120_ctx256_temp0p6/data",
            Place("TR109-python-solo", "", "gpu120_ctx256_temp0p6", "", None),
        ),
        ("/home/me/mine", "first/run_4", Place("mine", "", "first", "", 4)),
        ("/home/me/mine", "", Place("mine", "", "mine", "", None)),
    ],
)
def test_the_folders_around_a_file_name_its_run(folder: str, below: str, place: Place) -> None:
    """The known data sets wherever the given folder begins; anything else is named after the given folder."""
    assert place_of(Path(folder) / below / "metrics.json", Path(folder)) == place
