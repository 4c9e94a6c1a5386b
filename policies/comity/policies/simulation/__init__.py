"""Simulation: a made-up network of institutes, played day by day with the real evaluator.

``scenario_file`` reads a scenario, ``network`` plays it on a virtual clock, and
``remembered_decisions`` decides as a node would. ``report`` sums up the outcome in figures, and
``picture`` draws it. Invariant: equal scenarios and policies give equal outcomes.
"""
