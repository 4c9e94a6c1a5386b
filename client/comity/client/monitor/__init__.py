"""A monitor of others' logs: one look, what it remembers, and what it reports."""
