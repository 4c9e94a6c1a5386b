"""The commands of ``comity-node``, a module for each group."""
