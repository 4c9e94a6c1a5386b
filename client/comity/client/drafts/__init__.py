"""Drafts of records: their YAML, the templates that explain it, and the schemas for editors."""
