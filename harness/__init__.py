"""Measures what concurrent LLM agents on Ollama servers cost each other."""
