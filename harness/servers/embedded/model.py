"""A real model with random weights, made on the machine: nothing to download, and every server can load it.

The weights come from a raw bit generator and integer arithmetic only, so the same recipe makes the same bytes
on every machine. What they are random about is only *which* words are said:

* The first residual channel is constant: every embedding has it, and no layer writes to it. The output head
  uses it as a bias against everything but whole words, so a run never ends early and its text is always valid.
* The output row of a word points away from the word's own embedding, so that no word follows itself: servers
  that stop a stream after 30 equal tokens never do.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt
import platformdirs

from harness.records.errors import ConfigurationError
from harness.servers.embedded.words import BYTE_COUNT, SPECIAL, Piece, pieces

RECIPE_VERSION = 1
VOCABULARY = 2048
CHAT_TEMPLATE = "{% for message in messages %}{{ message.content }} {% endfor %}"

Bytes = npt.NDArray[np.uint8]
Tensor = tuple[str, npt.NDArray[np.generic], gguf.GGMLQuantizationType | None]


@dataclass(frozen=True, slots=True)
class Shape:
    """What is made: sizes of a ``llama`` model, and how its body is stored."""

    name: str
    embedding_length: int
    block_count: int
    feed_forward_length: int
    head_count: int
    head_count_kv: int
    quantization: str
    context_length: int = 32768
    seed: int = 20240229


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("standard", 1024, 12, 3072, 16, 4, "Q4_0"),
        Shape("light", 256, 2, 768, 4, 2, "Q4_0"),
    )
}


def default_cache_dir() -> Path:
    """Where models are kept between runs: the user's cache folder."""
    return platformdirs.user_cache_path("ollama-concurrency-harness")


def ensure_model(cache_dir: Path, shape: Shape = SHAPES["standard"]) -> Path:
    """Path of the model in ``cache_dir``, made there first if it is not yet (a second or two).

    The file's name holds a hash of everything that decides its bytes. It appears whole or not at all, so
    several processes may ask at once: each makes its own and the last rename wins, over equal bytes.

    Raises:
        ConfigurationError: the directory cannot be written.
    """
    recipe = json.dumps([RECIPE_VERSION, asdict(shape), CHAT_TEMPLATE, [p.text for p in _pieces()]])
    key = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    path = cache_dir / f"embedded-{shape.name}-{key}.gguf"
    if path.exists():
        return path
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=path.stem, suffix=".part", dir=cache_dir)
        os.close(handle)
        unfinished = Path(name)
        try:
            _write(unfinished, shape)
            unfinished.replace(path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                unfinished.unlink()
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the embedded model to {cache_dir}: {error.strerror or error}; "
            "choose a directory that can be written"
        ) from error
    return path


def _pieces() -> list[Piece]:
    return pieces(VOCABULARY - len(SPECIAL) - BYTE_COUNT)


