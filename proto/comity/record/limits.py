"""Limits on everything that comes from outside, each with its reason.

Invariant: a limit is checked before the work that it bounds.
"""

from __future__ import annotations

from typing import Final

from comity.record.errors import LimitExceeded


class Limit(int):
    """The most of something, as a number that knows its own name and unit.

    A limit is an ``int`` and can be used as one. ``name`` is the name of its constant, which
    messages show; ``unit`` is the plural of the things that are counted.
    """

    def __new__(cls, name: str, most: int, unit: str) -> Limit:
        """Return the limit ``name`` of ``most`` units."""
        return super().__new__(cls, most)

    def __init__(self, name: str, most: int, unit: str) -> None:
        self.name: Final = name
        self.unit: Final = unit

    def __reduce__(self) -> tuple[type[Limit], tuple[str, int, str]]:
        """Return how to make a copy."""
        # pydantic copies the limits of a model's fields where it makes a JSON Schema
        return Limit, (self.name, int(self), self.unit)

    def check(self, got: int, field: str = "") -> None:
        """Check that ``got`` is within the limit.

        Raises:
            LimitExceeded: ``got`` is larger; names ``field``, the path of the value.
        """
        if got > self:
            raise self.exceeded(got, field)

    def exceeded(self, got: int, field: str = "") -> LimitExceeded:
        """Return the error about ``got``, which is over the limit."""
        return LimitExceeded(self.name, int(self), got, self.unit, field=field)


MAX_PAYLOAD_BYTES: Final = Limit("MAX_PAYLOAD_BYTES", 1 << 20, "bytes")
"""DSSE payload: a header with 64 sections and generous summaries stays far below 1 MiB."""

MAX_DISCLOSURE_BYTES: Final = Limit("MAX_DISCLOSURE_BYTES", 4 << 20, "bytes")
"""One disclosure, encoded: a long evaluation table fits, a data set does not (reference it)."""

MAX_RECORD_BYTES: Final = Limit("MAX_RECORD_BYTES", 7 << 20, "bytes")
"""Envelope and disclosures of one record together, so that any record fits in one message."""

MAX_SECTIONS: Final = Limit("MAX_SECTIONS", 64, "sections")
"""Sections of a record: bounds the rows that one record can create."""

MAX_JSON_DEPTH: Final = Limit("MAX_JSON_DEPTH", 32, "levels")
"""Nesting of arrays and objects: twice what any content model needs, far below stack limits."""

MAX_JSON_INTEGER: Final = 2**53 - 1
"""I-JSON (RFC 7493, section 2.2): larger integers do not survive an IEEE 754 double."""

MAX_MESSAGE_BYTES: Final = Limit("MAX_MESSAGE_BYTES", 8 << 20, "bytes")
"""One gRPC message: gRPC buffers a whole message in memory before a handler can refuse it."""

MAX_BATCH_RECORDS: Final = Limit("MAX_BATCH_RECORDS", 256, "records")
"""Records in one replication batch: throughput is flat beyond it, a lost batch costs more."""

MAX_HEARTBEAT_SECONDS: Final = Limit("MAX_HEARTBEAT_SECONDS", 300, "seconds")
"""Between heartbeats of a stream. The sender's settings and the receiver's patience both end here:
a longer one would keep a dead stream alive, and the receiver would cut it off."""

MAX_FILTER_BYTES: Final = Limit("MAX_FILTER_BYTES", 4 << 10, "bytes")
"""A serialised search filter: bounds the SQL that it becomes."""

MAX_TAGS: Final = Limit("MAX_TAGS", 64, "words")
"""Tags of a record: each becomes a row and a policy attribute."""

MAX_DOMAINS: Final = Limit("MAX_DOMAINS", 256, "domains")
"""Domains that one section names: each becomes a row, and all of them a policy attribute."""

MAX_CLASSES: Final = Limit("MAX_CLASSES", 16_384, "handling classes")
"""Handling classes of one issuer. Each costs a decision for every peer, about 60 microseconds, on
every change of policy; an institute uses dozens, unless every record carries tags of its own."""

MAX_NAME_CHARS: Final = Limit("MAX_NAME_CHARS", 256, "characters")
"""Section names, tags, domains, language tags and the like: they are indexed."""

MAX_LINE_CHARS: Final = Limit("MAX_LINE_CHARS", 1024, "characters")
"""Single lines of a content model: names, headings, sources, URLs."""

