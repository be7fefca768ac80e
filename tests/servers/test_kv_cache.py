"""The size of a KV cache, against sizes that llama.cpp printed."""

from __future__ import annotations

import pytest

from harness.servers.embedded.catalog import read_model
from harness.servers.embedded.model import default_cache_dir, ensure_model
from harness.servers.kv_cache import kv_cache_bytes

MIB = 2**20


def _info(**keys: object) -> dict[str, object]:
    """Metadata of a llama with these keys; a dot is written as two underscores."""
    return {"general.architecture": "llama"} | {f"llama.{key.replace('__', '.')}": v for key, v in keys.items()}


LLAMA_30B = _info(block_count=60, embedding_length=6656, attention__head_count=52, attention__head_count_kv=52)
LLAMA2_7B = _info(block_count=32, embedding_length=4096, attention__head_count=32, attention__head_count_kv=32)
LLAMA3_8B = _info(block_count=32, embedding_length=4096, attention__head_count=32, attention__head_count_kv=8)
QWEN25_7B = _info(block_count=28, embedding_length=3584, attention__head_count=28, attention__head_count_kv=4)


@pytest.mark.parametrize(
    ("info", "num_ctx", "mib"),
    [
        (LLAMA_30B, 512, 780),
        (LLAMA2_7B, 2048, 1024),
        (LLAMA3_8B, 8192, 1024),
        (LLAMA3_8B, 4096, 512),
        (QWEN25_7B, 2048, 112),
    ],
)
def test_the_size_is_what_llama_cpp_prints(info: dict[str, object], num_ctx: int, mib: int) -> None:
    """``KV self size`` in its public logs, f16."""
    assert kv_cache_bytes(info, num_ctx) == mib * MIB


@pytest.mark.parametrize(
    ("num_ctx", "slots", "mib"),
    [(512, 1, 6), (640, 1, 9), (2048, 1, 24), (512, 2, 12), (640, 2, 18), (4096, 2, 96), (100, 2, 6), (65536, 2, 768)],
)
def test_the_embedded_models_cache_is_what_a_real_ollama_logs(num_ctx: int, slots: int, mib: int) -> None:
    """Each slot's cells come in steps of 256, up to the model's own length: ``KV buffer size`` of Ollama 0.24."""
    info = read_model(ensure_model(default_cache_dir())).info
    assert kv_cache_bytes(info, num_ctx, slots) == mib * MIB


def test_lengths_of_keys_and_values_that_are_told_count() -> None:
    """Gemma's heads are wider than its embedding's share; a layer's own number of heads counts too."""
    gemma = _info(block_count=2, embedding_length=1024, attention__head_count=8, attention__head_count_kv=4)
    told = gemma | {"llama.attention.key_length": 256, "llama.attention.value_length": 64}
    assert kv_cache_bytes(gemma, 256) == 256 * 2 * 4 * (128 + 128) * 2
    assert kv_cache_bytes(told, 256) == 256 * 2 * 4 * (256 + 64) * 2
    by_layer = told | {"llama.attention.head_count_kv": [4, 0]}
    assert kv_cache_bytes(by_layer, 256) == 256 * 4 * (256 + 64) * 2


def test_without_a_number_of_kv_heads_all_heads_have_one() -> None:
    """As GGUF says of models that share none."""
    without = {key: value for key, value in LLAMA2_7B.items() if not key.endswith("head_count_kv")}
    assert kv_cache_bytes(without, 2048) == kv_cache_bytes(LLAMA2_7B, 2048)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {key: value for key, value in LLAMA3_8B.items() if key != "general.architecture"},
        {key: value for key, value in LLAMA3_8B.items() if key != "llama.block_count"},
        {key: value for key, value in LLAMA3_8B.items() if key != "llama.embedding_length"},
        LLAMA3_8B | {"llama.attention.head_count": 0},
        LLAMA3_8B | {"llama.attention.head_count_kv": None},
        LLAMA3_8B | {"llama.attention.head_count_kv": []},
        LLAMA3_8B | {"llama.attention.head_count_kv": ["8"]},
        LLAMA3_8B | {"llama.embedding_length": "4096"},
    ],
)
def test_of_metadata_that_do_not_tell_no_size_is_made_up(broken: dict[str, object]) -> None:
    """None, and no error; lists are often left out of the answer."""
    assert kv_cache_bytes(broken, 2048) is None
