"""Commands on keys, certificates and the root."""
