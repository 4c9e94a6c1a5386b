"""The connection to one's own node: profile, channel, calls, and their typed results."""
