"""Records on their way into the store: examination, admission, writing, quarantine, search."""
