import t from "tap";
import { Unsendable } from "../../src/vendors/dialect.ts";
import { cut, fit, length, sendingKey, shorthand, words } from "../../src/vendors/text.ts";
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

t.test("texts are measured and cut by characters, never inside one", async (t) => {
  const table: readonly (readonly [string, number, string])[] = [
    ["", 0, ""],
    ["abc", 3, "abc"],
    ["abcd", 3, "ab…"],
    ["推送消息", 3, "推送…"],
    ["😀😀😀", 3, "😀😀😀"],
    ["😀😀😀😀", 3, "😀😀…"],
    ["a😀b", 1, "…"],
    ["ab", 0, ""],
    ["a\ud83d", 2, "a\ud83d"],
  ];
  for (const [text, limit, expected] of table) {
    t.equal(cut(text, limit), expected, `${text} to ${limit}`);
    t.ok(length(cut(text, limit)) <= limit);
    t.equal(length(text), [...text].length);
  }
});

t.test("a message fits in so many bytes of what is made of it, as much of it as possible", async (t) => {
  const render = (message: string) => JSON.stringify({ message });
  for (const text of ['"'.repeat(200), "推".repeat(200), "😀".repeat(200), `${"a".repeat(99)}推`.repeat(2)]) {
    for (let limit = 17; limit < 220; limit += 7) {
      const rendered = fit("v", text, limit, true, render);
      t.ok(Buffer.byteLength(rendered) <= limit, `${limit}`);
      const more = cut(text, length((JSON.parse(rendered) as { message: string }).message) + 1);
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
