"""A record written as plain files that other people's tools read, and those files checked."""
