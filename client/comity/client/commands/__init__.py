"""The ``comity`` command, a module for each thing that people do with it."""
