"""CHECK.md: a page that tells how to check an export without Comity, by commands to copy.

Invariant: everything put into a command was computed here, or has a form that was checked (digests,
key ids, institute ids). Text that a stranger chose, such as a section's name, never is.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from typing import Final

from comity.client.verify.evidence import Evidence
from comity.record.checkpoint import Checkpoint
from comity.record.note import Note, Verifier
from comity.record.record import OpenedRecord
from comity.record.tlog_proof import TlogProof

_KEYID_CHARS: Final = 5
"""Base64 digits of a signature line that depend on nothing but the key id's 4 bytes."""


def check_page(
    opened: OpenedRecord, disclosures: Mapping[str, bytes], evidence: Evidence | None
) -> str:
    """Return the page for an export. ``disclosures`` holds the files of that folder by name.

    ``evidence`` None means that the export was made without evidence.
    """
    # steps 1 to 5 of the page: files, key, signature and sections
    envelope = opened.record.envelope
    rows = [
        f"| `disclosures/{name}` | `{hashlib.sha256(data).hexdigest()}` |"
        for name, data in disclosures.items()
    ]
    page = _CHECK.format(
        record_id=opened.record_id,
        keyid=envelope.keyid,
        institute=opened.statement.issuer.institute,
        payload_type=envelope.payload_type,
        type_length=len(envelope.payload_type),
        payload_length=len(envelope.payload),
        disclosures="\n".join(rows) or "| none | |",
        withheld=len(opened.statement.predicate.sections) - len(rows),
        tools="for step 5 Python with securesystemslib and cryptography" + _more_tools(evidence),
    )

    # steps 6 and 7 of the page: the log
    if evidence is None:
        return page
    if evidence.proof is None:
        return page + _NO_PROOF.format(institute=evidence.bundle.institute)
    return page + _on_the_log(opened, evidence, evidence.proof)


def _more_tools(evidence: Evidence | None) -> str:
    return ",\nfor step 7 cosign 3.0.4 or newer" if evidence and evidence.proof else ""


def _on_the_log(opened: OpenedRecord, evidence: Evidence, proof: TlogProof) -> str:
    note = Note.parse(proof.checkpoint)
    checkpoint = Checkpoint.parse(note.text)
    # the key that signed the checkpoint
    log_key = evidence.log_keys[0]
    return _LOG.format(
        institute=evidence.bundle.institute,
        log_key=log_key,
        line=_line_of(log_key),
        index=proof.index,
        size=checkpoint.size,
        path="\n".join(_path(proof, checkpoint.size)),
        witnesses="\n".join(f"- `{key}`" for key in evidence.witnesses) or "- none",
        predicate_type=opened.statement.predicate_type,
        digest=opened.statement.subject[0].digest.sha256,
    )


def _line_of(log_key: Verifier) -> str:
    """Return the beginning of the key's signature line in a note (C2SP signed-note)."""
    # the base64 is of key id and signature together
    keyid = base64.b64encode(log_key.keyid).decode()[:_KEYID_CHARS]
    return f"\N{EM DASH} {log_key.name} {keyid}"


def _path(proof: TlogProof, size: int) -> Iterator[str]:
    """Yield a line of shell for each hash, from the leaf to the root.

    RFC 9162, section 2.1.3.2, where ``node`` is *fn* and ``last`` is *sn*.
    """
    node, last = proof.index, size - 1
    for value in proof.hashes:
        if node % 2 or node == last:
            # the sibling is on the left; a last node without one moves up unchanged
            yield f'root=$(node {value.hex()} "$root")'
            while node and node % 2 == 0:
                node, last = node // 2, last // 2
        else:
            yield f'root=$(node "$root" {value.hex()})'
        node, last = node // 2, last // 2


