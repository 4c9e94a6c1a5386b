"""Pure decisions: facts in, decision out. The Cedar schema, the baseline, the presets, the cases.

Invariant: nothing here reads a clock, a database or the network, so equal facts give equal
decisions. That is why one evaluator can serve release, preview, explanation, query and simulation.
"""
