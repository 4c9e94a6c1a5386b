"""Runs ``comity-node``: ``python -m comity.node``."""

from comity.node.commands.app import main

main()
