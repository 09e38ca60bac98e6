import { deflateSync, gzipSync } from "node:zlib";
import { test } from "tap";
import { error, multipart, pushed, start } from "./harness.ts";

const draft = (body: string, timeToLive = 0) => ({ event: "p", body, timeToLive });
const encoded = (fields: readonly (readonly [string, string])[]) =>
  fields.map((pair) => pair.map(encodeURIComponent).join("=")).join("&");

test("API 1: the same push as GET query, GET with body, form, JSON, multipart and compressed", async (t) => {
  const api = await start(t);
  const fields = [
    ["uid", "ü 1"],
    ["json", '{"message":"o&k=+ü"}'],
    ["timeToLive", "1000"],
  ] as const;
  const form = encoded(fields);
  const object = JSON.stringify({ uid: "ü 1", json: { message: "o&k=+ü" }, timeToLive: 1000 });
  const parts = multipart(fields);
  const urlencoded = { "content-type": "application/x-www-form-urlencoded" };
  const json = { "content-type": "application/json" };
  const ways: [string, string, string, (string | Buffer)?, Record<string, string>?][] = [
    ["GET query", "GET", `/api/push?${form}`],
    ["POST query", "POST", `/api/push?${form}`],
    ["GET with form body", "GET", "/api/push", form, urlencoded],
    ["form", "POST", "/api/push", form, urlencoded],
    [
      "form with charset",
      "POST",
      "/api/push",
      form,
      { "content-type": "Application/X-WWW-Form-Urlencoded; charset=UTF-8" },
    ],
    ["form, + for space", "POST", "/api/push", form.replaceAll("%20", "+"), urlencoded],
    ["form, raw UTF-8", "POST", "/api/push", form.replaceAll("%C3%BC", "ü"), urlencoded],
    ["JSON", "POST", "/api/push", object, json],
    ["JSON with charset", "PUT", "/api/push", object, { "content-type": "application/json; charset=utf-8" }],
    ["JSON after a byte order mark", "POST", "/api/push", `\ufeff${object}`, json],
    ["multipart", "POST", "/api/push", parts.body, { "content-type": parts.type }],
    ["gzip", "POST", "/api/push", gzipSync(object), { ...json, "content-encoding": "gzip" }],
    ["gzip by its old name", "POST", "/api/push", gzipSync(object), { ...json, "content-encoding": "x-gzip" }],
    ["deflate", "POST", "/api/push", deflateSync(form), { ...urlencoded, "content-encoding": "deflate" }],
    ["other case, trailing slash", "POST", "/API/Push/", form, urlencoded],
    [
      "part in the body, part in the query",
      "POST",
      "/api/push?uid=%C3%BC+1",
      form.slice(form.indexOf("&") + 1),
      urlencoded,
    ],
    ["the query beats the body", "POST", `/api/push?${form}`, "uid=other&uid=another&json=5&timeToLive=7", urlencoded],
    ["the query beats a JSON body", "POST", `/api/push?${form}`, '{"uid":["x","y"],"json":{"a":1}}', json],
  ];
  for (const [name, method, path, body, headers] of ways) {
    const answer = await api.send(method, path, body, headers);
    t.strictSame([answer.status, answer.json], [200, pushed], name);
    t.strictSame(
      api.pushes(),
      [{ target: { kind: "uids", uids: ["ü 1"] }, draft: draft('{"message":"o&k=+ü"}', 1000) }],
      name,
    );
  }
});

test("API 1: a body of another or of no content type is ignored, an array body has no parameters", async (t) => {
  const api = await start(t);
  for (const [body, headers] of [
    ["topic=a&json=1", { "content-type": "text/plain" }],
    ["topic=a&json=1", {}],
    ['[{"topic":"a","json":1}]', { "content-type": "application/json" }],
    ["", { "content-type": "application/json" }],
  ] as [string, Record<string, string>][]) {
    const answer = await api.send("POST", "/api/push", body, headers);
    t.strictSame([answer.status, answer.json], [400, error("topic or pushId or uid is required")], body);
  }
});

