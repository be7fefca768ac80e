"""Kinds of servers."""
