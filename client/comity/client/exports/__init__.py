"""Exports: a record as plain files that stock tools read, written and checked."""
