// What a vendor's code means in plain words.
import t from "tap";
import { plainWords } from "../../src/vendors/words.ts";

t.test("a vendor's code is told in words, each in its own meaning", (t) => {
  for (const [vendor, reason, text] of [
    ["apns", "410 Unregistered", /app was removed/],
    ["apns", "403 InvalidProviderToken", /does not accept our credentials/],
    ["fcm", "404 UNREGISTERED", /app was removed/],
    ["xiaomi", "21301 auth failed", /does not accept our credentials/],
    ["xiaomi", "200001 daily quota", /More was sent/],
    ["xiaomi", "27001 bad channel", /category or channel/],
    ["oppo", "10000 Invalid RegistrationId", /app was removed/],
    ["oppo", "-2 Service in Flow Control", /More was sent/],
    ["oppo", "33 The number of messages exceeds the daily limit", /More was sent/],
    ["oppo", "16 Invalid Signature", /does not accept our credentials/],
    ["vivo", "10302 regId不合法", /app was removed/],
    ["vivo", "10070 发送总量超出限制", /More was sent/],
    ["webpush", "410 Gone", /app was removed/],
    ["fcm", "fcm: the payload has 5247 bytes, 4096 allowed", /larger than the vendor takes/],
    ["oppo", "oppo: android.title has 120 characters (a Chinese one counts as two), 100 allowed", /larger than/],
  ] as const)
    t.match(plainWords(vendor, reason)?.text, text, `${vendor} ${reason}`);
  t.equal(plainWords("oppo", "41 message 14 is malformed"), undefined, "a number in the text is no code");
  t.equal(plainWords("vivo", "10104 an unknown one"), undefined);
  t.end();
});
