"""The bytes that two peers must agree on: statements, envelopes, sections, handling, keys."""
