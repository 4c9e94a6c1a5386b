"""Other institutes' logs: cosigning, gossip, consistency, and halting on a split view."""