const arrays: [string, string, string[]][] = [
  ["repeated key", "uid=1&uid=2", ["1", "2"]],
  ["empty brackets", "uid[]=1&uid[]=2", ["1", "2"]],
  ["one value in empty brackets", "uid[]=1", ["1"]],
  ["encoded brackets", "uid%5B%5D=1&uid%5B%5D=2", ["1", "2"]],
  ["indexed brackets", "uid[0]=1&uid[1]=2", ["1", "2"]],
  ["indexes out of order", "uid[1]=2&uid[0]=1", ["1", "2"]],
  ["indexes above 20", "uid[300]=3&uid[21]=1&uid[22]=2", ["1", "2", "3"]],
  ["plain and brackets mixed", "uid=1&uid[]=2", ["1", "2"]],
  ["JSON array of strings in a string", `uid=${encodeURIComponent('["1","2"]')}`, ["1", "2"]],
  ["JSON array of numbers in a string", "uid=[1,2]", ["1", "2"]],
  ["bare string", "uid=5", ["5"]],
  ["duplicates", "uid=5&uid=6&uid=5", ["5", "6"]],
  ["an empty element", "uid=&uid=6", ["6"]],
];

test("API 2: every array form gives the same targets, in the query and in the body", async (t) => {
  const api = await start(t);
  for (const [name, text, uids] of arrays) {
    await api.get(`/api/push?json=1&${text}`);
    await api.form("/api/push", `${text}&json=1`);
    t.strictSame(
      api.pushes().map(({ target }) => target),
      [
        { kind: "uids", uids },
        { kind: "uids", uids },
      ],
      name,
    );
  }
  for (const [uid, uids] of [
    [5, ["5"]],
    [
      [1, "2"],
      ["1", "2"],
    ],
    [[1, "1"], ["1"]],
    ["[1,2]", ["1", "2"]],
    [[], []],
  ]) {
    await api.post("/api/push", { uid, json: 1 });
    t.strictSame(api.pushes()[0]?.target, { kind: "uids", uids }, JSON.stringify(uid));
  }
});

test("API 2: an id of a wrong kind is refused, naming the field", async (t) => {
  const api = await start(t);
  const wrong = "uid must be a string, a number or an array of these";
  for (const [body, message] of [
    [{ uid: { a: 1 } }, wrong],
    [{ uid: true }, wrong],
    [{ uid: ["1", null] }, wrong],
    [{ uid: [["1"]] }, wrong],
    [{ uid: "[1," }, 'uid starts with "[" but is not a JSON array'],
    [{ uid: "x".repeat(257) }, "uid is longer than 256 characters"],
    [{ uid: 12345678901234567890n }, "uid: send numbers above 9007199254740991 as strings"],
    [{ pushId: ["a", "x".repeat(257)] }, "pushId is longer than 256 characters"],
    [{ topic: "x".repeat(257) }, "topic is longer than 256 characters"],
    [{ topic: ["a"] }, "topic must be a single string"],
    ...["topic", "pushId", "uid"].map((name) => [
      { [name]: "\ud83d" },
      `${name} has half a character: a surrogate without its other`,
    ]),
    [{ topic: "a", data: { a: 1 } }, "data must be a single string"],
  ] as [Record<string, unknown>, string][]) {
    const json = "data" in body ? undefined : 1;
    const text = JSON.stringify({ ...body, json }, (_, value) => (typeof value === "bigint" ? Number(value) : value));
    const answer = await api.send("POST", "/api/push", text, { "content-type": "application/json" });
    t.strictSame([answer.status, answer.json], [400, error(message)]);
  }
  const nested = await api.get("/api/push?uid[0]=a&uid[0]=b&json=1");
  t.strictSame(nested.json, error(wrong), "two values at one index are not silently one");
  t.strictSame(api.take(), []);
});

