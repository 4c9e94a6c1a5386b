"""Beginning another log, where this institute's log was halted and may have lost signed entries.

    (1) a key is made for a new log, in the home
    (2) the institute's bundle lists it: at once without a root, else with the root's next version
    (3) the halted log is closed and the new one begins, in the transaction of (2)

Invariant: no log begins whose key could have signed in a life of the database that is lost; see
``log.new_log``.
"""

from __future__ import annotations

from typing import Any

from comity.node.database.clock import to_datetime
from comity.node.home.key_files import make_log_key
from comity.node.log.head import log_head
from comity.node.log.new_log import begin_log, closed_logs, least_number
from comity.node.log.tree import tree_size
from comity.node.trust.known_keys import remember_keys
from comity.node.trust.site import Site
from comity.record.errors import Conflict
from comity.record.log import newest_log, next_log, origin
from comity.record.times import format_time


def make_new_log(site: Site) -> str:
    """Make the key of a new log unless one waits already; return the log's name: step (1).

    Raises:
        Conflict: the present log is not halted.
        BadConfig: the home cannot be written.
    """
    with site.store.read() as session:
        head, least = log_head(session), least_number(session)
    if not head.halted:
        hint = "keys rotate log replaces its key, and comity-node log list shows its state"
        raise Conflict("the log is not halted: it needs no other in its place", hint=hint)

    # a second call makes no second key
    names = [key.name for key in site.own.keychain.log]
    newest = newest_log(site.institute, names)
    if newest < least:
        listed = newest_log(site.institute, site.bundle.log_keys)
        newest = next_log(to_datetime(site.clock()), max(newest, listed, least - 1))
        make_log_key(site.home.path, newest)
        remember_keys(site.store, site.home.path, site.own.keychain)
    return origin(site.institute, newest)


def begin_listed_log(site: Site) -> bool:
    """Begin the newest log that the bundle in force lists, if it may begin: step (3)."""
    number = site.own.keychain.newest_log(site.bundle)
    with site.store.write() as session:
        return begin_log(session, number, site.clock())


def describe_logs(site: Site) -> list[dict[str, Any]]:
    """Return the JSON form of each log of this institute, the oldest first.

    ``size`` counts leaves here, and ``signed`` those under the newest checkpoint. ``toldSize`` is
    the size of a larger or contradicting checkpoint that a peer holds, None if there is none.
    """
    with site.store.read() as session:
        closed, head, size = closed_logs(session), log_head(session), tree_size(session)

    values = [
        {
            "origin": origin(site.institute, row.log_number),
            "state": "closed",
            "size": row.size,
            "signed": row.size,
            "toldSize": row.told_size or None,
            "halted": row.halted,
            "closedTime": format_time(to_datetime(row.closed_time)),
        }
        for row in closed
    ]
    values.append(
        {
            "origin": origin(site.institute, head.log_number),
            "state": "halted" if head.halted else "signed",
            "size": size,
            "signed": head.size,
            "toldSize": head.told_size or None,
            "halted": head.halted,
            "closedTime": None,
        }
    )
    return values
