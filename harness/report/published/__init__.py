"""Published runs told: as text for people, and as a document for programs."""

from harness.report.published.document import published_json
from harness.report.published.text import published_text

__all__ = ["published_json", "published_text"]
