"""Ollama's wire format without IO: bytes in, events out; and the bodies of requests."""

from harness.protocol.bodies import generate_body, load_body, normalized_model, unload_body
from harness.protocol.stream import UNDECODABLE, FoldedStream, fold_stream

__all__ = [
    "UNDECODABLE",
    "FoldedStream",
    "fold_stream",
    "generate_body",
    "load_body",
    "normalized_model",
    "unload_body",
]
