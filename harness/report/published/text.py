"""The whole text: what the columns mean, each data set, the guide's table, the cells."""

from __future__ import annotations

from harness.judge.published import JudgedPublished
from harness.report.published.comparison import cell_lines, comparison_lines, report_lines
from harness.report.published.tables import dataset_lines
from harness.report.text import printable

_LEGEND = """
eff %       the guide's efficiency, (d1 + d2) / (2 wall). Both durations were measured TOGETHER: it says how equal they
            were, not what running together cost
SD          its sample standard deviation over the configuration's runs, percentage points
TTFT d      first agent's time to first token less the second one's, ms
tok/s d     second agent's decode rate less the first one's
flagged     runs flagged as contended by the recorded rule, speedup < 1.5
tok/s       decode rate together, mean over both agents
vs alone %  efficiency if each agent alone had decoded at the solo rate: an upper estimate, as all its other time
            (loads, prompts, waits) is taken as it was together
slow        runs with an agent more than {slow:g} % below the solo rate: the guide's second symptom
<{inefficient:g} %       runs whose vs alone % is below {inefficient:g}: the guide's third symptom
-           the guide's first symptom, a TTFT more than {ttft:g} s over the solo one, cannot be said: no solo TTFT was
            measured beside these runs
"""


def published_text(judged: JudgedPublished) -> str:
    """Everything that published runs say, in lines; with cells, the last line says how many are reproduced."""
    rules = judged.rules
    legend = _LEGEND.format(slow=rules.throughput_drop_pct, inefficient=rules.efficiency_pct, ttft=rules.ttft_s)
    lines = [*_rate_lines(judged), *legend.splitlines()]
    for dataset in judged.datasets:
        lines += ["", "", *dataset_lines(dataset, rules)]
    for part in (comparison_lines(judged.comparison), report_lines(judged.reports), cell_lines(judged.cells)):
        lines += ["", "", *part] if part else []
    return "\n".join(lines) + "\n"


def _rate_lines(judged: JudgedPublished) -> list[str]:
    if not judged.rates:
        return ["No solo rate: give --solo-tok-s RATE, or add solo runs (TR109) to the folder."]
    lines = []
    for model, rate in judged.rates.items():
        sd = "" if rate.sd is None else f", sample SD {rate.sd:.2f}"
        origin = f"mean over the {rate.n} solo runs of {rate.dataset}{sd}" if rate.n else "as given"
        lines.append(printable(f"Solo rate of {model}: {rate.tok_s:.2f} tok/s, {origin}."))
    return lines
