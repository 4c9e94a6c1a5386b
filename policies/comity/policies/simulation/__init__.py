"""Simulation: a made-up network of institutes, played day by day with the real evaluator.

A scenario (``scenario``) is played on a virtual clock (``network``), by institutes whose policies
decide as they would in a node (``verdicts``); what came of it is told as figures (``report``) and
drawn (``picture``). Invariant: equal scenarios and policies give equal outcomes.
"""
