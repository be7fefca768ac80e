"""Tests of the report for people."""
