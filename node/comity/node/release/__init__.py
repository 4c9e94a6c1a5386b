"""Release: which parts become due for a peer, and their place in its queue."""
