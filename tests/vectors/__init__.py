"""Records that must be refused, named by what is wrong with them, and what others' tools made.

``*.record.json`` are record files that no key can make good; ``forged`` makes those that need a
signature.

``rfc6962.json`` holds the tree that Certificate Transparency's implementations are tested with:
leaves, the root of every size from 1, and proofs as [index, size, hashes] and [old, new, hashes].
``torchwood.*`` were made in Go of a log of 300 entries ("entry 0" and so on): proof and policy by
torchwood, which also made the Ed25519 cosignature; transparency-dev/formats made the ML-DSA-44 one.
"""
