"""The scenarios as tests: `pytest perf`."""
