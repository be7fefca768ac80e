"""What all tests share: how hard hypothesis tries (without a deadline: a busy host is not a bug), and the truth."""

import os

from hypothesis import settings

from harness.testing.truth import truth_server

__all__ = ["truth_server"]

collect_ignore = ["foreign"]  # somebody else's project, for the tests that are about one

settings.register_profile("house", max_examples=40, deadline=None)
settings.register_profile("deep", max_examples=10_000, deadline=None)  # --hypothesis-profile=deep
settings.load_profile("house")

# Sessions that tests measure are no part of the summary of the CI job that runs the tests.
os.environ.pop("GITHUB_STEP_SUMMARY", None)