_CHECK: Final = """\
# How to check this record

Record `{record_id}`,
signed with key `{keyid}` of `{institute}`.

Run the commands in this folder. They need openssl 3, ssh-keygen and coreutils, {tools};
nothing of Comity.

## 1. The files are those that were exported

```sh
sha256sum --check --strict SHA256SUMS
```

## 2. The key is the institute's

```sh
ssh-keygen -i -m PKCS8 -f public-key.pem | ssh-keygen -l -f -
```

must print `{keyid}`. That this key
is `{institute}`'s cannot be seen from these files: compare it with the institute's
trust bundle, or ask the institute.

## 3. The signature is good

```sh
printf 'DSSEv1 {type_length} {payload_type} {payload_length} ' | cat - payload.json | cmp - pae.bin
openssl dgst -sha256 -verify public-key.pem -signature signature.der pae.bin
```

must print nothing and then `Verified OK`. The record id is the payload's digest:

```sh
sha256sum payload.json
```

## 4. The sections are those that were signed

```sh
for file in disclosures/*.txt; do
  [ -e "$file" ] || continue
  grep -q "$(sha256sum < "$file" | cut -d ' ' -f 1)" payload.json && echo "$file: OK"
done
```

must print a line for each of these; {withheld} more sections were withheld.

| file | SHA-256, as in payload.json |
| --- | --- |
{disclosures}

To read one: `basenc --decode --base64url` after padding it with `=` to a multiple of 4.

## 5. The same with securesystemslib

```sh
python3 - <<'EOF'
import json, pathlib
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

key = SSlibKey.from_crypto(
    load_pem_public_key(pathlib.Path("public-key.pem").read_bytes()),
    keyid="{keyid}",
)
envelope = Envelope.from_dict(json.loads(pathlib.Path("envelope.json").read_text()))
print("accepted:", ", ".join(envelope.verify([key], 1)))
EOF
```
"""

_NO_PROOF: Final = """
## The institute's log

When this was exported, no proof was to be had that the record stands in the log of
`{institute}`. The files here do not show that it does.
"""

_LOG: Final = """
## 6. The record stands in the institute's log

The log's key is `log.vkey`, and the same as `log-key.pem`:

    {log_key}

That this key is the log's cannot be seen from these files either: compare it with
`logKeys` in the trust bundle of `{institute}`.

The log signed the checkpoint, with {size} entries:

```sh
work=$(mktemp -d)
sed '/^$/,$d' checkpoint.txt > "$work/text"
grep -F -e '{line}' checkpoint.txt | cut -d ' ' -f 3 | base64 -d | tail -c 64 > "$work/signature"
openssl pkeyutl -verify -pubin -inkey log-key.pem -rawin -in "$work/text" -sigfile "$work/signature"
```

must print `Signature Verified Successfully`. The entry is of this record, and its hash leads to
the checkpoint's root (RFC 6962, section 2.1.1), from place {index} of {size}:

```sh
grep -q -F -e "$(openssl dgst -sha256 -binary pae.bin | base64)" leaf.json && echo 'leaf.json: OK'
grep -q -F -e "$(base64 -w 0 signature.der)" leaf.json && echo 'signature.der: OK'
digest() {{ sha256sum | cut -d ' ' -f 1; }}
node() {{ printf '01%s%s' "$1" "$2" | tr a-f A-F | basenc -d --base16 | digest; }}
root=$({{ printf '\\000'; cat leaf.json; }} | digest)
{path}
signed=$(sed -n 3p checkpoint.txt | base64 -d | basenc -w 0 --base16 | tr A-F a-f)
test "$root" = "$signed" && echo 'root: OK'
```

must print three lines. Witnesses whose keys were known have cosigned the checkpoint with these
keys, which are also in `witnesses.vkey`:

{witnesses}

`inclusion.tlog-proof` holds the proof and the checkpoint for tools that read C2SP tlog-proof.

## 7. The same with cosign

The signature alone, and then with the log:

```sh
cosign verify-blob-attestation --key public-key.pem --bundle bundle.sigstore.json \\
  --insecure-ignore-tlog --type {predicate_type} --digest {digest} --digestAlg sha256
```

```sh
cosign verify-blob-attestation --key public-key.pem --bundle bundle.sigstore.json \\
  --trusted-root trusted_root.json --type {predicate_type} --digest {digest} --digestAlg sha256
```

Each must print `Verified OK`.
"""
