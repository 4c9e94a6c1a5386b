"""Analysis of a policy's text: rules that have no effect, and rules that can fail."""
