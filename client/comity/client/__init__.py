"""Everyone outside a node: drafts, verification, exports, and the connection to one's own node."""

import os

# gRPC's core writes lines of its own to stderr, which repeat what calls report as errors; it reads
# this once, when it is imported
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from comity.client.draft import Draft
from comity.client.evidence import Evidence
from comity.client.exported import verify_path
from comity.client.exporting import export_record
from comity.client.node import Node, connect
from comity.client.profile import Profile
from comity.client.profiles import ProfileStore
from comity.client.result import Filter, Page, Result, SignedReceipt
from comity.client.steps import Outcome, Step, Verdict, Verification
from comity.client.trust import Trust
from comity.client.verification import verify_record
from comity.client.view import RecordView, SectionStatus, SectionView

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
