"""What drawing the live terminal costs the instrument: ``python -m perf.live``."""
