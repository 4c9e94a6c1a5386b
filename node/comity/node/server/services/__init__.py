"""Servicers: each turns a request into a call of the domain, and the result into an answer."""
