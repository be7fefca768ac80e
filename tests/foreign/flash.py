from dataclasses import replace

from harness.servers.kinds import OLLAMA, Launch, ServerKind

FLASH = {"OLLAMA_FLASH_ATTENTION": "1"}


def environment(launch: Launch) -> dict[str, str]:
    return {**OLLAMA.environment(launch), **FLASH}


def pytest_concurrency_servers() -> list[ServerKind]:
    return [replace(OLLAMA, name="flash", environment=environment, facts=lambda: FLASH)]