test("API 2, 32: 100,000 uids in each POST form reach all, and other calls are answered among them", async (t) => {
  const api = await start(t);
  const uids = Array.from({ length: 100_000 }, (_, i) => `user${i}`);
  const parts = multipart([...uids.map((uid) => ["uid", uid] as const), ["json", "1"]]);
  const urlencoded = "application/x-www-form-urlencoded";
  const ways: [string, string, string][] = [
    ["repeated key", urlencoded, `${uids.map((uid) => `uid=${uid}`).join("&")}&json=1`],
    ["empty brackets", urlencoded, `${uids.map((uid) => `uid%5B%5D=${uid}`).join("&")}&json=1`],
    ["indexed brackets", urlencoded, `${uids.map((uid, i) => `uid[${i}]=${uid}`).join("&")}&json=1`],
    ["JSON array in a form field", urlencoded, `uid=${encodeURIComponent(JSON.stringify(uids))}&json=1`],
    ["JSON body", "application/json", JSON.stringify({ uid: uids, json: 1 })],
    ["JSON array string in a JSON body", "application/json", JSON.stringify({ uid: JSON.stringify(uids), json: 1 })],
    ["multipart", parts.type, parts.body],
  ];
  for (const [name, type, body] of ways) {
    let finished = false;
    const large = api.send("POST", "/api/push", body, { "content-type": type }).then((answer) => {
      finished = true;
      return answer;
    });
    let others = 0;
    for (; !finished; others++) await api.get("/api/topicOnline?topic=a");
    t.strictSame((await large).json, pushed, name);
    const [push] = api.pushes();
    t.strictSame(push, { target: { kind: "uids", uids }, draft: draft("1") }, name);
    t.ok(others >= 10, `${name}: ${others} others were answered meanwhile`);
  }
});

test("API 3: 1200 repeated uids in a query are all reached, wherever json stands", async (t) => {
  const api = await start(t);
  const uids = Array.from({ length: 1200 }, (_, i) => `user${i}`);
  const query = uids.map((uid) => `uid=${uid}`).join("&");
  for (const path of [`/api/push?${query}&json=1`, `/api/push?json=1&${query}`]) {
    t.equal((await api.get(path)).status, 200);
    t.strictSame(api.pushes()[0]?.target, { kind: "uids", uids });
  }
  const tooLong = await api.get(`/api/push?json=1&${"uid=abcdefghij&".repeat(6000)}`);
  t.equal(tooLong.status, 431, "a query that does not fit is an error");
  t.strictSame(api.take(), []);
});

const missing = { ...error("data is required"), hint: "json is required: the message, as JSON or as text" };

test("API 4: the exact errors of push, in their order", async (t) => {
  const api = await start(t);
  const none = "topic or pushId or uid is required";
  const several = "pushId or uid or topic can't be present at the same time";
  for (const [query, message] of [
    ["", none],
    ["json=1", none],
    ["pushAll=true&json=1", none],
    ["pushId=&uid=&topic=&json=1", none],
    ["topic=a", "data is required"],
    ["topic=a&json=", "data is required"],
    ["topic=a&pushId=b", "data is required"],
    ["topic=a&pushId=b&json=1", several],
    ["topic=a&uid=b&json=1", several],
    ["uid=a&pushId=b&json=1", several],
    ["topic=a&json=1&tagStart=v_&tagLessThan=2", "tagStart filters devices: use it with pushId or uid, not with topic"],
  ]) {
    const answer = await api.get(`/api/push?${query}`);
    const expected = message === "data is required" ? missing : error(message!);
    t.strictSame([answer.status, answer.json], [400, expected], query!);
  }
  t.strictSame((await api.post("/api/push", { pushId: [], topic: "a", json: 1 })).json, error(several));
  t.strictSame(api.take(), []);
});

test("API 4: pushId= with a topic succeeds; an empty pushId array alone succeeds and reaches nobody", async (t) => {
  const api = await start(t);
  t.strictSame((await api.get("/api/push?pushId=&topic=a&json=1")).json, pushed);
  t.strictSame(api.pushes()[0]?.target, { kind: "topic", topic: "a" });
  t.strictSame((await api.post("/api/push", { pushId: [], json: 1 })).json, pushed);
  t.strictSame(api.pushes()[0]?.target, { kind: "pushIds", pushIds: [] });
});

