"""The fidelity benchmark's own arithmetic and readers, without a measurement."""
