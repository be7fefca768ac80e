"""What each request is to get, by the present configuration."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator

from harness.records.errors import ConfigurationError
from harness.servers.embedded.names import canonical_name
from harness.servers.embedded.options import RequestError
from harness.servers.truth.answer import Work
from harness.servers.truth.asked import Asked
from harness.servers.truth.draws import durations
from harness.servers.truth.spec import MIN_GAP_MS, Behaviour, ModelSpec, Timing, TruthConfig

DEFAULT_TOKENS = 128
_MS_PER_S = 1000.0


class Plan:
    """One configuration, as far as it is used up."""

    def __init__(self, config: TruthConfig, ports: int) -> None:
        """A configuration for so many ports.

        Raises:
            ConfigurationError: it names a port that is not there.
        """
        strange = [position for position in config.by_port if position >= ports]
        if strange:
            raise ConfigurationError(f"by_port names port {strange[0]}: write positions below {ports}")
        self.config = config
        self._models = {canonical_name(model.name): model for model in config.models}
        self._script = deque(config.script)
        self._prefills: dict[tuple[int, Timing], Iterator[float]] = {}
        self._requests = [itertools.count() for _ in range(ports)]

    def model(self, name: str) -> ModelSpec:
        """The model of that name.

        Raises:
            RequestError: there is none.
        """
        canonical = canonical_name(name.strip())
        if not canonical and name.strip():
            raise RequestError(400, "invalid model name")
        if canonical not in self._models:
            raise RequestError(404, f"model '{name}' not found")
        return self._models[canonical]

    def behaviour(self, position: int, *, empty: bool) -> Behaviour:
        """Of the next request at a port; one without a prompt uses up nothing of the script."""
        if self._script and not empty:
            return self._script.popleft()
        return self.config.by_port.get(position, self.config.behaviour)

    def work(self, position: int, behaviour: Behaviour, asked: Asked) -> Work:
        """What the answer costs. Draws depend on the seed, the port and the request's number there."""
        seed = f"{self.config.seed}/{position}"
        place = (position, behaviour.ttft)
        prefills = self._prefills.setdefault(place, durations(behaviour.ttft, f"{seed}/ttft"))
        tokens = behaviour.tokens if behaviour.tokens is not None else asked.tokens or DEFAULT_TOKENS
        return Work(
            prompt_words=asked.words,
            prefill_ns=next(prefills),
            gaps_ns=durations(behaviour.gaps, f"{seed}/{next(self._requests[position])}"),
            tokens=tokens,
            tok_s=_MS_PER_S / max(MIN_GAP_MS, behaviour.gaps.mean_ms),
        )
