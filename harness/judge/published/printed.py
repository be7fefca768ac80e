"""A figure in the form in which another one was printed: as many digits, with its sign and its unit."""

from __future__ import annotations

import re

_FORM = re.compile(r"(?P<about>~?)(?P<sign>[+-]?)(?P<whole>\d[\d,]*)(?:\.(?P<digits>\d+))?(?P<unit>[^\d]*)")


def as_printed(printed: str, value: float) -> str:
    """``value`` in the form of ``printed``, such as ``1.598x``, ``+29,659``, ``~92.7%`` or ``7.4pp``.

    A leading ``~`` is dropped. A sign in ``printed`` means that every value of its kind has one.

    Raises:
        ValueError: If ``printed`` is no figure.
    """
    form = _FORM.fullmatch(printed)
    if form is None:
        raise ValueError(f"{printed!r} is no figure")
    sign = "+" if form["sign"] else ""
    group = "," if "," in form["whole"] else ""
    return f"{value:{sign}{group}.{len(form['digits'] or '')}f}{form['unit']}"


def is_as_printed(printed: str, value: float) -> bool:
    """True if ``value`` rounds to what is printed."""
    return as_printed(printed, value) == printed.removeprefix("~")


def is_figure(text: str) -> bool:
    """True if a text is a figure that :func:`as_printed` knows the form of."""
    return _FORM.fullmatch(text) is not None
