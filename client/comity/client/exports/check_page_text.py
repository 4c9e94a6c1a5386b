"""The words of CHECK.md, with gaps that ``check_page`` fills.

Invariant: a gap inside a command takes only what has a form that was checked.
"""

from __future__ import annotations

from typing import Final

CHECK_TEXT: Final = """\
# How to check this record

Record `{record_id}`,
signed with key `{keyid}` of `{institute}`.
{withdrawn}
`page.html` shows the record in a browser; `comity verify` checks that page.
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

NO_PROOF_TEXT: Final = """
## The institute's log

When this was exported, no proof was to be had that the record stands in the log of
`{institute}`. The files here do not show that it does.
"""

LOG_TEXT: Final = """
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

WITHDRAWN_TEXT: Final = """
**Its issuer has withdrawn this record.** `{issuer}` did so at `{time}` by the notice
`{notice}`, which lies beside it in `withdrawal.record.json`.
`comity verify` checks that notice as well.
"""
