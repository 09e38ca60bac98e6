import t from "tap";
import { printable } from "../../src/core/printable.ts";

t.test("A16: what a terminal would obey is written out, and nothing else", async (t) => {
  for (const [text, shown] of [
    ["\u001b[2J\u001b]0;owned\u0007", "\\u001b[2J\\u001b]0;owned\\u0007"],
    ["one\ntwo\r\t", "one\\u000atwo\\u000d\\u0009"],
    ["\u009b31m\u007f\u2028\u2029", "\\u009b31m\\u007f\\u2028\\u2029"],
    ["abc\u202edcba\u2066x\u2069", "abc\\u202edcba\\u2066x\\u2069"],
    ["é 你 😀 مرحبا", "é 你 😀 مرحبا"],
  ] as const)
    t.equal(printable(text), shown);
});
