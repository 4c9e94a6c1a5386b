"""Everyone outside a node: drafts, verification, exports, and the connection to one's own node."""

import os

# gRPC's core writes lines of its own to stderr, which repeat what calls report as errors; it reads
# this once, when it is imported
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from comity.client.connection.node import Node, connect
from comity.client.connection.profile import Profile
from comity.client.connection.profile_store import ProfileStore
from comity.client.connection.results import Filter, Page, Result, SignedReceipt
from comity.client.drafts.draft import Draft
from comity.client.exports.checking import verify_path
from comity.client.exports.writing import export_record
from comity.client.verify.evidence import Evidence
from comity.client.verify.record_steps import verify_record
from comity.client.verify.record_view import RecordView, SectionStatus, SectionView
from comity.client.verify.steps import Outcome, Step, Verdict, Verification
from comity.client.verify.trust import Trust

__all__ = [
    "Draft",
    "Evidence",
    "Filter",
    "Node",
    "Outcome",
    "Page",
    "Profile",
    "ProfileStore",
    "RecordView",
    "Result",
    "SectionStatus",
    "SectionView",
    "SignedReceipt",
    "Step",
    "Trust",
    "Verdict",
    "Verification",
    "connect",
    "export_record",
    "verify_path",
    "verify_record",
]
