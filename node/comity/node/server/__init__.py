"""The serving process: callers, TLS, services, background work, metrics."""
