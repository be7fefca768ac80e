"""The embedded engine: Ollama's API over a real inference engine, with a model made on the machine."""
