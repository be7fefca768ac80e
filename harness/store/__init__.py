"""What a session leaves on disk: the journal; and what it remembers of its host."""

from harness.store.environment import read_environment
from harness.store.journal import FORMAT, Journal, read_journal

__all__ = ["FORMAT", "Journal", "read_environment", "read_journal"]
