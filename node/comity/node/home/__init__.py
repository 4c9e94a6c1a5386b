"""A node's home on disk: settings, keys, certificates and files."""
