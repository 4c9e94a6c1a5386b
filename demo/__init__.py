"""A network of eleven sample institutes on one machine, one for each signatory of the annex."""
