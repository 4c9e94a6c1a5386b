"""This institute's own transparency log: its tree, its checkpoints and its proofs."""
