"""The server between its parts: paths, the present configuration, and the way of a request to its answer."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Sequence

from harness.records.errors import ConfigurationError
from harness.servers.embedded.options import RequestError
from harness.servers.truth import catalog
from harness.servers.truth.answer import Generation, Loading
from harness.servers.truth.asked import Asked, read_native, read_openai, read_show
from harness.servers.truth.clock import monotonic_ns
from harness.servers.truth.connection import Connection
from harness.servers.truth.device import Device
from harness.servers.truth.exchange import TEXT, Reply, Request, error_reply, json_reply
from harness.servers.truth.faults import make_stream
from harness.servers.truth.formats import Figures, openai_error
from harness.servers.truth.log import PROMPT_CHARACTERS, Entry, TrueLog
from harness.servers.truth.loop import Loop, Timers
from harness.servers.truth.memory import Memory
from harness.servers.truth.plan import Plan
from harness.servers.truth.port import Port, Visit
from harness.servers.truth.spec import SLOW_LOAD, STATUSES, Fault, decode_config, encode_config
from harness.servers.truth.stream import Whole

log = logging.getLogger(__name__)

VERSION = "0.24.0"  # the Ollama whose behaviour this is
_STATUS_TEXTS = {
    400: "invalid request: the options are not valid",
    500: "llama runner process has terminated: exit status 2",
    503: "server busy, please try again.  maximum pending requests exceeded",
}
_WORDS = {404: b"404 page not found", 405: b"405 method not allowed"}

Answerer = Callable[[int, Connection, Request], Reply | None]
"""Answers a request at a port (its position): with a whole answer, or later by itself."""


class App:
    """Everything behind the connections."""

    def __init__(self, ports: Sequence[int], plan: Plan, loop: Loop, timers: Timers, device: Device) -> None:
        """An app for the ports of these numbers, with the plan for as many."""
        self._numbers = tuple(ports)
        self._plan = plan
        self._loop = loop
        self._timers = timers
        self._device = device
        self._log = TrueLog()
        memory = Memory()
        self._ports = tuple(Port(position, device, memory, timers.call_at) for position in range(len(ports)))
        self._paths = self._routes()

    def handle(self, position: int, connection: Connection, request: Request) -> None:
        """Answers a request, now or later."""
        self._loop.catch_up(request.read_ns)
        methods = self._paths.get(request.path) or self._named_path(request.path)
        answerer = methods.get(request.method)
        if answerer is None:
            status = 405 if methods else 404
            connection.reply(Reply(_WORDS[status], status, TEXT))
            return
        try:
            reply = answerer(position, connection, request)
        except RequestError as error:
            reply = _refusal(request, str(error), error.status)
        except Exception as error:
            log.exception("%s failed", request.path)
            reply = _refusal(request, f"{type(error).__name__}: {error}", 500)
        if reply is not None:
            connection.reply(reply)

    def _routes(self) -> dict[str, dict[str, Answerer]]:
        def get(body: Callable[[int], Reply]) -> dict[str, Answerer]:
            return {method: lambda position, _, __: body(position) for method in ("GET", "HEAD")}

        def answers(read: Callable[[bytes, bool], Asked], chat: bool) -> dict[str, Answerer]:
            def answer(position: int, connection: Connection, request: Request) -> Reply | None:
                return self._answer(read(request.body, chat), position, connection, request)

            return {"POST": answer}

        return {
            "/": get(lambda _: Reply(b"Ollama is running", content_type=TEXT)),
            "/api/version": get(lambda _: json_reply({"version": VERSION})),
            "/api/tags": get(lambda _: json_reply(catalog.tags_body(self._plan.config.models))),
            "/api/ps": get(lambda position: json_reply(catalog.ps_body(self._ports[position].loaded()))),
            "/api/show": {"POST": self._show},
            "/api/generate": answers(read_native, False),
            "/api/chat": answers(read_native, True),
            "/v1/completions": answers(read_openai, False),
            "/v1/chat/completions": answers(read_openai, True),
            "/v1/models": get(lambda _: json_reply(catalog.openai_body(self._plan.config.models))),
            "/truth/log": get(lambda _: Reply(self._log.encode())) | {"DELETE": self._clear},
            "/truth/models": {"DELETE": self._unload},
            "/truth/config": get(lambda _: Reply(encode_config(self._plan.config))) | {"PUT": self._configure},
        }

    def _named_path(self, path: str) -> dict[str, Answerer]:
        """The one path that has a name in it."""
        start, _, name = path.partition("/v1/models/")
        if start or not name:
            return {}
        return {"GET": lambda *_: json_reply(catalog.openai_model(self._plan.model(name)))}

    def _show(self, _: int, __: Connection, request: Request) -> Reply:
        self._plan.model(read_show(request.body))
        return json_reply(catalog.show_body())

    def _clear(self, *_: object) -> Reply:
        self._log.clear()
        gc.collect()  # the collector is off; nothing is measured now
        return json_reply({})

    def _unload(self, _: int, __: Connection, request: Request) -> Reply:
        for port in self._ports:
            port.unload_all(request.read_ns)
        return json_reply({})

    def _configure(self, _: int, __: Connection, request: Request) -> Reply:
        try:
            self._plan = Plan(decode_config(request.body), len(self._ports))
        except ConfigurationError as error:
            return error_reply(str(error), 400)
        at_ns = monotonic_ns()
        self._loop.catch_up(at_ns)
        self._device.reconfigure(self._plan.config.device, at_ns)
        for port in self._ports:
            port.move(at_ns)
        gc.collect()
        return json_reply({})

    def _answer(self, asked: Asked, position: int, connection: Connection, request: Request) -> Reply | None:
        """Sets the answer to a request going."""
        model, port = self._plan.model(asked.model), self._ports[position]
        if asked.empty and asked.keep_alive_s == 0:
            port.unload(model.name, request.read_ns)
            return Reply(asked.format.whole("", Figures("unload")))
        behaviour = self._plan.behaviour(position, empty=asked.empty)
        fault = behaviour.fault
        entry = Entry(
            port=self._numbers[position],
            path=request.path,
            prompt=asked.prompt[:PROMPT_CHARACTERS],
            arrived_ns=request.arrived_ns,
            read_ns=request.read_ns,
        )
        if fault is not None and fault.kind in STATUSES:
            self._refuse(asked, fault, entry, connection, request)
            return None
        visit = Visit(
            model=model,
            options=asked.options,
            wants_slot=not asked.empty,
            keep_alive_s=asked.keep_alive_s,
            slow=fault is not None and fault.kind == SLOW_LOAD,
        )
        if asked.empty:
            Loading(connection, request, asked, entry, port, visit, self._log).begin(request.read_ns)
            return None
        if asked.stream:
            stream = make_stream(connection, request, asked.format, entry, self._timers, fault)
        else:
            stream = Whole(connection, request, asked.format, entry)
        work = self._plan.work(position, behaviour, asked)
        Generation(connection, stream, entry, work, fault, port, visit, self._device, self._log).begin(request.read_ns)
        return None

    def _refuse(self, asked: Asked, fault: Fault, entry: Entry, connection: Connection, request: Request) -> None:
        status = STATUSES[fault.kind]
        message = _STATUS_TEXTS.get(status, f"model '{asked.model}' not found")
        connection.send(_refusal(request, message, status).encode(request), entry)
        entry.outcome = fault.kind
        self._log.add(entry)
        connection.end()


def _refusal(request: Request, message: str, status: int) -> Reply:
    if request.path.startswith("/v1/"):
        return json_reply(openai_error(message, status), status)
    return error_reply(message, status)
