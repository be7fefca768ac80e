"""Servers: which kind, their processes, readiness, the model in place; and the embedded engine."""
