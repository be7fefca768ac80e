"""Whether a session may go on with the journal of another one: what was measured must not have changed meanwhile."""

from __future__ import annotations

from dataclasses import replace

from harness.records import Session
from harness.records.baseline import Difference
from harness.records.errors import ConfigurationError, JournalError
from harness.store.fingerprint import difference_lines, differences, fingerprint
from harness.store.stored import FORMAT, StoredSession

_SHOWN = 12


def require_resumable(stored: StoredSession, now: Session) -> None:
    """Passes if ``now`` would measure what the stored session measured, on the same host.

    Equal must be all facts of :func:`fingerprint` (model and its digest, servers and versions, GPUs, profile, the
    options of scenarios that both have), the host, the seed, and the base. Scenarios that only one of them has are
    no difference: a sweep may grow. Calibration, limits and ports may differ.

    Raises:
        JournalError: If the journal is of an older format, whose lines this version does not write.
        ConfigurationError: If anything differs; the message has a line for each difference.
    """
    if stored.format != FORMAT:
        raise JournalError(
            f"{stored.path} is of format {stored.format}, and this version writes {FORMAT}: it can be read and judged, "
            "but not gone on with; begin a new session"
        )
    different = resume_differences(stored.session, now)
    if different:
        more = f"\n  and {len(different) - _SHOWN} more" if len(different) > _SHOWN else ""
        raise ConfigurationError(
            f"--resume {stored.path}: its session measured something else than this one would; make these equal, or "
            f"begin a new session\n{difference_lines(different[:_SHOWN])}{more}"
        )


def resume_differences(stored: Session, now: Session) -> tuple[Difference, ...]:
    """What would keep ``now`` from going on with ``stored``."""
    found = [
        Difference("host", stored.environment.host, now.environment.host),
        Difference("seed", str(stored.seed), str(now.seed)),
        Difference("base", *("none" if each.base is None else each.base.model for each in (stored, now))),
    ]
    found = [each for each in found if each.stored != each.now]
    found += differences(fingerprint(stored), fingerprint(now))
    if stored.base is not None and now.base is not None:
        sides = [
            fingerprint(replace(each, servers=base.servers, model=base.model, options=base.options))
            for each, base in ((stored, stored.base), (now, now.base))
        ]
        known = {each.name for each in found}
        found += [
            replace(each, name=f"base: {each.name}")
            for each in differences(*sides)
            if each.name not in known or each.name.startswith("options.")
        ]
    return tuple(found)
