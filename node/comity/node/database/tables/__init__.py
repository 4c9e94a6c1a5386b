"""The tables of a node.

Conventions: a table class is named for its subject and ``Row``; times are Unix milliseconds, UTC;
ids of records and digests are lower-case hex; payloads, disclosures, notes, proofs and roots are
kept as the bytes that came. Row numbers (``record_seq``, ``part_id``, ``offer_number``) are given
under the store's write lock, so that their order is the order of commits and a watermark never
skips a row.
"""

from comity.node.database.tables.alarms import AlarmRow
from comity.node.database.tables.log import (
    CheckpointRow,
    ClosedLogRow,
    CosignatureRow,
    LogEntryRow,
    LogHeadRow,
    LogTileRow,
)
from comity.node.database.tables.node import LeaseRow, NodeRow
from comity.node.database.tables.peers import (
    REFUSED,
    WAITING,
    NotStoredRow,
    PeerRow,
    QuarantineRow,
    ReceiptRow,
)
from comity.node.database.tables.policy import (
    DecisionRow,
    HandlingClassRow,
    PolicyVersionRow,
    RulingRow,
    TreatyRow,
)
from comity.node.database.tables.records import (
    HEADER,
    PartRow,
    RecordRow,
    RecordTagRow,
    SecondedRow,
    SubjectRow,
    WithdrawnRow,
)
from comity.node.database.tables.release import ReleaseRow
from comity.node.database.tables.roots import RootVersionRow
from comity.node.database.tables.search import SEARCH_TABLES, ItemRow, SearchIndexRow
from comity.node.database.tables.standing import StandingEntryRow, StandingRow
from comity.node.database.tables.witness import (
    InclusionRow,
    SightingRow,
    SplitViewRow,
    WitnessedLogRow,
)

__all__ = [
    "HEADER",
    "REFUSED",
    "SEARCH_TABLES",
    "WAITING",
    "AlarmRow",
    "CheckpointRow",
    "ClosedLogRow",
    "CosignatureRow",
    "DecisionRow",
    "HandlingClassRow",
    "InclusionRow",
    "ItemRow",
    "LeaseRow",
    "LogEntryRow",
    "LogHeadRow",
    "LogTileRow",
    "NodeRow",
    "NotStoredRow",
    "PartRow",
    "PeerRow",
    "PolicyVersionRow",
    "QuarantineRow",
    "ReceiptRow",
    "RecordRow",
    "RecordTagRow",
    "ReleaseRow",
    "RootVersionRow",
    "RulingRow",
    "SearchIndexRow",
    "SecondedRow",
    "SightingRow",
    "SplitViewRow",
    "StandingEntryRow",
    "StandingRow",
    "SubjectRow",
    "TreatyRow",
    "WithdrawnRow",
    "WitnessedLogRow",
]
