"""Verification of records and evidence, offline, in numbered steps."""
