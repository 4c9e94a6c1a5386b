"""Pure decisions: facts in, decision out. The Cedar schema, the baseline, the presets, the cases.

Nothing here reads a clock, a database or the network: equal facts give equal decisions, which is
why one evaluator can serve release, preview, explanation, query and simulation.
"""
