"""Offline verification of records, evidence and split views, in numbered steps."""
