"""Tests of published runs as they are read."""
