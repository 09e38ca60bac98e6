import t from "tap";
import { fieldsOf, merge } from "../../src/vendors/fields.ts";
import { note } from "../support/vendor.ts";

t.test("the notification's fields win over the entry's, member by member", async (t) => {
  const own = note({ vendors: { v: { a: { x: 1 }, list: [2] }, other: { b: 1 } } });
  t.same(fieldsOf("v", { a: { x: 0, y: 0 }, list: [0, 1], c: 3 }, own), { a: { x: 1, y: 0 }, list: [2], c: 3 });
  t.same(fieldsOf("v", { c: 3 }, note()), { c: 3 });
  t.same(fieldsOf("toString", {}, note({ vendors: {} })), {});
});

t.test("what is no object is refused with its name", async (t) => {
  for (const vendors of [5, [], "x", { v: 5 }, { v: [] }, { v: null }]) {
    t.throws(() => fieldsOf("v", {}, note({ vendors })), /^v: vendors.v is not an object$/, JSON.stringify(vendors));
  }
});

t.test("a field named like a setter stays a field", async (t) => {
  const merged = merge({ a: 1 }, JSON.parse('{"__proto__":{"polluted":1},"constructor":{"x":1}}'));
  t.equal(JSON.stringify(merged), '{"a":1,"__proto__":{"polluted":1},"constructor":{"x":1}}');
  t.equal(merged["polluted"], undefined);
  t.equal(Object.getPrototypeOf(merged), Object.prototype);
});
