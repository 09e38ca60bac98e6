// A certificate authority made on the spot: nobody trusts it who was not told to, and its keys never leave the process.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { isIP } from "node:net";
import forge from "node-forge";

export interface Certified {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  /** PEM of the certificate to trust. */
  readonly ca: string;
  /** For a server with these names and addresses. */
  server(hosts: readonly string[]): Certified;
  /** For a client, valid between these times. */
  client(name: string, from: number, to: number): Certified;
}

const DAY = 86_400_000;

export function createAuthority(now: number): Authority {
  const name = [{ name: "commonName", value: "pushbox lab" }];
  const own = keyPair();
  const authority = forge.pki.createCertificate();
  fill(authority, own.publicKey, name, name, now - DAY, now + 365 * DAY);
  authority.setExtensions([
    { name: "basicConstraints", cA: true, critical: true },
    { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
  ]);
  authority.sign(own.privateKey, forge.md.sha256.create());

  function issue(subject: string, from: number, to: number, extensions: readonly object[]): Certified {
    const keys = keyPair();
    const certificate = forge.pki.createCertificate();
    fill(certificate, keys.publicKey, [{ name: "commonName", value: subject }], name, from, to);
    certificate.setExtensions([{ name: "basicConstraints", cA: false }, ...extensions]);
    certificate.sign(own.privateKey, forge.md.sha256.create());
    return { cert: forge.pki.certificateToPem(certificate), key: keys.pem };
  }

  return {
    ca: forge.pki.certificateToPem(authority),
    server: (hosts) =>
      issue(hosts[0] ?? "localhost", now - DAY, now + 365 * DAY, [
        { name: "extKeyUsage", serverAuth: true },
        {
          name: "subjectAltName",
          altNames: hosts.map((host) => (isIP(host) ? { type: 7, ip: host } : { type: 2, value: host })),
        },
      ]),
    client: (subject, from, to) => issue(subject, from, to, [{ name: "extKeyUsage", clientAuth: true }]),
  };
}

type Name = { readonly name: string; readonly value: string }[];

function fill(
  certificate: forge.pki.Certificate,
  key: forge.pki.PublicKey,
  subject: Name,
  issuer: Name,
  from: number,
  to: number,
): void {
  certificate.publicKey = key;
  // Positive, whatever the random bytes.
  certificate.serialNumber = `01${randomBytes(15).toString("hex")}`;
  certificate.validity.notBefore = new Date(from);
  certificate.validity.notAfter = new Date(to);
  certificate.setSubject(subject);
  certificate.setIssuer(issuer);
}

/** Made by OpenSSL, for forge would take seconds. */
function keyPair() {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  return {
    pem: privateKey,
    privateKey: forge.pki.privateKeyFromPem(privateKey),
    publicKey: forge.pki.publicKeyFromPem(publicKey),
  };
}
