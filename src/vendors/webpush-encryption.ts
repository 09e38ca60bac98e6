// Encryption for one browser: RFC 8291, which is one record of RFC 8188's aes128gcm.
import { createCipheriv, createECDH, type ECDH, hkdfSync, randomBytes } from "node:crypto";

/** A browser's keys, as they are in its subscription. */
export interface BrowserKeys {
  /** A point of P-256, uncompressed: 65 bytes in base64url. */
  readonly p256dh: string;
  /** 16 bytes in base64url. */
  readonly auth: string;
}

/** What must be new for each message: used twice, it would give the messages away. */
export interface Ephemeral {
  readonly sender: ECDH;
  /** 16 bytes. */
  readonly salt: Buffer;
}

/** Every push service takes a body of this many bytes; it is also the size of the only record. */
const LONGEST_BODY = 4096;
/** Salt, size of the record, length of the sender's key, that key, end of the record, tag. */
const OVERHEAD = 16 + 4 + 1 + 65 + 1 + 16;
/** In bytes. */
export const LONGEST_TEXT = LONGEST_BODY - OVERHEAD;
/** Follows the text in the last record. */
const END = Buffer.of(2);

/**
 * The body of a request; `text` has at most LONGEST_TEXT bytes.
 * @throws Error when `p256dh` is no point of the curve
 */
export function encrypt(text: string, { p256dh, auth }: BrowserKeys, ephemeral = createEphemeral()): Buffer {
  const { sender, salt } = ephemeral;
  const [browser, own] = [Buffer.from(p256dh, "base64url"), sender.getPublicKey()];
  const info = Buffer.concat([Buffer.from("WebPush: info\0"), browser, own]);
  const material = derive(sender.computeSecret(browser), Buffer.from(auth, "base64url"), info, 32);
  const key = derive(material, salt, "Content-Encoding: aes128gcm\0", 16);
  const nonce = derive(material, salt, "Content-Encoding: nonce\0", 12);
  const cipher = createCipheriv("aes-128-gcm", key, nonce);
  const sizes = Buffer.alloc(5);
  sizes.writeUInt32BE(LONGEST_BODY);
  sizes.writeUInt8(own.length, 4);
  return Buffer.concat([
    salt,
    sizes,
    own,
    cipher.update(text, "utf8"),
    cipher.update(END),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
}

function createEphemeral(): Ephemeral {
  const sender = createECDH("prime256v1");
  sender.generateKeys();
  return { sender, salt: randomBytes(16) };
}

const derive = (secret: Uint8Array, salt: Uint8Array, info: string | Uint8Array, bytes: number): Uint8Array =>
  new Uint8Array(hkdfSync("sha256", secret, salt, info, bytes));