MAX_TEXT_CHARS: Final = Limit("MAX_TEXT_CHARS", 65_536, "characters")
"""Free text in a content model (a statement, a scenario, an excerpt)."""

MAX_PEERS: Final = Limit("MAX_PEERS", 256, "institutes")
"""Institutes in one network, and entries of a releasable-to list."""

MAX_POLICY_BYTES: Final = Limit("MAX_POLICY_BYTES", 256 << 10, "bytes")
"""A Cedar policy: hundreds of rules with comments."""

MAX_TREATIES: Final = Limit("MAX_TREATIES", 256, "treaties")
"""Treaties linked into a policy: one for each of MAX_PEERS, each a rule more to evaluate."""

MAX_TEMPLATES: Final = Limit("MAX_TEMPLATES", 8, "templates")
"""Templates in a policy: each is linked for each treaty, so links stay in the thousands."""

MAX_BUNDLE_BYTES: Final = Limit("MAX_BUNDLE_BYTES", 256 << 10, "bytes")
"""A trust bundle: some dozens of certificates and keys."""

MAX_ROOT_BYTES: Final = Limit("MAX_ROOT_BYTES", 512 << 10, "bytes")
"""A root: a trust bundle, MAX_ROOT_KEYS keys and twice as many signatures."""

MAX_ROOT_KEYS: Final = Limit("MAX_ROOT_KEYS", 16, "keys")
"""Offline keys of an institute: each that signed is verified, and people hold them."""

MAX_ROOT_SIGNATURES: Final = Limit("MAX_ROOT_SIGNATURES", 2 * MAX_ROOT_KEYS, "signatures")
"""Signatures on a root: the keys of two versions sign where all of them change."""

MAX_ROOT_VERSION: Final = 2**31 - 1
"""A root's version: it is stored in a column of 32 bits."""

MAX_CLOCK_SKEW_SECONDS: Final = 300
"""How far an issueTime may lie ahead of this clock: enough for the drift of NTP clocks."""

MAX_IMPORT_BYTES: Final = Limit("MAX_IMPORT_BYTES", 16 << 20, "bytes")
"""A source file given to ``comity import``."""

MAX_CURSOR_CHARS: Final = Limit("MAX_CURSOR_CHARS", 256, "characters")
"""A replication cursor or page token: its carrier cannot read it, so it must be short."""

MAX_ENTRY_BYTES: Final = Limit("MAX_ENTRY_BYTES", 65_535, "bytes")
"""An entry of a log: its length is written in two bytes (C2SP tlog-tiles)."""

MAX_NOTE_BYTES: Final = Limit("MAX_NOTE_BYTES", 256 << 10, "bytes")
"""A signed note: a short text and MAX_NOTE_SIGNATURES lines of ML-DSA-44, 3.3 KB each."""

MAX_NOTE_SIGNATURES: Final = Limit("MAX_NOTE_SIGNATURES", 64, "signatures")
"""Signatures on a note: C2SP signed-note asks for 16 or more; each of a known key is verified."""

MAX_SIGSTORE_BYTES: Final = Limit("MAX_SIGSTORE_BYTES", 2 << 20, "bytes")
"""A Sigstore bundle: a payload of MAX_PAYLOAD_BYTES in base64, a leaf, a proof, a checkpoint."""

MAX_PROOF_HASHES: Final = Limit("MAX_PROOF_HASHES", 63, "hashes")
"""Hashes of one Merkle proof: the most that C2SP tlog-witness lets a client send."""

MAX_TLOG_PROOF_BYTES: Final = Limit("MAX_TLOG_PROOF_BYTES", 512 << 10, "bytes")
"""A proof that stands alone: a checkpoint (MAX_NOTE_BYTES), hashes, and extra data."""

MAX_LOG_POLICY_BYTES: Final = Limit("MAX_LOG_POLICY_BYTES", 512 << 10, "bytes")
"""A policy of logs and witnesses: MAX_PEERS of each, with ML-DSA-44 keys of 1.8 KB."""

MAX_CHECKPOINT_BYTES: Final = Limit("MAX_CHECKPOINT_BYTES", 16 << 10, "bytes")
"""A checkpoint that nodes share with each other: MAX_PEERS of them fit in one message."""

MAX_SPLIT_VIEW_BYTES: Final = Limit("MAX_SPLIT_VIEW_BYTES", 128 << 10, "bytes")
"""Evidence of a split view: two notes of MAX_CHECKPOINT_BYTES as JSON, and a proof."""
