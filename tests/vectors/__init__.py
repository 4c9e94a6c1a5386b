"""Records that must be refused, named by what is wrong with them.

``*.json`` are record files that no key can make good; ``forged`` makes those that need a signature.
"""
