"""What a session leaves on disk: the journal; and what it remembers of its host."""

from harness.store.environment import read_environment
from harness.store.journal import Journal
from harness.store.stored import FORMAT, Resumption, StoredSession, read_journal
from harness.store.thresholds import read_thresholds

__all__ = ["FORMAT", "Journal", "Resumption", "StoredSession", "read_environment", "read_journal", "read_thresholds"]
