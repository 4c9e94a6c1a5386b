"""The institute's node."""

import os
from importlib.metadata import version
from typing import Final

# gRPC's core writes lines of its own to stderr, which repeat what calls report as errors; it reads
# this once, when it is imported
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

VERSION: Final = version("comity")
"""The version of the installed software."""
