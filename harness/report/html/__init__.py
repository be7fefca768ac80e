"""The report for people (``--report FILE``): one page that needs no network, made from a judged session."""

from harness.report.html.page import report_html

__all__ = ["report_html"]
