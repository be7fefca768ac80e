"""How much memory a model's KV cache takes, from what ``/api/show`` tells of the model."""

from __future__ import annotations

from collections.abc import Mapping

CELLS_STEP = 256
"""llama.cpp rounds a slot's cells up to a multiple of this."""
F16_BYTES = 2


def kv_cache_bytes(model_info: Mapping[str, object], num_ctx: int, slots: int = 1) -> int | None:
    """Size of the KV cache in f16, bytes; None where the model's metadata do not tell.

    An upper bound for models with a sliding window (gemma3: five of six layers keep only the window), and where the
    server quantizes the cache (``OLLAMA_KV_CACHE_TYPE``).

    Args:
        model_info: The object of this name in the answer of ``/api/show``.
        num_ctx: Context length of one slot, tokens; no more than the model's own is kept.
        slots: Requests that the server works on at once (``OLLAMA_NUM_PARALLEL``).

    Source: llama.cpp's ``llama_kv_cache``: cells x layers x KV heads x (key length + value length) x 2 bytes. Of
    GGUF: no ``head_count_kv`` means ``head_count``; no ``key_length`` means ``embedding_length / head_count``.
    """
    architecture = model_info.get("general.architecture")

    def number(key: str) -> int | None:
        value = model_info.get(f"{architecture}.{key}")
        return value if isinstance(value, int) and value > 0 else None

    layers, heads, width = number("block_count"), number("attention.head_count"), number("embedding_length")
    of_width = width // heads if width and heads else None
    key, value = number("attention.key_length") or of_width, number("attention.value_length") or of_width
    kv_heads = _kv_heads(model_info, f"{architecture}.attention.head_count_kv", layers, heads)
    if kv_heads is None or key is None or value is None:
        return None
    longest = number("context_length") or num_ctx
    cells = slots * -(-min(num_ctx, longest) // CELLS_STEP) * CELLS_STEP
    return cells * kv_heads * (key + value) * F16_BYTES


def _kv_heads(model_info: Mapping[str, object], key: str, layers: int | None, heads: int | None) -> int | None:
    """KV heads of all layers together; models that differ by layer tell a list, which ``/api/show`` may leave out."""
    told = model_info.get(key, heads)
    if isinstance(told, list):
        return sum(told) if told and all(isinstance(each, int) for each in told) else None
    return told * layers if isinstance(told, int) and told > 0 and layers else None
