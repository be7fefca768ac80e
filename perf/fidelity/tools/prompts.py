"""Files that both tools want: the prompts, and a tokenizer that needs no model hub."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

_UNKNOWN = "[UNK]"


def write_prompts(path: Path, nonces: Iterable[str], *, column: str) -> None:
    """A JSON object a line, each with its prompt in ``column``."""
    lines = (json.dumps({column: f"{nonce} tell me of the sea"}) for nonce in nonces)
    path.write_text("\n".join(lines) + "\n", "utf-8")


def write_tokenizer(folder: Path) -> None:
    """A tokenizer that splits words and knows none: both tools load one, and count by the server's own figures."""
    folder.mkdir()
    tokenizer = {
        "version": "1.0",
        "added_tokens": [
            {
                "id": 0,
                "content": _UNKNOWN,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
        ],
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": {_UNKNOWN: 0}, "unk_token": _UNKNOWN},
    }
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": _UNKNOWN}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
