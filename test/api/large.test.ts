import type { Test } from "tap";
import { test } from "tap";
import { JsonError, JsonScanner, scanText } from "../../src/api/scan.ts";
import { error, type Harness, multipart, start, success } from "./harness.ts";

const json = { "content-type": "application/json" };
const form = { "content-type": "application/x-www-form-urlencoded" };
/** Makes a body a large one without changing what it says. */
const padding = " ".repeat(70_000);

const accepts = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

test("A7: JSON that is only looked at is JSON to the parser too, wherever the pieces are cut", async (t) => {
  let seed = 11;
  const random = (below: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor((seed / 2147483648) * below);
  };
  const words = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"a"',
    '"\\u00e9\\n"',
    "1",
    "-0",
    "1.5e+3",
    "01",
    "true",
    "nul",
    " ",
    "\n",
  ];
  const samples = [
    '{"a":[1,{"b":null}],"c":"\\ud83d"}',
    "[[],{}]",
    '"ü"',
    "-",
    "1.",
    "1e",
    ".5",
    '"\\x"',
    '"\t"',
    "[1 2]",
    "{,}",
  ];
  for (let round = 0; round < 4000; round++)
    samples.push(Array.from({ length: 1 + random(9) }, () => words[random(words.length)]).join(""));
  const wrong: string[] = [];
  for (const text of samples) {
    const bytes = Buffer.from(text);
    const scanner = new JsonScanner();
    let valid = true;
    try {
      for (let at = 0; at < bytes.length; ) {
        const to = Math.min(bytes.length, at + 1 + random(3));
        scanner.feed(bytes, at, to);
        at = to;
      }
      scanner.end(bytes.length);
    } catch (cause) {
      if (!(cause instanceof JsonError)) throw cause;
      valid = false;
    }
    if (valid !== accepts(text) || scanText(text) !== valid)
      wrong.push(`${JSON.stringify(text)} is taken for ${valid}`);
  }
  t.same(wrong, []);
});

/** What the core was asked by the same parameters, in a short body and in a long one. */
async function both(api: Harness, path: string, body: string, type: Record<string, string>, long: string) {
  const headers = { ...type, "X-Request-Id": "the-same" };
  const short = await api.send("POST", path, body, headers);
  const asked = api.take();
  const large = await api.send("POST", path, long, headers);
  return { short: [short.status, short.json, asked], large: [large.status, large.json, api.take()] };
}

test("A7: a large body asks for the same as a small one", async (t) => {
  const api = await start(t);
  for (const members of [
    '"topic":"a","json":{"n":12345678901234567890,"f":1.10}',
    '"topic":"a","json":12345678901234567890',
    '"topic":"a","json":"[1, 2]"',
    '"topic":"a","json":"text \\"é\\" \\ud83d\\ude00"',
    '"topic":"a","json":{"a":[1,\n2]},"json":[5]',
    '"topic":"a","json":null',
    '"topic":"a","json":0',
    '"topic":"a","json":""',
    '"topic":"a","data":"eyJhIjoxfQ=="',
    '"uid":[1,"2","2",""],"json":1,"timeToLive":1000',
    '"uid":"[1,\\"2\\"]","json":1',
    '"uid":5,"json":1',
    '"uid":[],"json":1',
    '"uid":{"a":1},"json":1',
    '"uid":[null],"json":1',
    '"uid":[9007199254740993],"json":1',
    '"pushId":"p","uid":"u","json":1',
    '"json":1',
  ]) {
    const { short, large } = await both(api, "/api/push", `{${members}}`, json, `${padding}{${members}}`);
    t.strictSame(large, short, members);
  }
  for (const text of ["[1]", "5", "", "{", '{"a":1', '{"a":1,}']) {
    const { short, large } = await both(api, "/api/push", text, json, padding + text);
    t.equal(large[0], short[0], text);
  }
  const note = '"uid":"1","notification":{"android":{"title":"t"},"payload":{"a":[1.10,12345678901234567890]}}';
  const { short, large } = await both(api, "/api/notification", `{${note}}`, json, `{${note}${padding}}`);
  t.strictSame(large, short);
});

const many = Array.from({ length: 100_000 }, (_, i) => `user${i}`);
const indexed = many.map((id, i) => `uid[${i}]=${id}`);

test("A7: 100,000 uids in one call reach the core once each, in every form, also twice and in disorder", async (t) => {
  const api = await start(t);
  const parts = multipart([["json", "1"], ...many.map((id): [string, string] => ["uid", id])]);
  const list = JSON.stringify(many);
  for (const [what, body, headers] of [
    ["json", JSON.stringify({ json: 1, uid: [...many, ...many] }), json],
    ["json with spaces and line breaks", JSON.stringify({ uid: many, json: 1 }, null, 3), json],
    ["a text of json in json", JSON.stringify({ uid: list, json: 1 }), json],
    ["a text of json", `json=1&uid=${encodeURIComponent(list)}`, form],
    ["repeated", `json=1&${many.map((id) => `uid=${id}`).join("&")}`, form],
    ["brackets", `json=1&${many.map((id) => `uid[]=${id}`).join("&")}`, form],
    ["indexes", `json=1&${indexed.join("&")}`, form],
    ["indexes in disorder", `json=1&${[...indexed].sort().join("&")}`, form],
    ["multipart", parts.body, { "content-type": parts.type }],
  ] as const) {
    t.match((await api.send("POST", "/api/push", body, headers)).json, success, what);
    const [pushed] = api.pushes();
    t.equal((pushed!.target as { uids: string[] }).uids.join(), many.join(), what);
  }
});