test("API 5: the payload table", async (t) => {
  const api = await start(t);
  const forms: [string, string][] = [
    ['{"message":"ok"}', '{"message":"ok"}'],
    ["[0,1,2]", "[0,1,2]"],
    ["test string", '"test string"'],
    ["[0, 1, 2, 3]-", '"[0, 1, 2, 3]-"'],
    ["5", "5"],
    ["true", "true"],
    ["null", "null"],
    ['"quoted"', '"quoted"'],
    ['{"n":12345678901234567890.10}', '{"n":12345678901234567890.10}'],
    ['{\n"a":\r\n1}', '{ "a":  1}'],
    ["two\nlines", '"two\\nlines"'],
    ["\u2028", '"\u2028"'],
    ["tru", '"tru"'],
    ["100%", '"100%"'],
  ];
  for (const [json, body] of forms) {
    await api.form("/api/push", `topic=a&json=${encodeURIComponent(json)}`);
    t.strictSame(api.pushes()[0]?.draft, draft(body), json);
  }
  await api.form("/api/push", "topic=a&json=100%");
  t.strictSame(api.pushes()[0]?.draft, draft('"100%"'), "a percent sign that encodes nothing");
  await api.form("/api/push", "topic=a&json[a]=1&json[b][]=2");
  t.strictSame(api.pushes()[0]?.draft, draft('{"a":"1","b":["2"]}'), "nested form keys");

  const bodies: [string, string][] = [
    ['{"a":1}', '{"a":1}'],
    ['[1,{"a":2}]', '[1,{"a":2}]'],
    ["[5]", "[5]"],
    ['["5"]', '["5"]'],
    ["0", "0"],
    ["false", "false"],
    ["-1.50e3", "-1.50e3"],
    ["12345678901234567890", "12345678901234567890"],
    ['{"n":12345678901234567890,\n"s":"}],\\"{"}', '{"n":12345678901234567890, "s":"}],\\"{"}'],
    ['"{\\"a\\":1}"', '{"a":1}'],
    ['"plain"', '"plain"'],
    ['"line\\nbreak"', '"line\\nbreak"'],
  ];
  for (const [json, body] of bodies) {
    for (const text of [`{"json":${json},"topic":"a"}`, ` { "topic" : "a" , "x":[{"json":9}], "json" : ${json} } `]) {
      await api.send("POST", "/api/push", text, { "content-type": "application/json" });
      t.strictSame(api.pushes()[0]?.draft, draft(body), text);
    }
  }
  const text = '{"json":1,"topic":"a","\\u006ason":{"later":2}}';
  await api.send("POST", "/api/push", text, { "content-type": "application/json" });
  t.strictSame(
    api.pushes()[0]?.draft,
    draft('{"later":2}'),
    "the last of two members counts, however its name is spelled",
  );

  for (const json of ["", null]) {
    t.strictSame((await api.post("/api/push", { topic: "a", json })).json, missing);
  }
});

test("API 6: data alone becomes the push event of 2015; with json it gives way", async (t) => {
  const api = await start(t);
  await api.get("/api/push?topic=a&data=eyJhIjoxfQ%3D%3D&timeToLive=5");
  t.strictSame(api.pushes()[0]?.draft, { event: "push", body: '{"data":"eyJhIjoxfQ=="}', timeToLive: 5 });
  await api.get("/api/push?topic=a&data=eyJhIjoxfQ%3D%3D&json=1");
  t.strictSame(api.pushes()[0]?.draft, draft("1"));
});

test('API 7: uid 1 and uid "1" are the same user', async (t) => {
  const api = await start(t);
  await api.post("/api/push", { uid: 1, json: 1 });
  await api.post("/api/push", { uid: "1", json: 1 });
  await api.post("/api/push", { uid: [1, "1"], json: 1 });
  t.strictSame(
    api.pushes().map(({ target }) => target),
    Array(3).fill({ kind: "uids", uids: ["1"] }),
  );
});

