"""Published runs judged: their tables again, what the raw runs say of printed figures, and a solo rate beside them."""

from harness.judge.published.cells import CellCheck
from harness.judge.published.claims import GUIDE, SPREAD, Candidate, Check, Claim, Column
from harness.judge.published.figures import DatasetFigures
from harness.judge.published.guide import Comparison, ComparisonRow
from harness.judge.published.judged import JudgedPublished, judge_published
from harness.judge.published.runs import RunFigures, RunMeans, SoloComparison
from harness.judge.published.solo import SoloRate
from harness.judge.published.spread import Spread, floor_percentile, upper_median

__all__ = [
    "GUIDE",
    "SPREAD",
    "Candidate",
    "CellCheck",
    "Check",
    "Claim",
    "Column",
    "Comparison",
    "ComparisonRow",
    "DatasetFigures",
    "JudgedPublished",
    "RunFigures",
    "RunMeans",
    "SoloComparison",
    "SoloRate",
    "Spread",
    "floor_percentile",
    "judge_published",
    "upper_median",
]
