"""The verdicts' statistics, made and proved.

``python -m perf.verdicts.levels`` makes the table of levels that sequential verdicts look up, by simulation.
``python -m perf.verdicts`` records sessions without and with a known change and counts what verdicts say of them.
"""
