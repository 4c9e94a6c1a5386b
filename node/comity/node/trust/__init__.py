"""Whom this node trusts: its own keys and root, peers, their pins and root chains."""
