"""The institute's transparency log, and what this node knows of the logs of others."""
