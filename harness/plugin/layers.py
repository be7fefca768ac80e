"""Where a setting comes from: command line, then environment, then a TOML file, then a preset.

What a value means is checked elsewhere, once for all of them (``options``); here it is only found, with its source.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path

from harness.plugin.flags import OPTIONS, REPEATED
from harness.records.errors import ConfigurationError
from harness.report.presets import SettingSource
from harness.scenarios.catalogue import CHIMERA, CHIMERA2
from harness.scenarios.presets import PRESETS
from harness.servers.registry import TOKEN_VARIABLE

SETTINGS, PRESET = "--settings", "--preset"
PREFIX = "HARNESS_"
COMMAND_LINE = "command line"
_FLAGS = tuple(dict.fromkeys((*(flag for flag, _, _ in OPTIONS), SETTINGS, PRESET)))
_SWITCHES = frozenset(flag for flag, metavar, _ in OPTIONS if metavar is None)
_SWITCH_WORDS = {"true": True, "1": True, "false": False, "0": False}
_HARNESS_CI = ("HARNESS_BUILD_ID", "HARNESS_PIPELINE_ID", "HARNESS_ACCOUNT_ID")
"""Harness CI (harness.io) sets these in every build, and dozens more with our prefix that are none of our business."""
_SURELY_MEANT = 0.8
_PAIR = ("--collector-ollama-url", "--insight-ollama-url")
_CONNECTED, _STARTED = ("--url", *_PAIR, "--parallel-url"), ("--server", "--servers", "--ports", "--pin")
_EITHER_OR = ((("--runs",), ("--max-runs",)), (("--url",), _PAIR), (_CONNECTED, _STARTED))
"""Flags that cannot stand beside each other: a higher layer that says the one thing withdraws the other below."""
_USER_IN_URL = re.compile(r"//[^/@\s]+@")


def variable(flag: str) -> str:
    """The environment variable of a flag: ``HARNESS_MAX_RUNS`` for ``--max-runs``."""
    return PREFIX + flag.removeprefix("--").replace("-", "_").upper()


@dataclass(frozen=True, slots=True)
class Given:
    """A value that a layer gives: text, texts (of a repeated option) or true/false (of a switch), and its source."""

    value: str | list[str] | bool
    source: str

    def __str__(self) -> str:
        if isinstance(self.value, bool):
            return str(self.value).lower()
        text = self.value if isinstance(self.value, str) else ", ".join(self.value)
        return _USER_IN_URL.sub("//***@", text)


Layer = Mapping[str, Given]


@dataclass(frozen=True, slots=True)
class Layers:
    """Every setting that was given, by layers, the highest first; called with a flag it gives the value that counts.

    Attributes:
        option: Gives the command line's value of a flag.
        layers: What each layer gives, by flag.
    """

    option: Callable[[str], object]
    layers: tuple[Layer, ...]

    def __call__(self, flag: str) -> object:
        """The value of a flag in the highest layer that gives it; what ``option`` says if none does."""
        rank = self._rank(flag)
        if rank is None or self._withdrawn_by(flag, rank):
            return self.option(flag)
        return self.layers[rank][flag].value

    def _rank(self, flag: str) -> int | None:
        return next((rank for rank, layer in enumerate(self.layers) if flag in layer), None)

    def _withdrawn_by(self, flag: str, rank: int) -> tuple[str, ...]:
        """Flags of higher layers, themselves not withdrawn, beside which this layer's value cannot stand."""
        return tuple(
            rival
            for rival in self._rivals(flag)
            if (above := self._rank(rival)) is not None and above < rank and not self._withdrawn_by(rival, above)
        )

    def _rivals(self, flag: str) -> tuple[str, ...]:
        rank = self._rank("--server")
        if rank is not None and self.layers[rank]["--server"].value == "connect":  # stands beside URLs
            either_or = tuple((one, tuple(f for f in other if f != "--server")) for one, other in _EITHER_OR)
        else:
            either_or = _EITHER_OR
        sides = (pair for one, other in either_or for pair in ((one, other), (other, one)))
        return tuple(rival for mine, rivals in sides if flag in mine for rival in rivals)

    def sources(self) -> tuple[SettingSource, ...]:
        """Every setting that is not simply the command line's: its value, its source, and what it was put over."""
        found = []
        for flag in _FLAGS:
            rank = self._rank(flag)
            if rank is None or self._withdrawn_by(flag, rank):
                continue
            counts = self.layers[rank][flag]
            over = [(str(layer[flag]), layer[flag].source) for layer in self.layers[rank + 1 :] if flag in layer]
            for rival in self._rivals(flag):
                below = self._rank(rival)
                if below is not None and flag in self._withdrawn_by(rival, below):
                    lost = self.layers[below][rival]
                    over.append((f"{rival.removeprefix('--')} = {lost}", lost.source))
            if over or counts.source != COMMAND_LINE:
                found.append(SettingSource(flag.removeprefix("--"), str(counts), counts.source, tuple(over)))
        return tuple(found)

    def explained(self, message: str) -> str:
        """An error about the settings, with the source of each flag in it that is not the command line's."""
        named = dict.fromkeys(re.findall(r"--[a-z0-9][a-z0-9-]*", message))
        sources = [
            f"{flag} from {self.layers[rank][flag].source}"
            for flag in named
            if (rank := self._rank(flag)) is not None and not self._withdrawn_by(flag, rank)
            if self.layers[rank][flag].source != COMMAND_LINE
        ]
        return f"{message} ({'; '.join(sources)})" if sources else message


