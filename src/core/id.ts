// Names for packets and notifications.

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LENGTH = 12;
/** Random bytes are drawn in bulk: one draw per id would cost more than everything else about it. */
const pool = Buffer.alloc(8192);
let used = pool.length;

/** 12 alphanumerics, 71 random bits. */
export function randomId(): string {
  let id = "";
  while (id.length < LENGTH) {
    if (used === pool.length) {
      crypto.getRandomValues(pool);
      used = 0;
    }
    const six = pool[used++]! & 63;
    if (six < ALPHABET.length) id += ALPHABET[six];
  }
  return id;
}