class _Bits:
    """Random bytes from a bit generator whose raw stream numpy promises to keep."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.PCG64(seed)

    def take(self, rows: int, columns: int) -> Bytes:
        words = self._generator.random_raw(-(-rows * columns // 8))
        return words.astype("<u8").view(np.uint8)[: rows * columns].reshape(rows, columns)


def _blocks(scale: float, payload: Bytes) -> Bytes:
    """Blocks of one half-precision scale followed by their quantized bytes, one row each."""
    scales = np.full((len(payload), 1), scale, dtype="<f2").view(np.uint8)
    return np.concatenate([scales, payload], axis=1)


def _matrix(bits: _Bits, rows: int, columns: int, std: float, quantization: str) -> Bytes:
    """A random ``rows`` x ``columns`` matrix of zero mean and about ``std``, as quantized bytes."""
    if quantization == "Q4_0":  # 32 weights: a scale, 16 bytes of two nibbles each, 8 is zero
        payload = bits.take(rows * columns // 32, 16)
        low, high = payload & 15, payload >> 4
        payload = np.where(low == 0, 8, low) | (np.where(high == 0, 8, high) << 4)
        packed = _blocks(std / 4.18, payload.astype(np.uint8))
    elif quantization == "Q8_0":  # 32 weights: a scale, 32 signed bytes
        packed = _blocks(std / 73.9, bits.take(rows * columns // 32, 32))
    elif quantization == "IQ2_XXS":  # 256 weights: a scale, 64 bytes of grid indices, signs and sub-scales
        packed = _blocks(std / 38.0, bits.take(rows * columns // 256, 64))
    else:
        raise ConfigurationError(f"no recipe for quantization {quantization!r}: use Q4_0, Q8_0 or IQ2_XXS")
    return packed.reshape(rows, -1)


def _silent_first_row(matrix: Bytes) -> Bytes:
    """The same matrix with a zero first row: it never writes to the constant channel."""
    matrix[0] = 0
    return matrix


def _embedding_and_head(bits: _Bits, shape: Shape) -> tuple[Bytes, Bytes]:
    """Embedding and output head in Q8_0; see the module's docstring for the two things they arrange."""
    width = shape.embedding_length
    words = bits.take(VOCABULARY, width).view(np.int8).astype(np.int16)
    words[:, 0] = 127  # the constant channel
    noise = bits.take(VOCABULARY, width).view(np.int8).astype(np.int16)
    head = (noise - words) // 2  # half of it points away from the word itself
    head[:, 0] = 0
    muted = np.array([True] * (len(SPECIAL) + BYTE_COUNT) + [not piece.spoken for piece in _pieces()])
    head[muted] = 0
    head[muted, 0] = -127
    scales = np.full((VOCABULARY, width // 32, 1), 4.0 / (73.9 * width**0.5), dtype="<f2")
    scales[muted] = 1.0

    def pack(values: npt.NDArray[np.int16], scale: npt.NDArray[np.float16]) -> Bytes:
        payload = values.astype(np.int8).view(np.uint8).reshape(VOCABULARY, width // 32, 32)
        return np.concatenate([scale.view(np.uint8), payload], axis=2).reshape(VOCABULARY, -1)

    unit = np.full((VOCABULARY, width // 32, 1), 1 / 73.9, dtype="<f2")
    return pack(words, unit), pack(head, scales)


def _tensors(shape: Shape) -> Iterator[Tensor]:
    """Name, bytes and type of every tensor, in the order of the file."""
    bits = _Bits(shape.seed)
    kinds = gguf.GGMLQuantizationType
    body, eight = kinds[shape.quantization], kinds.Q8_0
    width, hidden = shape.embedding_length, shape.feed_forward_length
    keys = width // shape.head_count * shape.head_count_kv
    ones = np.ones(width, dtype=np.float32)
    embedding, head = _embedding_and_head(bits, shape)
    yield "token_embd.weight", embedding, eight
    yield "output.weight", head, eight
    yield "output_norm.weight", ones, None

    def matrix(rows: int, columns: int, gain: float = 1.0) -> Bytes:
        return _matrix(bits, rows, columns, gain / columns**0.5, shape.quantization)

    written = (2 * shape.block_count) ** -0.5  # all layers together add about as much as the embedding has
    for index in range(shape.block_count):
        block = f"blk.{index}."
        yield block + "attn_norm.weight", ones, None
        yield block + "attn_q.weight", matrix(width, width, 1.5), body
        yield block + "attn_k.weight", matrix(keys, width, 1.5), body
        yield block + "attn_v.weight", matrix(keys, width), body
        yield block + "attn_output.weight", _silent_first_row(matrix(width, width, 2 * written)), body
        yield block + "ffn_norm.weight", ones, None
        yield block + "ffn_gate.weight", matrix(hidden, width), body
        yield block + "ffn_up.weight", matrix(hidden, width), body
        yield block + "ffn_down.weight", _silent_first_row(matrix(width, hidden, 2 * written)), body


def _write(path: Path, shape: Shape) -> None:
    """Write the whole file: metadata, vocabulary, weights."""
    writer = gguf.GGUFWriter(path, "llama")
    _write_metadata(writer, shape)
    for name, data, quantization in _tensors(shape):
        writer.add_tensor(name, data, raw_dtype=quantization)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_metadata(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_name("embedded")
    writer.add_description("random weights, for measuring servers")
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{shape.quantization}"])
    writer.add_context_length(shape.context_length)
    writer.add_embedding_length(shape.embedding_length)
    writer.add_block_count(shape.block_count)
    writer.add_feed_forward_length(shape.feed_forward_length)
    writer.add_head_count(shape.head_count)
    writer.add_head_count_kv(shape.head_count_kv)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.embedding_length // shape.head_count)
    writer.add_vocab_size(VOCABULARY)
    spelled = [piece.text for piece in _pieces()]
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    kinds += [gguf.TokenType.BYTE] * BYTE_COUNT + [gguf.TokenType.NORMAL] * len(spelled)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(BYTE_COUNT)), *spelled])
    writer.add_token_scores([0.0] * (len(SPECIAL) + BYTE_COUNT) + [-float(i) for i in range(len(spelled))])
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
