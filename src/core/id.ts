// Names made by the server: packets and notifications.
import { randomFillSync } from "node:crypto";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LENGTH = 12;
// Bytes at or above this would favour the first letters; they are passed over.
const FAIR = 256 - (256 % ALPHABET.length);

const pool = new Uint8Array(4096);
let at = pool.length;

/** 12 random alphanumerics (71 bits), as the SDKs and backends of socket.io-push know them. */
export function randomId(): string {
  let id = "";
  while (id.length < LENGTH) {
    if (at === pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    const byte = pool[at++]!;
    if (byte < FAIR) id += ALPHABET[byte % ALPHABET.length];
  }
  return id;
}
