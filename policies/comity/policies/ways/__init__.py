"""What would have to change for a part to be released."""
