"""Tests of the ground-truth server."""