test("A7: a long payload arrives as it was written, whatever it came in", async (t) => {
  const api = await start(t);
  const item = '{"ключ":"値 \\" \\\\ \\n 😀 %41+é","n":1.10}';
  const payload = `[${Array.from({ length: 9000 }, () => item).join(",")}]`;
  const parts = multipart([
    ["topic", "a"],
    ["json", payload],
  ]);
  for (const [what, body, headers] of [
    ["json", `{"topic":"a","json":${payload}}`, json],
    ["text in json", JSON.stringify({ topic: "a", json: payload }), json],
    ["form", `topic=a&json=${encodeURIComponent(payload)}`, form],
    ["multipart", parts.body, { "content-type": parts.type }],
  ] as const) {
    t.match((await api.send("POST", "/api/push", body, headers)).json, success, what);
    t.equal((api.pushes()[0]!.draft as { body: string }).body, payload, what);
  }
  const text = `${payload}!`;
  const told = await api.form("/api/push", `topic=a&json=${encodeURIComponent(text)}`);
  t.match((told.json as { warnings: string[] }).warnings, [/^json starts like JSON but is none/]);
  t.equal((api.pushes()[0]!.draft as { body: string }).body, JSON.stringify(text));
  const odd = "é+%zz ".repeat(20_000);
  await api.form("/api/push", `topic=a&json=${odd}`);
  t.equal((api.pushes()[0]!.draft as { body: string }).body, JSON.stringify(odd.replaceAll("+", " ")));
});

test("A7: a repeated call is known again, large or not", async (t) => {
  const api = await start(t);
  const marks: unknown[] = [];
  const call = async (body: string, headers: Record<string, string>) => {
    await api.send("POST", "/api/push", body, headers);
    marks.push((api.take()[0]!.args[2] as { digest: string }).digest);
  };
  await call(`{"uid":["1","2"],"json":[ 1 ],"idempotencyKey":"k"}`, json);
  await call(`{"uid":["1","2"],"json":[1],"idempotencyKey":"k"}${padding}`, json);
  await call(`uid=1&uid=2&json=[1]&idempotencyKey=k`, form);
  await call(`uid=1${"&uid=2".repeat(20_000)}&json=[1]&idempotencyKey=k`, form);
  t.equal(new Set(marks).size, 1);
});

/** How often others had their turn before the answer. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let over = false;
  const count = (): void => {
    turns++;
    if (!over) setImmediate(count);
  };
  count();
  await work;
  over = true;
  return turns;
}

async function refuses(t: Test, api: Harness, body: string, status: number, message: string, path = "/api/push") {
  const answer = await api.send("POST", path, body, json);
  t.strictSame([answer.status, answer.json], [status, error(message)]);
}

test("A7: wide and deep bodies are bounded, and others get their turn meanwhile", async (t) => {
  const api = await start(t);
  const wide = `{"topic":"a","json":[${"{},".repeat(2_500_000)}{}]}`;
  let status = 0;
  const turns = await turnsDuring(api.send("POST", "/api/push", wide, json).then((answer) => (status = answer.status)));
  t.equal(status, 200);
  t.ok(turns > 30, `${turns} turns`);
  const deep = (levels: number): string => `${"[".repeat(levels)}${"]".repeat(levels)}`;
  t.equal((await api.send("POST", "/api/push", `{"topic":"a","json":${deep(999)}}`, json)).status, 200);
  const tooDeep = "JSON nested deeper than 1000 levels";
  await refuses(t, api, `{"topic":"a","json":${deep(1000)}}`, 400, tooDeep);
  await refuses(t, api, `{"topic":"a","json":${deep(2_000_000)}}`, 400, tooDeep);
  await refuses(t, api, JSON.stringify({ topic: "a", json: deep(1001) }), 400, tooDeep);
  t.strictSame((await api.form("/api/push", `topic=a&json=${deep(50_000)}`)).json, error(tooDeep));
  await refuses(t, api, `{"topic":"a","json":"${"x".repeat(16_000_000)}"}`, 413, "json is larger than 16000000 bytes");
  const values = `[${"1,".repeat(40_000)}1]`;
  await refuses(t, api, `{"topic":"a","json":1,"other":${values}}`, 413, "other holds more than 20000 values");
  const note = `{"uid":1,"notification":{"apn":{"x":${values}}}}`;
  await refuses(t, api, note, 413, "notification holds more than 20000 values", "/api/notification");
  const noteText = JSON.stringify({ uid: 1, notification: `{"apn":{"x":${values}}}` });
  await refuses(t, api, noteText, 413, "notification holds more than 20000 values", "/api/notification");
  const names = Array.from({ length: 9000 }, (_, i) => `"name${i}":1`).join();
  await refuses(t, api, `{"topic":"a","json":1,${names}}`, 413, "more than 1000 parameters");
  t.equal(api.take().length, 2, "none of these was pushed");
});
