// Keys that somebody may guess: examples out of manuals, and patterns.

/** Long enough that no random key has one of them by chance. */
const examples =
  /change.?me|example|placeholder|characters.or.more|your.?(api.?)?key|secret.?key|super.?secret|api.?key.?here|insert|replace.?me|passw.?rd|letmein|qwerty|default|x{6}/i;
const keyboard = ["qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890"];

/** True for a key that is an example, or no more than a run, a repetition or a handful of characters. */
export function isWeakKey(key: string): boolean {
  const repeats = (key + key).indexOf(key, 1) < key.length;
  return examples.test(key) || repeats || new Set(key).size < 5 || steps(key.toLowerCase()) >= 0.75;
}

/** The share of characters that follow the one before them, in the alphabet, on the keyboard, or as the same again. */
function steps(key: string): number {
  let followed = 0;
  for (let at = 1; at < key.length; at++) {
    const pair = key.slice(at - 1, at + 1);
    const distance = Math.abs(pair.charCodeAt(1) - pair.charCodeAt(0));
    if (distance <= 1 || keyboard.some((row) => row.includes(pair))) followed++;
  }
  return followed / (key.length - 1);
}
