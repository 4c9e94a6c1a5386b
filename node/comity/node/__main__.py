"""Runs ``comity-node``: ``python -m comity.node``."""

from comity.node.cli import main

main()
