// A configuration that is a program, read without running it.
import t from "tap";
import { readModule, Unread, type Value } from "../../src/moving/literal.ts";

const read = (text: string) => readModule(text, "/old");
const value = (text: string): Value => read(`module.exports = { x: ${text} };`).exports["x"];
const code = (text: string): Unread => {
  const found = value(text);
  if (!(found instanceof Unread)) throw new Error(`${text} was read as ${JSON.stringify(found)}`);
  return found;
};

t.test("what is written out is read: texts, numbers, lists, objects, sums, and names given before", async (t) => {
  t.equal(
    value(`'it\\'s \\u00e9 \\x41 \\u{1f600}\\
 on'`),
    "it's é A 😀 on",
  );
  t.equal(value("`plain`"), "plain");
  t.equal(value("0x1F"), 31);
  t.equal(value("1_000"), 1000);
  t.equal(value("1000 * 3600 * 24 * (30 - 1)"), 1000 * 3600 * 24 * 29);
  t.equal(value("-1.5e3"), -1500);
  t.equal(value("'a' + 1"), "a1");
  t.same(value("[1, 'two', [true, null,],]"), [1, "two", [true, null]]);
  t.strictSame({ ...(value("{ 'a b': 1, c: false, 3: undefined, }") as object) }, { 3: undefined, "a b": 1, c: false });
  const { exports, unread } = read(`
    'use strict'
    // a comment; not = { code }
    const port = 10001, host = "::1" /* of tests */
    let config = {}
    config.http_port = port
    config["host"] = host
    config.redis = { sub: [{ host, port: 6379 }] };
    config.redis.sub2 = config.redis.sub
    module.exports = config
    config.later = true`);
  t.same(JSON.parse(JSON.stringify(exports)), {
    http_port: 10001,
    host: "::1",
    redis: { sub: [{ host: "::1", port: 6379 }], sub2: [{ host: "::1", port: 6379 }] },
    later: true,
  });
  t.same(unread, []);
  t.same({ ...read("exports.a = 1\nmodule.exports.b = 2").exports }, { a: 1, b: 2 });
});

t.test("the usual ways to name a file are seen from the directory of the configuration", async (t) => {
  t.equal(value('process.cwd() + "/cert/key.pem"'), "/old/cert/key.pem");
  t.equal(value('__dirname + "/key.pem"'), "/old/key.pem");
  t.equal(value('path.join(__dirname, "/cert", "key.pem")'), "/old/cert/key.pem");
  t.equal(value('fs.readFileSync("cert/key.p8", "utf8").toString("utf8")'), "/old/cert/key.p8");
});

t.test("code is not run and not guessed: it is told with its line, without texts that may be secrets", async (t) => {
  for (const text of [
    "process.env.PORT || 10001",
    "require('./more')",
    "a ? 1 : 2",
    `\`$\{a}\``,
    "new Map([[1, 2]])",
    "unknown",
    "010",
  ])
    t.equal(code(text).line, 1, text);
  t.notOk(code("process.env.PORT || 10001").isFunction);
  for (const text of [
    "function (data, callback) { if (/[/}]/.test(data)) callback('}'); }",
    "async (a, b) => { return a / b / 2 }",
    "data => data.uid",
    "async function named() { return `}` }",
  ]) {
    const { exports } = read(`module.exports = { before: 1, x: ${text}, after: 2 };`);
    t.ok((exports["x"] as Unread).isFunction, text);
    t.equal(exports["after"], 2, text);
  }
  const { exports, unread } = read(`module.exports = {
    apiAuth(opts, cb) { cb(opts.ip === "127.0.0.1") },
    async bindUid(data) { return data.uid },
    ...require("./base"),
    [computed]: 1,
    port: 5,
  };
  if (process.env.NODE_ENV === "the-secret") { module.exports.port = 6 }
  require("./side-effect")`);
  t.ok((exports["apiAuth"] as Unread).isFunction && (exports["bindUid"] as Unread).isFunction);
  t.equal((exports["bindUid"] as Unread).line, 3);
  t.equal(exports["port"], 5);
  t.same(unread, [
    { line: 4, text: '...require("...")' },
    { line: 5, text: "[computed]: 1" },
    { line: 8, text: 'if (process.env.NODE_ENV === "...") { module.exports.port...' },
    { line: 9, text: 'require("...")' },
  ]);
});

t.test("no text makes it run anything, throw or go on for ever, and no key reaches a prototype", async (t) => {
  const sample = `var c = {}; c.a = [1, {b: "x"}]; c.f = function (x) { return /a[/]b/.test(x) }; module.exports = c;`;
  for (let cut = 0; cut < sample.length; cut++) {
    read(sample.slice(0, cut));
    read(sample.slice(cut));
    for (const one of ["{", "}", "(", '"', "/", "`", "\\", "=", "\n"])
      read(sample.slice(0, cut) + one + sample.slice(cut));
  }
  t.equal(({} as Record<string, unknown>)["polluted"], undefined);
  read('module.exports = { "__proto__": { polluted: 1 } }; module.exports.__proto__.polluted = 1');
  t.equal(({} as Record<string, unknown>)["polluted"], undefined);
  t.throws(() => read(`module.exports = ${"[".repeat(5000)}`), /nested too deep/);
});
