"""The tables of a node.

Conventions: times are Unix milliseconds, UTC; ids of records and digests are lower-case hex; what
is bulky and never searched (payloads, disclosures) is kept as the bytes that came. Row numbers
(``record_seq``, ``part_id``, ``offer_number``) are assigned under the store's write lock, so that
their order is the order of commits and a watermark never skips a row.
"""

from comity.node.database.tables.peers import (
    Lease,
    NodeState,
    PeerRow,
    Quarantine,
    ReceiptRow,
)
from comity.node.database.tables.records import (
    HEADER,
    HandlingClass,
    Part,
    PartDomain,
    RecordRow,
    RecordTag,
    Seconded,
    Subject,
    Withdrawn,
)
from comity.node.database.tables.release import (
    Decision,
    PolicyVersion,
    Release,
    Ruling,
    TreatyRow,
)
from comity.node.database.tables.standing import (
    Standing,
    StandingEntry,
)

__all__ = [
    "HEADER",
    "Decision",
    "HandlingClass",
    "Lease",
    "NodeState",
    "Part",
    "PartDomain",
    "PeerRow",
    "PolicyVersion",
    "Quarantine",
    "ReceiptRow",
    "RecordRow",
    "RecordTag",
    "Release",
    "Ruling",
    "Seconded",
    "Standing",
    "StandingEntry",
    "Subject",
    "TreatyRow",
    "Withdrawn",
]
