"""The verdicts' statistics, made and proved by simulation.

``python -m perf.verdicts.levels`` makes the table of levels that sequential verdicts look up.
"""
