import t from "tap";
import { Unsendable } from "../../src/vendors/dialect.ts";
import { cut, fit, type Measure, sendingKey, shorthand, UNITS, WIDE, words } from "../../src/vendors/text.ts";
import { note } from "../support/vendor.ts";

t.test("a title is needed; it stands for a message that is missing", async (t) => {
  const of = (android: object, truncate = false) =>
    words("v", note({ android: { payload: {}, ...android } }), { title: 5, message: 7, truncate });
  t.same(of({ title: "Sale", message: "Now" }), { title: "Sale", message: "Now" });
  t.same(of({ title: "Sale" }), { title: "Sale", message: "Sale" });
  t.same(of({ title: "Sale", message: "" }), { title: "Sale", message: "Sale" });
  t.same(of({ title: "Sales and more" }, true), { title: "Sale…", message: "Sales …" });
  t.throws(() => of({ message: "Now" }), new Unsendable("v: nothing to show: android.title is missing"));
  t.throws(() => of({ title: "Sales!" }), new Unsendable("v: android.title has 6 characters, 5 allowed"));
});

t.test("F14: texts are measured and cut as the vendor counts, never inside a character", async (t) => {
  const table: readonly (readonly [Measure, string, number, string])[] = [
    [UNITS, "", 0, ""],
    [UNITS, "abc", 3, "abc"],
    [UNITS, "abcd", 3, "ab…"],
    [UNITS, "推送消息", 3, "推送…"],
    [UNITS, "😀😀", 4, "😀😀"],
    [UNITS, "😀😀😀", 5, "😀😀…"],
    [UNITS, "😀😀😀", 4, "😀…"],
    [UNITS, "a😀b", 1, "…"],
    [UNITS, "ab", 0, ""],
    [UNITS, "a\ud83d", 2, "a\ud83d"],
    [WIDE, "abcd", 4, "abcd"],
    [WIDE, "abcde", 4, "ab…"],
    [WIDE, "推送", 4, "推送"],
    [WIDE, "推送消", 5, "推…"],
    [WIDE, "😀é", 4, "😀é"],
    [WIDE, "推送", 1, ""],
  ];
  for (const [measure, text, limit, expected] of table) {
    t.equal(cut(text, limit, measure), expected, `${text} to ${limit}`);
    t.ok(measure.size(cut(text, limit, measure)) <= limit);
  }
});

t.test("a message fits in so many bytes of what is made of it, as much of it as possible", async (t) => {
  const render = (message: string) => JSON.stringify({ message });
  for (const text of ['"'.repeat(200), "推".repeat(200), "😀".repeat(200), `${"a".repeat(99)}推`.repeat(2)]) {
    for (let limit = 17; limit < 220; limit += 7) {
      const rendered = fit("v", text, limit, true, render);
      t.ok(Buffer.byteLength(rendered) <= limit, `${limit}`);
      const more = cut(text, (JSON.parse(rendered) as { message: string }).message.length + 2);
      t.ok(more === text || Buffer.byteLength(render(more)) > limit, `one character more than ${limit} bytes`);
    }
  }
  t.equal(fit("v", "whole", 100, false, render), render("whole"));
  t.throws(() => fit("v", "whole", 10, false, render), new Unsendable("v: the payload has 19 bytes, 10 allowed"));
  t.throws(() => fit("v", "whole", 10, true, render), new Unsendable("v: the payload has 19 bytes, 10 allowed"));
});

t.test("an id that a vendor takes is handed over as it is, another one as its hash", async (t) => {
  t.equal(shorthand("n1-A_9", 6), "n1-A_9");
  t.match(shorthand("n1-A_9", 5), /^[0-9a-f]{5}$/);
  t.match(shorthand("n:1", 64), /^[0-9a-f]{64}$/);
  t.equal(shorthand("n:1", 64), shorthand("n:1", 64));
});

t.test("each sending of a notification has a key of its own, the same at every try", async (t) => {
  const sent = note({}, { acceptedAt: 1 });
  t.match(sendingKey(sent, 20), /^[0-9a-f]{20}$/);
  t.equal(sendingKey(sent, 64), sendingKey({ ...sent, callerAddress: "::1" }, 64));
  t.not(sendingKey(sent, 64), sendingKey({ ...sent, acceptedAt: 2 }, 64));
  t.not(sendingKey(sent, 64), sendingKey({ ...sent, id: "n2" }, 64));
});
