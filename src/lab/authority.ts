// A certificate authority made on the spot: nobody trusts it who was not told to, and its keys never leave the process.
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIP, isIPv6 } from "node:net";
import { bits, der, explicit, identifier, integer, octets, sequence, set, time, utf8, yes } from "../core/der.ts";
import { DAY } from "../core/time.ts";

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
  /** For the holder of this key, a server of that name, valid between these times. PEM. */
  issued(host: string, key: KeyObject, from: number, to: number): string;
  /** For a client, valid between these times. */
  client(name: string, from: number, to: number): Certified;
}

export function createAuthority(now: number): Authority {
  const name = "pushbox lab";
  const own = generateKeyPairSync("ec", { namedCurve: "P-256" });

  /** RFC 5280, 4.1: a certificate for the holder of `key`. */
  function certificate(
    subject: string,
    key: KeyObject,
    from: number,
    to: number,
    extensions: readonly Buffer[],
  ): string {
    const body = sequence(
      explicit(0, integer(Buffer.of(2))), // version 3
      // Positive and not short, whatever the random bytes.
      integer(Buffer.concat([Buffer.of(1), randomBytes(15)])),
      ECDSA_SHA256,
      commonName(name),
      sequence(time(from), time(to)),
      commonName(subject),
      spki(key),
      explicit(
        3,
        sequence(
          ...extensions,
          extension(SUBJECT_KEY, octets(fingerprint(key))),
          extension(AUTHORITY_KEY, sequence(der(0x80, fingerprint(own.publicKey)))),
        ),
      ),
    );
    const whole = sequence(body, ECDSA_SHA256, bits(sign("sha256", body, own.privateKey)));
    const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
    return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
  }

  function issue(subject: string, from: number, to: number, extensions: readonly Buffer[]): Certified {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const cert = certificate(subject, publicKey, from, to, [extension(BASIC_CONSTRAINTS, sequence()), ...extensions]);
    return { cert, key: privateKey.export({ type: "pkcs8", format: "pem" }) as string };
  }

  return {
    ca: certificate(name, own.publicKey, now - DAY, now + 365 * DAY, [
      extension(BASIC_CONSTRAINTS, sequence(yes), "critical"),
      extension(KEY_USAGE, bits(Buffer.of(0b110), 1), "critical"), // signs certificates and lists of revoked ones
    ]),
    server: (hosts) =>
      issue(hosts[0] ?? "localhost", now - DAY, now + 365 * DAY, [
        extension(EXTENDED_KEY_USAGE, sequence(SERVER)),
        extension(ALTERNATIVE_NAMES, sequence(...hosts.map(generalName))),
      ]),
    issued: (host, key, from, to) =>
      certificate(host, key, from, to, [extension(ALTERNATIVE_NAMES, sequence(generalName(host)))]),
    client: (subject, from, to) => issue(subject, from, to, [extension(EXTENDED_KEY_USAGE, sequence(CLIENT))]),
  };
}

const ECDSA_SHA256 = sequence(identifier("1.2.840.10045.4.3.2"));
const COMMON_NAME = identifier("2.5.4.3");
const SUBJECT_KEY = identifier("2.5.29.14");
const KEY_USAGE = identifier("2.5.29.15");
const ALTERNATIVE_NAMES = identifier("2.5.29.17");
const BASIC_CONSTRAINTS = identifier("2.5.29.19");
const AUTHORITY_KEY = identifier("2.5.29.35");
const EXTENDED_KEY_USAGE = identifier("2.5.29.37");
const SERVER = identifier("1.3.6.1.5.5.7.3.1");
const CLIENT = identifier("1.3.6.1.5.5.7.3.2");

const extension = (kind: Buffer, value: Buffer, critical?: "critical"): Buffer =>
  sequence(kind, ...(critical === undefined ? [] : [yes]), octets(value));

const commonName = (text: string): Buffer => sequence(set(sequence(COMMON_NAME, utf8(text))));

const spki = (key: KeyObject): Buffer => key.export({ type: "spki", format: "der" });

const fingerprint = (key: KeyObject): Buffer => createHash("sha256").update(spki(key)).digest().subarray(0, 20);

const generalName = (host: string): Buffer =>
  isIP(host) === 0 ? der(0x82, Buffer.from(host)) : der(0x87, addressBytes(host));

/** 4 or 16 bytes. */
function addressBytes(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split(".").map(Number));
  // As URLs have it, the last four bytes are never in decimal.
  const [before = "", after] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const [head, tail] = [before, after ?? ""].map((part) => part.split(":").filter((group) => group !== ""));
  const zeros = Array.from({ length: 8 - head!.length - tail!.length }, () => "0");
  const groups = [...head!, ...zeros, ...tail!].map((group) => group.padStart(4, "0"));
  return Buffer.from(groups.join(""), "hex");
}
