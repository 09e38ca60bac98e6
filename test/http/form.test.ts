import { test } from "tap";
import { FormFields, parseForm } from "../../src/http/form.ts";
import { HttpError } from "../../src/http/message.ts";
import { parseMultipart } from "../../src/http/multipart.ts";

const parse = (text: string): object => {
  const fields = new FormFields(new Set(["uid"]));
  fields.parse(text);
  return Object.fromEntries(fields.values());
};

test("form fields become text, arrays and objects", async (t) => {
  for (const [text, expected] of [
    ["", {}],
    ["&&&", {}],
    ["a", { a: "" }],
    ["a=", { a: "" }],
    ["=b", { "": "b" }],
    ["a=b=c", { a: "b=c" }],
    ["a=1&b=2", { a: "1", b: "2" }],
    ["a+b=c+d%20e%2B", { "a b": "c d e+" }],
    ["a=%", { a: "%" }],
    ["a=%zz&b=%C3", { a: "%zz", b: "%C3" }],
    ["a&b&c=1", { a: "", b: "", c: "1" }],
    ["a=1&ab=2&a=3", { a: ["1", "3"], ab: "2" }],
    ["a=1&a=2&a=3", { a: ["1", "2", "3"] }],
    ["a=1&a&a=", { a: ["1", "", ""] }],
    ["a=1&a=2&ab=3&a=4", { a: ["1", "2", "4"], ab: "3" }],
    ["a[]=1", { a: ["1"] }],
    ["a[]=1&a=2&a[]=3", { a: ["1", "2", "3"] }],
    ["a[7]=1&a[3]=0", { a: ["0", "1"] }],
    ["a[0]=1&a[0]=2", { a: [["1", "2"]] }],
    ["a=1&a[5]=2", { a: ["1", "2"] }],
    ["a=1&a=2&a[5]=3", { a: ["1", "2", "3"] }],
    ["a[0]=1&a=2", { a: ["1", "2"] }],
    ["a[b]=1&a[c][d]=2", { a: { b: "1", c: { d: "2" } } }],
    ["a[b][]=1&a[b][]=2", { a: { b: ["1", "2"] } }],
    ["a[b][0]=1&a[b][1]=2", { a: { b: ["1", "2"] } }],
    ["a[b][2018]=1", { a: { b: { "2018": "1" } } }],
    ["a[][x]=1&a[][x]=2", { a: [{ x: "1" }, { x: "2" }] }],
    ["a[b=1", { "a[b": "1" }],
    ["a[b]c=1", { "a[b]c": "1" }],
    ["[a]=1", { "[a]": "1" }],
    ["a[12345678901]=1", { a: { "12345678901": "1" } }],
    ["constructor=1&toString[x]=2", { constructor: "1", toString: { x: "2" } }],
  ] as [string, object][]) {
    t.strictSame(parse(text), expected, text);
  }
});

test("a key named __proto__ is only a key", async (t) => {
  const fields = new FormFields();
  fields.parse("__proto__=1&a[__proto__][polluted]=2&a[b]=3");
  const values = fields.values();
  t.equal(values.get("__proto__"), "1");
  t.equal(JSON.stringify(values.get("a")), '{"__proto__":{"polluted":"2"},"b":"3"}');
  t.equal(({} as Record<string, unknown>)["polluted"], undefined);
});

test("a long body is parsed in slices, to the same result, and others get their turn", async (t) => {
  const count = 200_000;
  const text = `${Array.from({ length: count }, (_, i) => `uid=ü${i}`).join("&")}&json=1`;
  let turns = 0;
  let counting = true;
  const tick = (): void => {
    turns++;
    if (counting) setImmediate(tick);
  };
  setImmediate(tick);
  const values = await parseForm(Buffer.from(text));
  counting = false;
  t.ok(turns > 5, `${turns} turns`);
  t.equal((values.get("uid") as string[]).length, count);
  t.equal((values.get("uid") as string[])[count - 1], `ü${count - 1}`);
  t.equal(values.get("json"), "1");
});

test("no text costs quadratic time, also once the parser is compiled", async (t) => {
  const index = Array.from({ length: 100_000 }, (_, i) => i);
  for (const [name, text] of [
    ["no =", "a&".repeat(200_000)],
    ["one key", "uid=user123&".repeat(200_000)],
    ["distinct keys", index.map((i) => `key${i}=1`).join("&")],
    ["indexes", index.map((i) => `uid[${i}]=user${i}`).join("&")],
    ["encoded", index.map((i) => `uid%5B%5D=user%20${i}`).join("&")],
  ] as const) {
    const flat = Buffer.from(text).toString();
    // Of the processor's time, which does not depend on who else works on the machine. Quadratic is a hundred times as much.
    const before = process.cpuUsage();
    for (let round = 0; round < 4; round++) parse(flat);
    const { user } = process.cpuUsage(before);
    t.ok(user < 5_000_000, `${name}: ${user / 1000} ms`);
  }
});

test("more than a million fields are refused", async (t) => {
  await t.rejects(
    async () => parseForm(Buffer.from("&a".repeat(1_000_001))),
    new HttpError(413, "more than 1000000 form fields"),
  );
});

test("multipart: text parts are fields, files are left out", async (t) => {
  const type = "multipart/form-data; boundary=b-1";
  const part = (head: string, value: string) => `--b-1\r\n${head}\r\n\r\n${value}\r\n`;
  const named = (name: string, value: string) => part(`Content-Disposition: form-data; name="${name}"`, value);
  for (const [body, expected] of [
    [`${named("a", "1")}--b-1--\r\n`, { a: "1" }],
    [`${named("a", "1")}--b-1--`, { a: "1" }],
    [`preamble\r\n${named("a", "1")}--b-1--epilogue`, { a: "1" }],
    [`${named("a", "")}${named("a", "2")}--b-1--`, { a: ["", "2"] }],
    [`${named("a[]", "x=&%20")}--b-1--`, { a: ["x=&%20"] }],
    [`${named("n[x]", "ü\r\n--b-2")}--b-1--`, { n: { x: "ü\r\n--b-2" } }],
    [`${named('q\\"%22', "1")}--b-1--`, { 'q""': "1" }],
    [`${part("content-disposition: form-data; name=a\r\nContent-Type: text/plain", "1")}--b-1--`, { a: "1" }],
    [`${part('Content-Disposition: form-data; name="f"; filename="x"', "file")}${named("a", "1")}--b-1--`, { a: "1" }],
    ["--b-1--\r\n", {}],
  ] as const) {
    t.strictSame(Object.fromEntries(await parseMultipart(Buffer.from(body), type)), expected, body);
  }
  for (const body of [
    "",
    "--b-1",
    "--b-1\r\n",
    named("a", "1"),
    "--b-2\r\n\r\n--b-2--",
    "--b-1\r\nno blank line\r\n--b-1--",
    `${part("X: y", "1")}--b-1--`,
    `${part("Content-Disposition: form-data", "1")}--b-1--`,
    `${part(`X: ${"y".repeat(9000)}`, "1")}--b-1--`,
  ]) {
    await t.rejects(
      parseMultipart(Buffer.from(body), type),
      new HttpError(400, "malformed multipart/form-data body"),
      body.slice(0, 40),
    );
  }
  const quoted = await parseMultipart(Buffer.from(`${named("a", "1")}--b-1--`), 'multipart/form-data; boundary="b-1"');
  t.equal(quoted.get("a"), "1");
});
