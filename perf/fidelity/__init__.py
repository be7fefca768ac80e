"""Fidelity benchmark: what measuring clients report beside what the server really did.

Every client measures the same ground-truth server in one run, each in a process of its own.
``python -m perf.fidelity --help`` says how to run it.
"""