test("API 9, C2: timeToLive is a number of milliseconds or a duration; anything else is refused and does nothing", async (t) => {
  const api = await start(t);
  for (const [given, expected] of [
    ["0", 0],
    ["0.9", 0],
    ["", 0],
    ["1000", 1000],
    ["1000.7", 1000],
    ["1500ms", 1500],
    ["90s", 90_000],
    ["30m", 1_800_000],
    ["1h", 3_600_000],
    ["1.5H", 5_400_000],
    ["7d", 604_800_000],
    ["2%20w", 1_209_600_000],
  ] as const) {
    await api.get(`/api/push?topic=a&json=1&timeToLive=${given}`);
    t.strictSame(api.pushes()[0]?.draft, draft("1", expected), given);
  }
  for (const [given, expected] of [
    [1000.7, 1000],
    ["1h", 3_600_000],
    [null, 0],
  ] as const) {
    await api.post("/api/push", { topic: "a", json: 1, timeToLive: given });
    t.strictSame(api.pushes()[0]?.draft, draft("1", expected), String(given));
  }
  const wrong = [400, error("timeToLive must be a number of milliseconds, or a duration like 30s, 15m, 1h or 7d")];
  const note = { android: { title: "t" } };
  for (const timeToLive of ["abc", "-5", -5, "1y", "1h30m", "Infinity", "0x10", "1e3", true, [1000], {}])
    for (const [path, body] of [
      ["/api/push", { topic: "a", json: 1 }],
      ["/api/notification", { pushId: "a", notification: note }],
      ["/api/uid/bind", { pushId: "a", uid: "b" }],
      ["/api/apn", { notification: note, tokens: ["t"], bundleId: "b" }],
    ] as const) {
      const answer = await api.post(path, { ...body, timeToLive });
      t.strictSame([answer.status, answer.json], wrong, `${path} ${JSON.stringify(timeToLive)}`);
    }
  const answer = await api.get(`/api/push?topic=a&json=1&timeToLive=${"9".repeat(20)}`);
  t.strictSame([answer.status, answer.json], [400, error("timeToLive is larger than 1000000000000000 ms")]);
  t.strictSame(api.take(), []);
});

test("a dry run that is misspelt, or asked of an endpoint that has none, does nothing", async (t) => {
  const api = await start(t);
  const note = { android: { title: "t" } };
  for (const [path, body, name, advice] of [
    ["/api/notification", { pushAll: true, notification: note }, "dryrun", "did you mean dryRun?"],
    ["/api/notification", { pushAll: true, notification: note }, "dry_run", "did you mean dryRun?"],
    ["/api/reach", { uid: "a", json: 1, notification: note }, "dryRun", "it has no dry run"],
    ["/api/push", { topic: "a", json: 1 }, "dryRun", "it has no dry run"],
    ["/api/uid/remove", { uid: "a" }, "DryRun", "it has no dry run"],
  ] as const) {
    for (const value of [true, "true", 1]) {
      const answer = await api.post(path, { ...body, [name]: value });
      const message = `${name} is no parameter of ${path}, nothing was done: ${advice}`;
      t.match([answer.status, answer.json], [400, { code: "error", message }], `${path} ${name}=${value}`);
    }
  }
  t.strictSame(api.take(), []);
  for (const value of [false, "false", ""])
    t.match(await api.post("/api/push", { topic: "a", json: 1, dryRun: value }), { status: 200 }, `${value}`);
});

test("C2: a parameter that nobody knows gets a warning that names the nearest one", async (t) => {
  const api = await start(t);
  const ignored = (name: string, path: string, meant?: string) =>
    `${name} is no parameter of ${path}, it was ignored${meant === undefined ? "" : `: did you mean ${meant}?`}`;
  for (const [path, name, meant] of [
    ["/api/push?topic=a&json=1", "ttl", "timeToLive"],
    ["/api/push?topic=a&json=1", "time_to_live", "timeToLive"],
    ["/api/push?topic=a&json=1", "timetolive", "timeToLive"],
    ["/api/push?topic=a&json=1", "pushAll", undefined],
    ["/api/push?topic=a&json=1", "colour", undefined],
    ["/api/notification?uid=a&notification[android][title]=t", "ttl", "timeToLive"],
    ["/api/notification?uid=a&notification[android][title]=t", "tags", "tag"],
    ["/api/notification?uid=a&notification[android][title]=t", "quiethours", "quietHours"],
    ["/api/uid/bind?uid=a&pushId=b", "platformLimt", "platformLimit"],
    ["/api/job/list?", "status", "state"],
    ["/api/topicOnline?topic=a", "x", undefined],
  ] as const) {
    const { status, json } = await api.get(`${path}&${name}=5`);
    const [plain] = path.split("?");
    t.match([status, json], [200, { warnings: [ignored(name, plain!, meant)] }], `${path} ${name}`);
  }
  api.take();
  const wrong = await api.get("/api/push?pushid=a&json=1");
  t.strictSame(
    [wrong.status, wrong.json],
    [400, { ...error("topic or pushId or uid is required"), warnings: [ignored("pushid", "/api/push", "pushId")] }],
    "an error says it when the name is close to a known one",
  );
  for (const [path, name, meant] of [
    ["/api/disconnect", "pushID", "pushId"],
    ["/api/uid/bind", "pushid", "pushId"],
    ["/api/uid/remove", "UID", "uid"],
    ["/api/device/get", "push_id", "pushId"],
    ["/api/device/delete", "pushids", "pushId"],
    ["/api/topicOnline", "topics", "topic"],
    ["/api/job/get", "ID", "id"],
    ["/api/notification", "notifications", "notification"],
    ["/api/reach", "notifications", "notification"],
  ] as const) {
    const { status, json } = await api.get(`${path}?${name}=a`);
    t.match([status, json], [400, { code: "error", warnings: [ignored(name, path, meant)] }], `${path} ${name}`);
  }
  const plain = await api.get("/api/push?topic=a&json=1&_=17");
  t.notMatch(plain.json, { warnings: Array }, "what a browser's library adds against caches is no mistake");
  const many = await api.post("/api/push", {
    topic: "a",
    json: 1,
    ...Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`${"x".repeat(100)}${i}`, 1])),
  });
  t.equal((many.json as { warnings: string[] }).warnings.length, 10);
});

