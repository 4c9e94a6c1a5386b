"""The institute's node."""

import os
from functools import cache

# gRPC's core writes lines of its own to stderr, which repeat what calls report as errors; it reads
# this once, when it is imported
os.environ.setdefault("GRPC_VERBOSITY", "NONE")


@cache
def software_version() -> str:
    """Return the version of the installed software."""
    # not above: this module is imported with every command, the reader of metadata for few
    from importlib.metadata import version

    return version("comity")
