"""Ways to a release: the changes after which a withheld part would be released."""
