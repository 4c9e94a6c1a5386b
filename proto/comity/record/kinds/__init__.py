"""Content models: what the sections of each kind of record hold, a module for each kind."""
