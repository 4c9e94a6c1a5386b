"""Everything outside a node: drafts, verification, exports, and the client of one's own node.

A public name is imported from its module when it is first used (PEP 562), so that a program that
needs few of them starts at once.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Final

# gRPC's core writes lines of its own to stderr, which repeat what calls report as errors; it reads
# this once, when it is imported
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

_MODULES: Final = {
    "Draft": "drafts.draft",
    "Evidence": "verify.evidence",
    "Filter": "connection.results",
    "NodeClient": "connection.node_client",
    "Outcome": "verify.steps",
    "Page": "connection.results",
    "Profile": "connection.profile",
    "ProfileStore": "connection.profile_store",
    "RecordView": "verify.record_view",
    "Result": "connection.results",
    "SectionStatus": "verify.record_view",
    "SectionView": "verify.record_view",
    "SignedReceipt": "connection.results",
    "Step": "verify.steps",
    "Trust": "verify.trust",
    "Verdict": "verify.steps",
    "Verification": "verify.steps",
    "connect": "connection.node_client",
    "export_record": "exports.writing",
    "verify_path": "exports.checking",
    "verify_record": "verify.record_steps",
}

__all__ = list(_MODULES)

if TYPE_CHECKING:
    from comity.client.connection.node_client import NodeClient as NodeClient
    from comity.client.connection.node_client import connect as connect
    from comity.client.connection.profile import Profile as Profile
    from comity.client.connection.profile_store import ProfileStore as ProfileStore
    from comity.client.connection.results import Filter as Filter
    from comity.client.connection.results import Page as Page
    from comity.client.connection.results import Result as Result
    from comity.client.connection.results import SignedReceipt as SignedReceipt
    from comity.client.drafts.draft import Draft as Draft
    from comity.client.exports.checking import verify_path as verify_path
    from comity.client.exports.writing import export_record as export_record
    from comity.client.verify.evidence import Evidence as Evidence
    from comity.client.verify.record_steps import verify_record as verify_record
    from comity.client.verify.record_view import RecordView as RecordView
    from comity.client.verify.record_view import SectionStatus as SectionStatus
    from comity.client.verify.record_view import SectionView as SectionView
    from comity.client.verify.steps import Outcome as Outcome
    from comity.client.verify.steps import Step as Step
    from comity.client.verify.steps import Verdict as Verdict
    from comity.client.verify.steps import Verification as Verification
    from comity.client.verify.trust import Trust as Trust
else:

    def __getattr__(name: str) -> object:
        """Return a public name from its module."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
