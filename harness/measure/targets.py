"""Which model of each server may be probed without loading anything, and why one may not."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence

from harness.measure.looking import ANSWER_S, train_context
from harness.protocol import normalized_model
from harness.records.errors import HarnessError
from harness.records.watch import HeldModel, ServerLook
from harness.scenarios.watching import ProbeSettings
from harness.servers.fleet import Server

_CAPPED_BEFORE = (0, 30)
"""Ollama before this compared a request's num_ctx with the one asked for at the load, not with the one it gave."""


class Targets:
    """Chooses for the same servers again and again."""

    def __init__(self, servers: Mapping[str, Server], settings: ProbeSettings) -> None:
        """Servers by URL, and what a probe is to be."""
        self._servers = servers
        self._settings = settings
        self._asked: dict[str, str] = {}
        self._given_up: dict[str, str] = {}
        self._trained: dict[tuple[str, str], int | None] = {}

    async def choose(
        self, looks: Sequence[ServerLook], over: Collection[tuple[str, str]]
    ) -> tuple[dict[str, HeldModel], dict[str, str]]:
        """By URL the model to probe; and by URL, why there is none.

        Args:
            looks: The servers.
            over: URL and name of models that nobody but the probes keeps loaded.
        """
        targets: dict[str, HeldModel] = {}
        unprobed: dict[str, str] = {}
        for look in looks:
            model = self._model(look)
            if look.trouble is not None:
                self._given_up.pop(look.url, None)  # a restarted server has loaded its models anew
                unprobed[look.url] = "it does not answer"
            elif look.url in self._given_up:
                unprobed[look.url] = self._given_up[look.url]
            elif model is None:
                wanted = self._settings.model
                unprobed[look.url] = "no model is loaded" if wanted is None else f"{wanted} is not loaded"
            elif (look.url, model.name) in over:
                unprobed[look.url] = f"nobody else has used {model.name} for its keep-alive: it is left to expire"
            elif reason := await self._other_options(look, model):
                unprobed[look.url] = reason
            else:
                targets[look.url] = model
        return targets, unprobed

    def give_up(self, url: str, reason: str) -> str:
        """A server is not probed any more until it has been down; gives the reason back."""
        self._given_up[url] = reason
        return reason

    def _model(self, look: ServerLook) -> HeldModel | None:
        """The model asked for; else the one asked before, as long as it is there; else the first."""
        if self._settings.model is not None:
            wanted = normalized_model(self._settings.model)
            return next((each for each in look.models if normalized_model(each.name) == wanted), None)
        model = look.held(self._asked.get(look.url, "")) or next(iter(look.models), None)
        if model is not None:
            self._asked[look.url] = model.name
        return model

    async def _other_options(self, look: ServerLook, model: HeldModel) -> str | None:
        """Why a probe would come with another context than the model was loaded with, or might; None if it would not.

        Source: ``needsReload`` in Ollama's ``server/sched.go``; from 0.30 on it caps both sides.
        """
        asked, held = self._settings.options.get("num_ctx"), model.context_length
        try:
            trained = await self._trained_context(look.url, model)
        except (HarnessError, TimeoutError) as error:
            return f"it does not tell of {model.name}: {error}"
        if asked is not None and held and asked != held and not (trained == held and asked > held):
            return f"{model.name} is loaded with a context of {held}: num_ctx={asked:g} would load it again"
        if not model.size_vram and "num_thread" not in self._settings.options:
            return (
                f"{model.name} is on the CPU, and a probe with other threads than it was loaded with would load it "
                "again: write --option num_thread=N (0: whoever uses it sends none)"
            )
        if asked is None and trained == held and _version(look.version) < _CAPPED_BEFORE:
            return (
                f"{model.name} has its full context ({held}): this Ollama does not tell what was asked for; "
                "write it, for example --option num_ctx=4096"
            )
        return None

    async def _trained_context(self, url: str, model: HeldModel) -> int | None:
        key = (url, model.digest or model.name)
        if key not in self._trained:
            async with asyncio.timeout(ANSWER_S):
                self._trained[key] = await train_context(self._servers[url], model.name)
        return self._trained[key]


def _version(text: str) -> tuple[int, ...]:
    """The first two numbers of a version; a build without one (0.0.0) counts as old."""
    return tuple(int(part) for part in re.findall(r"\d{1,9}", text)[:2]) or (0,)