def layered(option: Callable[[str], object], environ: Mapping[str, str]) -> Layers:
    """The settings of a session from all layers.

    The file is the one that ``--settings``, or else the environment, names; the preset likewise, or else the file.

    Args:
        option: Gives the command line's value of a flag; None, False or [] if it was not given.
        environ: The environment.

    Raises:
        ConfigurationError: If the file cannot be read, or a name is unknown or a value of the wrong type in the file
            or the environment; in one line.
    """
    given = {flag: option(flag) for flag in _FLAGS}
    line = {flag: _from_line(value) for flag, value in given.items() if value not in (None, False, [])}
    above: tuple[Layer, ...] = (line, _environment(environ))
    named = next((layer[SETTINGS] for layer in above if SETTINGS in layer), None)
    if named is not None:
        above = (*above, _file(Path(str(named.value)), named.source))
    preset = next((layer[PRESET] for layer in above if PRESET in layer), None)
    return Layers(option, (*above, _preset(preset)) if preset is not None else above)


def _from_line(value: object) -> Given:
    if isinstance(value, list):
        return Given([str(each) for each in value], COMMAND_LINE)
    return Given(value if isinstance(value, bool) else str(value), COMMAND_LINE)


def _nearest(name: str, known: Iterable[str]) -> str:
    return get_close_matches(name, list(known), 1, 0.0)[0]


def _environment(environ: Mapping[str, str]) -> Layer:
    flags = {variable(flag): flag for flag in _FLAGS}
    on_harness_ci = any(name in environ for name in _HARNESS_CI)
    found: dict[str, Given] = {}
    for name, text in environ.items():
        if not name.startswith(PREFIX) or name == TOKEN_VARIABLE:
            continue
        if name not in flags:
            bare = {known.removeprefix(PREFIX): known for known in flags}
            near = get_close_matches(name.removeprefix(PREFIX), bare, 1, _SURELY_MEANT if on_harness_ci else 0.0)
            if near:
                raise ConfigurationError(f"environment: {name!r} is unknown; the nearest is {bare[near[0]]}")
        elif text.strip():  # set to nothing is the shell's way to not set it
            found[flags[name]] = Given(_from_text(flags[name], text.strip(), name), f"environment {name}")
    return found


def _from_text(flag: str, text: str, name: str) -> str | list[str] | bool:
    if flag in REPEATED:
        return [part.strip() for part in re.split("[,;]", text) if part.strip()]
    if flag not in _SWITCHES:
        return text
    if text.lower() not in _SWITCH_WORDS:
        raise ConfigurationError(f"environment: {name}={text!r} is a switch: write true, false, 1 or 0")
    return _SWITCH_WORDS[text.lower()]


def _file(path: Path, named_by: str) -> Layer:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"settings {path} ({named_by}): not valid TOML: {error}") from error
    except (OSError, ValueError) as error:  # not there, no text, or no path at all
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"settings {path} ({named_by}): cannot be read: {why}") from error
    keys = [flag.removeprefix("--") for flag in _FLAGS if flag != SETTINGS]
    for key, value in document.items():
        if key not in keys:
            table = " (there are no tables: write chimera-num-ctx = 1024)" if isinstance(value, dict) else ""
            raise ConfigurationError(f"{path}: {key!r} is unknown; the nearest is {_nearest(key, keys)}{table}")
    return {f"--{key}": Given(_from_toml(f"--{key}", value, path), path.name) for key, value in document.items()}


def _from_toml(flag: str, value: object, path: Path) -> str | list[str] | bool:
    key = flag.removeprefix("--")
    if flag in _SWITCHES:
        if not isinstance(value, bool):
            raise ConfigurationError(f"{path}: {key} is a switch: write true or false, got {value!r}")
        return value
    if flag in REPEATED:
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ConfigurationError(f'{path}: {key} must be texts, ["...", "..."], got {value!r}')
        return texts
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ConfigurationError(f"{path}: {key} must be a text or a number, got {value!r}")
    return str(value)


def _preset(named: Given) -> Layer:
    name = str(named.value)
    if name not in PRESETS:
        raise ConfigurationError(
            f"{PRESET} {name!r} ({named.source}) is unknown; the nearest is {_nearest(name, PRESETS)}; "
            f"choose from: {', '.join(PRESETS)}"
        )
    return {
        f"--{group}-{option.replace('_', '-')}": Given(str(value), f"preset {name}")
        for group in (CHIMERA, CHIMERA2)
        for option, value in asdict(PRESETS[name].options).items()
        if value is not None
    }
