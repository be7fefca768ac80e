"""Published runs read from disk: tidied JSON Lines, and the public repository's own ``metrics.json`` files."""

from harness.store.published.cells import read_expected_cells
from harness.store.published.folder import read_published

__all__ = ["read_expected_cells", "read_published"]
