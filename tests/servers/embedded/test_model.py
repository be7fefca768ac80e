"""The model that is made here: the same bytes every time, and a vocabulary that can spell itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from harness.records.errors import ConfigurationError
from harness.servers.embedded.catalog import read_model
from harness.servers.embedded.model import SHAPES, VOCABULARY, ensure_model
from harness.servers.embedded.words import BYTE_COUNT, SPACE, SPECIAL, WORDS, pieces

TINY = replace(SHAPES["light"], block_count=1)


def test_the_same_recipe_makes_the_same_bytes(tmp_path: Path) -> None:
    """Also when two make it at once, and no unfinished file stays behind."""
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda _: ensure_model(tmp_path / "a", TINY), range(2))
    other = ensure_model(tmp_path / "b", TINY)
    assert one == two
    assert one.read_bytes() == other.read_bytes()
    assert list((tmp_path / "a").iterdir()) == [one]


def test_the_bytes_are_those_of_this_version(tmp_path: Path) -> None:
    """A change of the weights must come with a new RECIPE_VERSION: timings of two recipes do not compare."""
    digest = read_model(ensure_model(tmp_path, TINY)).digest
    assert digest == "40346cd9c186776998fe48c9b261302b898efc98b0bdc521bff438e2c5f18933"


def test_a_made_model_is_not_made_again(tmp_path: Path) -> None:
    """And another recipe is another file."""
    path = ensure_model(tmp_path, TINY)
    made = path.stat().st_mtime_ns
    assert ensure_model(tmp_path, TINY).stat().st_mtime_ns == made
    assert ensure_model(tmp_path, replace(TINY, seed=1)) != path


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The message names the directory and what to do."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ConfigurationError, match=r"file.*choose a directory"):
        ensure_model(blocked, TINY)


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    """Whether it is missing or something else."""
    (tmp_path / "text").write_text("no model at all")
    for name in ("text", "missing"):
        with pytest.raises(ConfigurationError, match=f"{name}.*GGUF"):
            read_model(tmp_path / name)


def test_every_prefix_of_a_piece_is_a_piece() -> None:
    """Or a pairwise merge would never reach it."""
    texts = {piece.text for piece in pieces(VOCABULARY - BYTE_COUNT - len(SPECIAL))}
    assert len(texts) == VOCABULARY - BYTE_COUNT - len(SPECIAL)
    assert all(text[:end] in texts for text in texts for end in range(1, len(text)))


def test_every_word_is_a_piece_and_comes_before_what_could_split_it() -> None:
    """A word grows from its beginning before any part of its end merges."""
    made = pieces(VOCABULARY - BYTE_COUNT - len(SPECIAL))
    texts = [piece.text for piece in made]
    assert {SPACE + word for word in WORDS} <= set(texts)
    begins = [text.startswith(SPACE) for text in texts]
    assert begins == sorted(begins, reverse=True)
    assert {piece.text for piece in made if piece.spoken} == {SPACE + word for word in WORDS} | {".", ","}
