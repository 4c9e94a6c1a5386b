"""Trust: this institute's own keys and root, and the peers with their pins and root chains."""
