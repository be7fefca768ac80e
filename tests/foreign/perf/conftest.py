from harness.scenarios import AgentSpec, Ask, Scenario


async def write(ask: Ask) -> None:
    await ask("draft", "Write a long story of two servers.")
    await ask("revise", "Write a long list of what such a story leaves out.")


def pytest_concurrency_scenarios() -> list[Scenario]:
    agents = (AgentSpec("Writer", write), AgentSpec("Critic", write))
    return [Scenario("mine", "two writers", agents, limits={"measured_speedup": 1.2})]
