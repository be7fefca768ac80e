"""Tests of the instrument itself: no Ollama, no GPU."""
