"""Tests of the benchmark `perf.live`."""
