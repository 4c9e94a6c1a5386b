// Verifies a bundle with the sigstore package: node verify.cjs BUNDLE KEY [TRUSTED_ROOT]
//
// KEY is the record key, in PEM. Without TRUSTED_ROOT only the signature is checked; with it, also
// that the record stands in a log that it names. Exits 0, or 1 and says why.
//
// sigstore.verify fetches the public Sigstore instance's root and wants its timestamps; an
// institute's log is neither, so the verifier that it is made of is given our root.

const fs = require("node:fs");
const { bundleFromJSON } = require("@sigstore/bundle");
const { TrustedRoot } = require("@sigstore/protobuf-specs");
const { Verifier, toSignedEntity, toTrustMaterial } = require("@sigstore/verify");
const { createPublicKey } = require("node:crypto");

const [bundleFile, keyFile, rootFile] = process.argv.slice(2);
const read = (file) => JSON.parse(fs.readFileSync(file, "utf8"));

try {
  const json = read(bundleFile);
  if (!rootFile) delete json.verificationMaterial.tlogEntries;
  const root = TrustedRoot.fromJSON(rootFile ? read(rootFile) : {});
  const publicKey = createPublicKey(fs.readFileSync(keyFile));
  const trust = toTrustMaterial(root, () => ({ publicKey, validFor: () => true }));
  const thresholds = { tlogThreshold: rootFile ? 1 : 0, timestampThreshold: 0 };
  new Verifier(trust, thresholds).verify(toSignedEntity(bundleFromJSON(json)));
  console.log("verified");
} catch (error) {
  console.error(`${error.code ?? error.name}: ${error.message}`);
  process.exitCode = 1;
}