test("C2: text that starts like JSON and is none is sent as text, with a warning", async (t) => {
  const api = await start(t);
  for (const text of ["{bad", "[1,2]-", '"half', " {'a':1}"]) {
    const { json } = await api.post("/api/push", { topic: "a", json: text });
    const [warning] = (json as { warnings?: string[] }).warnings ?? [];
    t.match(warning, /^json starts like JSON but is none, it was sent as text: /, text);
    t.strictSame(api.pushes()[0]?.draft, draft(JSON.stringify(text)));
  }
  for (const text of ["hello", "tru", "5 apples", "-", '{"a":1}', "null"]) {
    const { json } = await api.post("/api/push", { topic: "a", json: text });
    t.notMatch(json, { warnings: Array }, text);
  }
});

test("B4: data that is no base64 of JSON is refused: old clients would break on it", async (t) => {
  const api = await start(t);
  const wrong = error("data must be base64 of JSON, the form of old clients: send json, which takes JSON as it is");
  for (const data of ["hi", "hello", "====", '{"a":1}', "aGVsbG8=", "eyJhIjoxfQ==x", "eyJhIjox"]) {
    const answer = await api.post("/api/push", { topic: "a", data });
    t.strictSame([answer.status, answer.json], [400, wrong], data);
  }
  t.strictSame(api.take(), []);
  for (const value of [{ a: "ü" }, [1], 5, "text", null]) {
    const data = Buffer.from(JSON.stringify(value)).toString("base64");
    t.equal((await api.post("/api/push", { topic: "a", data })).status, 200, JSON.stringify(value));
  }
});

test("API 18: a tag filter goes with pushId and uid targets, when it is complete", async (t) => {
  const api = await start(t);
  for (const [query, target] of [
    ["uid=1&tagStart=v_&tagLessThan=2", { kind: "uids", uids: ["1"], filter: { start: "v_", lessThan: "2" } }],
    [
      "pushId=a&tagStart=v_&tagLessThan=2&tagGreaterThan=1",
      { kind: "pushIds", pushIds: ["a"], filter: { start: "v_", lessThan: "2", greaterThan: "1" } },
    ],
    ["uid=1&tagStart=v_", { kind: "uids", uids: ["1"] }],
    ["uid=1&tagLessThan=2", { kind: "uids", uids: ["1"] }],
  ] as const) {
    await api.get(`/api/push?json=1&${query}`);
    t.strictSame(api.pushes()[0]?.target, target, query);
  }
});

test("a push that is kept is answered after it is safe, and an error there is the caller's answer", async (t) => {
  let kept: ((made: { id: string; online: number }) => void) | undefined;
  const api = await start(t, {}, { push: () => new Promise((resolve) => (kept = resolve)) });
  let answered = false;
  const answer = api.get("/api/push?topic=a&json=1&timeToLive=1").then((result) => {
    answered = true;
    return result;
  });
  while (kept === undefined) await api.get("/api/heap");
  t.equal(answered, false);
  kept({ id: "packet123456", online: 0 });
  t.strictSame((await answer).json, pushed);
});
