"""Work that a serving node does by itself: pulling, following roots, witnessing, renewal."""
