"""Long runs that are no part of the suite: make soak."""
