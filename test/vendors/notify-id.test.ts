import t from "tap";
import { notifyId } from "../../src/vendors/notify-id.ts";

t.test("a notification's number is the 31-fold hash of its id, without the sign", async (t) => {
  const table: readonly (readonly [string, number])[] = [
    ["", 0],
    ["a", 97],
    ["ab", 97 * 31 + 98],
    ["hello", 99162322],
    ["zzzzzzzz", 1910022912],
    ["推送", 0x63a8 * 31 + 0x9001],
    ["polygenelubricants", 0x7fffffff],
  ];
  for (const [id, number] of table) t.equal(notifyId(id), number, id);
});
