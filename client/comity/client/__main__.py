"""Runs ``comity``: the command, and ``python -m comity.client``.

Invariant: an interrupt ends the program quietly with 130, also while it is being loaded.
"""

import sys
from typing import NoReturn

_INTERRUPTED = 130


def main() -> NoReturn:
    """Load the commands, and run the one that was typed."""
    try:
        from comity.client.commands.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
