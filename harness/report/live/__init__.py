"""The live terminal: what is shown of a session while it measures, and the process of its own that draws it.

``scene``, ``picture``, ``gauges`` and ``area`` are pure; ``drawing`` is the process, and ``display`` its handle in the
measuring one. Nothing is imported here: the process that draws is to be small, and quick to start.
"""
