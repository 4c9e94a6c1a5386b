"""Shows our evidence to tools that know nothing of Comity, and altered copies of it too.

Run by ``make interop``, which installs the tools. They must accept the one and reject the other,
for the reason that is expected.
"""
