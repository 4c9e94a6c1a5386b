"""Fair shares: how many calls each caller may have at a time, and which threads serve it.

    before a caller is known   MAX_ADMISSIONS for a certificate, MAX_VOUCHED for those that one
                               authority of another institute has signed
    a peer institute           MAX_PEER_CALLS
    a person here              MAX_PERSON_CALLS
    all but operators here     MAX_CALLS

Calls are counted from their headers on, before any request is read. Invariants: a caller that has
used up its share is refused at once, and nobody else is; operators of this institute have calls
and threads that no other caller can take (invariant 10).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from comity.node.server.threads import (
    OPERATOR_THREADS,
    PEER_THREADS,
    PEOPLE_THREADS,
    ThreadShare,
)
from comity.record.limits import Limit
from comity.record.spiffe import Role, SpiffeId

MAX_PEER_CALLS: Final = Limit("MAX_PEER_CALLS", 32, "calls")
"""Calls of one peer at a time: it needs one stream, and reconnects over bad lines need the rest."""

MAX_PERSON_CALLS: Final = Limit("MAX_PERSON_CALLS", 32, "calls")
"""Calls of one person of this institute at a time: some watches, and what the person asks."""

MAX_CALLS: Final = Limit("MAX_CALLS", 1024, "calls")
"""Calls of all peers and people at a time, without operators; each holds memory and files."""

MAX_ADMISSIONS: Final = Limit("MAX_ADMISSIONS", 16, "calls")
"""Calls with one certificate whose caller is being looked up."""

MAX_VOUCHED: Final = Limit("MAX_VOUCHED", 64, "calls")
"""Calls whose caller is being looked up, with certificates of one authority of another institute:
an authority can sign any number."""


class Shares:
    """Counts the calls of one node that are in flight."""

    def __init__(self, institute: str) -> None:
        self._institute = institute
        self._admissions = Counter[Hashable]()
        self._calls = Counter[str]()
        self._threads: dict[str, ThreadShare] = {}
        self._total = 0

    @contextmanager
    def admission(self, certificate: Hashable, authority: Hashable | None) -> Iterator[None]:
        """Count a call while its caller is looked up.

        ``authority`` names the authority that signed the certificate; None if it is this
        institute's own.

        Raises:
            LimitExceeded: MAX_ADMISSIONS or MAX_VOUCHED.
        """
        keys = [(certificate, MAX_ADMISSIONS)]
        if authority is not None:
            keys.append((authority, MAX_VOUCHED))

        for key, limit in keys:
            limit.check(self._admissions[key] + 1, "calls")
        self._admissions.update(key for key, _ in keys)
        try:
            yield
        finally:
            self._admissions.subtract(key for key, _ in keys)
            # strangers choose the keys: what is at rest is forgotten
            for key, _ in keys:
                if not self._admissions[key]:
                    del self._admissions[key]

    @contextmanager
    def call(self, caller: SpiffeId) -> Iterator[ThreadShare]:
        """Count a call of a caller, and yield its share of the threads.

        Raises:
            LimitExceeded: MAX_PEER_CALLS, MAX_PERSON_CALLS or MAX_CALLS.
        """
        here = caller.institute == self._institute
        is_operator = here and caller.role == Role.OPERATOR
        name = str(caller) if here else caller.institute

        limit = MAX_PERSON_CALLS if here else MAX_PEER_CALLS
        limit.check(self._calls[name] + 1, "calls")
        if not is_operator:
            MAX_CALLS.check(self._total + 1, "calls")

        self._calls[name] += 1
        self._total += not is_operator
        try:
            yield self._threads.setdefault(name, ThreadShare(_pool(here, is_operator)))
        finally:
            self._calls[name] -= 1
            self._total -= not is_operator
            if not self._calls[name]:
                del self._calls[name], self._threads[name]


def _pool(here: bool, is_operator: bool) -> ThreadPoolExecutor:
    if is_operator:
        return OPERATOR_THREADS
    return PEOPLE_THREADS if here else PEER_THREADS
