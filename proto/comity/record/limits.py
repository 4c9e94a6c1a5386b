"""Limits on everything that comes from outside, each with its reason (DESIGN section 11).

Invariant: a limit is checked before the work that it bounds.
"""

from typing import Final

MAX_PAYLOAD_BYTES: Final = 1 << 20
"""DSSE payload: a header with 64 sections and generous summaries stays far below 1 MiB."""

MAX_DISCLOSURE_BYTES: Final = 4 << 20
"""One disclosure, encoded: a long evaluation table fits, a data set does not (reference it)."""

MAX_RECORD_BYTES: Final = 7 << 20
"""Envelope and disclosures of one record together, so that any record fits in one message."""

MAX_SECTIONS: Final = 64
"""Sections of a record: bounds the rows that one record can create."""

MAX_JSON_DEPTH: Final = 32
"""Nesting of arrays and objects: twice what any content model needs, far below stack limits."""

MAX_JSON_INTEGER: Final = 2**53 - 1
"""I-JSON (RFC 7493, section 2.2): larger integers do not survive an IEEE 754 double."""

MAX_MESSAGE_BYTES: Final = 8 << 20
"""One gRPC message: gRPC buffers a whole message in memory before anyone may refuse it."""

MAX_BATCH_RECORDS: Final = 256
"""Records in one replication batch: throughput is flat beyond it, a lost batch costs more."""

MAX_FILTER_BYTES: Final = 4 << 10
"""A serialised search filter: bounds the SQL that it becomes."""

MAX_TAGS: Final = 64
"""Tags of a record: each becomes a row and a policy attribute."""

MAX_DOMAINS: Final = 256
"""Domains that one section names: each becomes a row, and all of them a policy attribute."""

MAX_CLASSES: Final = 16_384
"""Handling classes of one issuer. Each costs a decision for every peer, about 60 microseconds, on
every change of policy; an institute uses dozens, unless every record carries tags of its own."""

MAX_NAME_CHARS: Final = 256
"""Section names, tags, domains, language tags and the like: they are indexed."""

MAX_TEXT_CHARS: Final = 65_536
"""Free text in a content model (a statement, a scenario, an excerpt)."""

MAX_PEERS: Final = 256
"""Institutes in anyone's network, and entries of a releasable-to list."""

MAX_POLICY_BYTES: Final = 256 << 10
"""A Cedar policy: hundreds of rules with comments."""

MAX_TREATIES: Final = 256
"""Treaties linked into a policy: one for each of MAX_PEERS, each a rule more to evaluate."""

MAX_TEMPLATES: Final = 8
"""Templates in a policy: each is linked for each treaty, so links stay in the thousands."""

MAX_BUNDLE_BYTES: Final = 256 << 10
"""A trust bundle: some dozens of certificates and keys."""

MAX_ROOT_BYTES: Final = 512 << 10
"""A root: a trust bundle, MAX_ROOT_KEYS keys and twice as many signatures."""

MAX_ROOT_KEYS: Final = 16
"""Offline keys of an institute: each that signed is verified, and people hold them."""

MAX_ROOT_VERSION: Final = 2**31 - 1
"""A root's version: it is a column."""

MAX_CLOCK_SKEW_SECONDS: Final = 300
"""How far ahead of this clock an issueTime may lie: NTP drift, not calendars."""

MAX_IMPORT_BYTES: Final = 16 << 20
"""A source file given to ``comity import``."""

MAX_CURSOR_CHARS: Final = 256
"""A replication cursor or page token: opaque to whoever carries it, so it must be short."""

MAX_ENTRY_BYTES: Final = 65_535
"""An entry of a log: its length is written in two bytes (C2SP tlog-tiles)."""

MAX_NOTE_BYTES: Final = 256 << 10
"""A signed note: a short text and MAX_NOTE_SIGNATURES lines of ML-DSA-44, 3.3 KB each."""

MAX_NOTE_SIGNATURES: Final = 64
"""Signatures on a note: C2SP signed-note asks for 16 or more; each of a known key is verified."""

MAX_SIGSTORE_BYTES: Final = 2 << 20
"""A Sigstore bundle: a payload of MAX_PAYLOAD_BYTES in base64, a leaf, a proof, a checkpoint."""

MAX_PROOF_HASHES: Final = 63
"""Hashes of one Merkle proof: the most that C2SP tlog-witness lets a client send."""

MAX_TLOG_PROOF_BYTES: Final = 512 << 10
"""A proof that stands alone: a checkpoint (MAX_NOTE_BYTES), hashes, and extra data."""

MAX_LOG_POLICY_BYTES: Final = 512 << 10
"""A policy of logs and witnesses: MAX_PEERS of each, with ML-DSA-44 keys of 1.8 KB."""

MAX_CHECKPOINT_BYTES: Final = 16 << 10
"""A checkpoint that nodes tell each other: MAX_PEERS of them fit in one message."""

MAX_SPLIT_VIEW_BYTES: Final = 128 << 10
"""Evidence of a split view: two notes of MAX_CHECKPOINT_BYTES as JSON, and a proof."""
