"""Passphrases, typed blindly at a terminal or read from a pipe."""

from __future__ import annotations

import getpass
import sys

from comity.record.errors import InvalidInput


def ask_passphrase(prompt: str) -> str:
    """Return a passphrase from the terminal, or the next line of a pipe."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    # from a pipe, so that a passphrase never stands among the arguments of a process
    return sys.stdin.readline().rstrip("\n")


def ask_new_passphrase(prompt: str, instead: str) -> str:
    """Return a passphrase that nobody has to know yet; at a terminal it is asked twice.

    ``instead`` says what to do without one.

    Raises:
        InvalidInput: it is empty, which is no decision, or the two differ.
    """
    words = ask_passphrase(prompt)
    if not words:
        message = "expected a passphrase, got none; nothing was made"
        hint = f"type one, or give it on a pipe: < FILE; {instead}"
        raise InvalidInput(message, field="passphrase", hint=hint)
    if sys.stdin.isatty() and ask_passphrase("The same again: ") != words:
        message = "expected the same passphrase twice; nothing was made"
        raise InvalidInput(message, field="passphrase")
    return words
