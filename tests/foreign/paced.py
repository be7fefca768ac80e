import sys

from harness.servers.kinds import Launch, ServerKind


def command(launch: Launch) -> list[str]:
    serve = [sys.executable, "-m", "harness", "truth", "--port", str(launch.port), "--slots", str(launch.parallel)]
    return [*serve, "--ttft-ms", "20", "--gap-ms", "2"]


def pytest_concurrency_servers() -> list[ServerKind]:
    return [ServerKind("paced", command, model="truth", facts=lambda: {"paced_gap_ms": "2"})]
