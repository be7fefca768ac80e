"""Text and data on their way into a page: what a model or a server wrote stays text, wherever it ends up.

Three places, each with a danger of its own: HTML (the page's templates make every text printable and escape it; here
it can also be isolated, so that right-to-left letters do not turn the line around it), a script element with JSON (it
must hold no ``<``, however harmless JSON finds it), and labels of plots (Plotly reads a little HTML in them).
"""

from __future__ import annotations

import base64
import hashlib
from unicodedata import bidirectional

import msgspec
from markupsafe import Markup, escape

from harness.report.text import printable

_IN_SCRIPT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_RIGHT_TO_LEFT = {"R", "AL", "AN"}
_LABEL = 28
_FIRST_STRONG, _POP = "\u2068", "\u2069"


def isolated(text: object) -> Markup:
    """Somebody else's text for HTML: printable, escaped, and in a direction of its own."""
    return Markup("<bdi>{}</bdi>").format(printable(str(text)))


def script_json(document: object) -> Markup:
    """A document as JSON for the inside of a script element; what is no finite number becomes null."""
    text = msgspec.json.encode(document).decode()
    for character, harmless in _IN_SCRIPT.items():
        text = text.replace(character, harmless)
    return Markup(text)  # noqa: S704 - holds no character that HTML knows


def inline_script(code: str) -> Markup:
    """A program of ours for the inside of a script element, unable to end it early."""
    code = code.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")
    return Markup(code)  # noqa: S704 - files of this package and of Plotly


def script_hash(code: str) -> str:
    """How a Content-Security-Policy names a script that may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"


def plot_text(text: str, most: int = _LABEL) -> str:
    """Somebody else's text for a label of a plot, cut where it would leave no room for the plot."""
    whole = printable(text)
    shown = str(escape(whole if len(whole) <= most else f"{whole[: most - 1]}…"))
    if any(bidirectional(character) in _RIGHT_TO_LEFT for character in shown):
        return f"{_FIRST_STRONG}{shown}{_POP}"
    return shown
