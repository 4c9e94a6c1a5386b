"""Standing: its rule in words, and what counts, was given and may still be given."""
