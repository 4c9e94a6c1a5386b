"""Replication: batches out and in, receipts, ledgers and their reconciliation."""
