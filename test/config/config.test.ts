// Configuration: precedence, every kind of mistake with its message, what init and config write, what a reload may change.
import { generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { chmodSync } from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";
import { changes, type Given, readConfig } from "../../src/config/index.ts";
import { lineOf } from "../../src/config/line.ts";
import { rows, settings } from "../../src/config/settings.ts";
import { effectiveText, initText, maskedConfig } from "../../src/config/text.ts";
import { checkPair } from "../../src/config/tls.ts";
import { similar } from "../../src/core/similar.ts";
import { createAuthority } from "../../src/lab/authority.ts";

const key = "k3y.0f-7h3_b4ck3nd~";
/** Valid for a year from now. */
const { cert: certificate, key: certificateKey } = createAuthority(Date.now()).server(["localhost"]);

/** Flags as `--name text`. */
function given(file: string | undefined, env: Given["env"] = {}, ...flags: string[]): Given {
  const texts = new Map<string, string[]>();
  for (let at = 0; at < flags.length; at += 2)
    texts.set(flags[at]!, [...(texts.get(flags[at]!) ?? []), flags[at + 1]!]);
  return { file, env, flags: texts };
}

function valid(source: Given) {
  const reading = readConfig(source);
  if (reading.problems !== undefined) throw new Error(reading.problems.join("\n"));
  return reading;
}

const problems = (source: Given): readonly string[] => readConfig(source).problems ?? [];

/** Writes files into the test's own directory; returns the path of the first. */
function files(
  test: { testdir(content: Record<string, string | Buffer>): string },
  content: Record<string, string | Buffer>,
): string {
  const directory = test.testdir(content);
  for (const name of Object.keys(content)) chmodSync(join(directory, name), 0o600);
  return join(directory, Object.keys(content)[0]!);
}

t.test("nothing given: the defaults, which are safe", async (t) => {
  const { config, warnings, origins } = valid(given(undefined));
  t.equal(config.data, "./pushbox-data");
  t.match(config.client, {
    host: "::",
    port: 10_001,
    pingIntervalV3: 90_000,
    maxPayload: 1_000_000,
    origins: ["*"],
  });
  t.match(config.api, { host: "127.0.0.1", port: 11_001, keys: [], insecure: false, metrics: true });
  t.match(config.storage, { synchronous: "FULL", keep: 10, keepByPrefix: {}, arrivalDays: 30, auditDays: 366 });
  t.equal(config.trustClientUid, false);
  t.same(warnings, []);
  t.same([...new Set(origins.values())], ["default"]);
});

t.test("the configuration is frozen all the way down", async (t) => {
  const { config } = valid(given(undefined, {}, "api-keys", `a:${key}`));
  t.ok([config, config.client, config.client.origins, config.api.keys, config.api.keys[0]].every(Object.isFrozen));
});

t.test("every default passes its own check", async (t) => {
  for (const row of rows) t.ok(row.setting.schema.safeParse(row.setting.fallback).success, row.name);
});

t.test("flags beat environment beat file beat defaults", async (t) => {
  const file = files(t, {
    "p.toml": 'log_level = "warn"\n[client]\nport = 1\nping_timeout = 2000\n[storage]\nkeep = 5',
  });
  const { config, origins } = valid(
    given(file, { PUSHBOX_CLIENT_PORT: "2", PUSHBOX_STORAGE_KEEP: "6", PUSHBOX_LOG_LEVEL: "" }, "client-port", "3"),
  );
  t.equal(config.client.port, 3);
  t.equal(config.storage.keep, 6);
  t.equal(config.client.pingTimeout, 2000);
  t.equal(config.logLevel, "warn", "an empty variable is not set");
  t.equal(config.api.port, 11_001);
  t.equal(origins.get("client.port"), "--client-port");
  t.equal(origins.get("storage.keep"), "PUSHBOX_STORAGE_KEEP");
  t.equal(origins.get("client.ping_timeout"), `${file}:4`);
});

t.test("lists and tables can be written everywhere", async (t) => {
  const file = files(t, {
    "p.toml": `[client]
origins = ["https://a.example", "*"]
[api]
topic_online_filter = ["chat"]
[[api.keys]]
name = "a"
key = "${key}"
[storage]
keep_by_prefix = { "chat/" = 100, news = 7 }`,
  });
  const fromFile = valid(given(file)).config;
  t.same(fromFile.client.origins, ["https://a.example", "*"]);
  t.same(fromFile.api.topicOnlineFilter, { chat: "count" });
  t.same(fromFile.api.keys, [{ name: "a", key }]);
  t.same(fromFile.storage.keepByPrefix, { "chat/": 100, news: 7 });
  const fromText = valid(
    given(
      undefined,
      { PUSHBOX_CLIENT_ORIGINS: "https://a.example, *", PUSHBOX_STORAGE_KEEP_BY_PREFIX: "chat/=100,news=7" },
      ...["api-keys", `a:${key}`, "api-keys", `b:${key}b`, "api-topic-online-filter", "chat=devices,news"],
    ),
  ).config;
  t.same(fromText.client.origins, ["https://a.example", "*"]);
  t.same(fromText.storage.keepByPrefix, { "chat/": 100, news: 7 });
  t.same(fromText.api.topicOnlineFilter, { chat: "devices", news: "count" });
  t.same(
    fromText.api.keys.map((each) => each.name),
    ["a", "b"],
  );
});

/** The text of a file and the problems it has, without the file's name. */
const mistakes: readonly (readonly [string, string | Buffer, readonly string[]])[] = [
  ["an unknown setting", "dat = 1", ["1: unknown setting dat; did you mean data?"]],
  ["an unknown setting like no other", "zzzzzzz = 1", ["1: unknown setting zzzzzzz; remove it"]],
  [
    "a setting outside of its section",
    "port = 1",
    ["1: unknown setting port; port belongs in [client] or [api] or [admin] or [acme]"],
  ],
  [
    "a setting in another section",
    "[storage]\nlog_level = 1",
    ["2: unknown setting storage.log_level; log_level belongs in the top of the file"],
  ],
  ["an unknown section", "\n[storge]\nkeep = 1", ["2: unknown section storge; did you mean storage?"]],
  [
    "a section that is a value",
    "client = 5",
    ["1: client is a section; write [client] on a line of its own and its settings below"],
  ],
  ["a number in quotes", '[client]\nport = "80"', ['2: client.port: "80" does not fit; write port = 80']],
  ["a text without a list", '[client]\norigins = "*"', ['2: client.origins: "*" does not fit; write origins = ["*"]']],
  [
    "a wrong word",
    'log_level = "loud"',
    ['1: log_level: "loud" does not fit; write one of "trace", "debug", "info", "warn", "error", "fatal"'],
  ],
  [
    "a number out of range",
    "[api]\n\nport = 65536",
    ["3: api.port: 65536 does not fit; write a whole number from 0 to 65_535"],
  ],
  ["a fraction", "[storage]\nkeep = 1.5", ["2: storage.keep: 1.5 does not fit; write a whole number from 1 to 10_000"]],
  [
    "too large for native code",
    "[client]\nmax_payload = 1000001",
    ["2: client.max_payload: 1000001 does not fit; write a whole number from 1_024 to 1_000_000"],
  ],
  [
    "a wrong element",
    '[api]\ntrusted_proxies = ["::1", "10.0.0.0/33"]',
    [
      '2: api.trusted_proxies[2]: "10.0.0.0/33" does not fit; write an address or a network, such as "10.1.2.3", "10.0.0.0/8" or "::1"',
    ],
  ],
  [
    "an origin with a path",
    '[client]\norigins = ["https://a.example/x"]',
    [
      '2: client.origins[1]: "https://a.example/x" does not fit; write "*" for any, or an origin such as "https://example.com" or "https://*.example.com"',
    ],
  ],
  [
    "a wrong count in a table",
    "[storage]\nkeep_by_prefix = { a = 0 }",
    [
      '2: storage.keep_by_prefix.a: 0 does not fit; write a whole number from 1 to 10_000 for each prefix, as in { "chat" = 100 }',
    ],
  ],
  [
    "a key without a name, too short, with another field",
    `[[api.keys]]\nname = "a"\nkey = "${key}"\n[[api.keys]]\nkey = "short"\nnmae = "b"`,
    [
      "4: api.keys[2].name: is missing; write a name of up to 64 letters, digits and . _ -",
      "5: api.keys[2].key: does not fit; write a key of 16 to 256 letters, digits and - . _ ~ + / =",
      "4: unknown api.keys[2].nmae; remove it",
    ],
  ],
  [
    "both ports the same",
    "[client]\nport = 5\n[api]\nport = 5",
    ["2: client.port and api.port are both 5; give the API a port of its own"],
  ],
  [
    "pings beyond what native code takes",
    "[client]\nping_interval = 600000\nping_timeout = 300001",
    ["3: client.ping_timeout: 300001 does not fit; write a whole number of milliseconds from 1_000 to 300_000"],
  ],
  [
    "a certificate without a key",
    '[client]\ntls_cert = "x"',
    ["2: client.tls_cert is set and client.tls_key is not; name the certificate's key too"],
  ],
  [
    "a domain and a certificate",
    '[acme]\naccept_terms = true\n[client]\ndomain = "push.example.com"\ntls_cert = "x"\ntls_key = "y"',
    [
      "4: client.domain gets its certificate by itself and client.tls_cert names one; leave one of them",
      "5: client.tls_cert: there is no file x",
      "6: client.tls_key: there is no file y",
    ],
  ],
  [
    "a domain and terms that nobody has agreed to",
    '[client]\ndomain = "push.example.com"',
    [
      "2: client.domain asks acme-v02.api.letsencrypt.org for a certificate, whose terms of service you have to agree to (https://letsencrypt.org/repository/): write acme.accept_terms = true",
    ],
  ],
  [
    "a domain that is none",
    '[client]\ndomain = "https://Bücher.example/"\n[api]\ndomain = "*.example.com"\n[acme]\ndirectory = "http://a.test/"\nemail = "me"',
    [
      '2: client.domain: "https://Bücher.example/" does not fit; write "xn--bcher-kva.example"',
      '4: api.domain: "*.example.com" does not fit; write each name without a star: who owns a whole zone is asked by DNS, which pushbox does not speak',
      '6: acme.directory: "http://a.test/" does not fit; write the https URL of an ACME directory, such as "https://acme-staging-v02.api.letsencrypt.org/directory"',
      '7: acme.email: "me" does not fit; write one e-mail address',
    ],
  ],
  [
    "the port of the authority's question is another's",
    '[acme]\naccept_terms = true\nca_file = "/none.pem"\n[client]\ndomain = "push.example.com"\nport = 80',
    [
      "6: client.port and acme.port are both 80; the authority's question needs a port of its own",
      "3: acme.ca_file: there is no file /none.pem",
    ],
  ],
  [
    "an API that others reach without a key",
    '[api]\nhost = "0.0.0.0"',
    [
      '2: api.host 0.0.0.0 can be reached by others and there is no key; add [[api.keys]], or use "127.0.0.1", or accept that anybody can push with --insecure-api',
    ],
  ],
  [
    "two keys of one name",
    `[[api.keys]]\nname = "a"\nkey = "${key}"\n[[api.keys]]\nname = "a"\nkey = "${key}b"`,
    ['1: two api.keys are called "a"; give each key a name of its own'],
  ],
  [
    "a rule for a key that is not there",
    `[api]\nbroadcast_keys = ["alicf"]\n[[api.keys]]\nname = "alice"\nkey = "${key}"`,
    ['2: api.broadcast_keys: no key is called "alicf"; did you mean "alice"?'],
  ],
  [
    "not TOML",
    "a = 1\nb = = 2",
    ["2:5: unexpected character, expected only whitespace or comments till end of line; the line is not TOML"],
  ],
  [
    "JSON",
    '{ "client": { "port": 1 } }',
    ["1:1: the file is JSON, and has to be TOML: [client] on a line, then port = 11000 and so on"],
  ],
  ["YAML", "client:\n  port: 1", ["1:7: in TOML a section is [client] on a line of its own, with its settings below"]],
  [
    "a setting of YAML, which may be a secret",
    "[[api.keys]]\nkey: hidden-from-the-log",
    ["2:4: in TOML a setting is key = ..., where a text stands in quotes"],
  ],
  [
    "a text without quotes, which may be a secret",
    "[api]\nhost = 0.0.0.0",
    ['2:11: in TOML what is no number, true or false stands in straight quotes: host = "..."'],
  ],
  [
    "quotes of a word processor",
    "[api]\nhost = \u201c::1\u201d",
    ['2:7: in TOML what is no number, true or false stands in straight quotes: host = "..."'],
  ],
  [
    "a section that is not closed",
    "[client\nport = 1",
    ["1:8: in TOML a section is [client] on a line of its own, with its settings below"],
  ],
  [
    "a section that is there twice",
    "[client]\nport = 1\n[client]\nhost = '::1'",
    ["3:2: section client is here once more; put its settings below one heading"],
  ],
  ["a setting that is there twice", "[client]\nport = 1\nport = 2", ["3:1: port is here once more; leave one"]],
  [
    "UTF-16, as PowerShell writes it",
    Buffer.from("\ufeff[client]\nport = 1", "utf16le"),
    ["1:1: the file is UTF-16, and has to be UTF-8: iconv -f UTF-16 -t UTF-8 OLD > NEW"],
  ],
  [
    "another program's file",
    Buffer.from("SQLite format 3\0\x10\0"),
    ["1:8: the file is no text; name the one that pushbox init has written"],
  ],
  [
    "several at once",
    'dat = 1\n[client]\nport = "x"\n[api]\nhost = "::"',
    [
      "1: unknown setting dat; did you mean data?",
      '3: client.port: "x" does not fit; write a whole number from 0 to 65_535',
      '5: api.host :: can be reached by others and there is no key; add [[api.keys]], or use "127.0.0.1", or accept that anybody can push with --insecure-api',
    ],
  ],
];

for (const [name, text, expected] of mistakes)
  t.test(`a mistake in the file: ${name}`, async (t) => {
    const file = files(t, { "p.toml": text });
    const found = problems(given(file)).map((problem) => problem.replace(`${file}:`, ""));
    if (name === "not TOML") t.match(found, [/^2:\d+: .*; the line is not TOML$/]);
    else t.same(found, expected);
  });

t.test("mistakes in variables and flags name them", async (t) => {
  t.same(problems(given(undefined, { PUSHBOX_CLIENT_PORT: "1x" }, "trust-client-uid", "yes")), [
    'PUSHBOX_CLIENT_PORT: client.port: "1x" does not fit; write a whole number from 0 to 65_535',
    '--trust-client-uid: trust_client_uid: "yes" does not fit; write true or false',
  ]);
  t.same(problems(given(undefined, { PUSHBOX_STORAGE_KEEP_BY_PREFIX: "chat" })), [
    'PUSHBOX_STORAGE_KEEP_BY_PREFIX: storage.keep_by_prefix.chat: is missing; write a whole number from 1 to 10_000 for each prefix, as in { "chat" = 100 }',
  ]);
});

t.test(
  "D2: a variable that nothing reads is a warning with the nearest name, and keeps nobody from starting",
  async (t) => {
    const { warnings } = valid(
      given(undefined, { PUSHBOX_CLIENT_PROT: "1", PUSHBOX_ZZZZZZZ: "1", PUSHBOX_DATA_FILE: "x" }),
    );
    t.same(warnings, [
      "PUSHBOX_CLIENT_PROT: unknown variable, without effect; did you mean PUSHBOX_CLIENT_PORT?",
      "PUSHBOX_ZZZZZZZ: unknown variable, without effect; pushbox init writes all settings",
      "PUSHBOX_DATA_FILE: unknown variable, without effect; pushbox init writes all settings",
    ]);
    const wrong = readConfig(given(undefined, { PUSHBOX_CLIENT_PORT: "x", PUSHBOX_CLIENT_PROT: "1" }));
    t.equal(wrong.warnings.length, 1, "told beside problems too: it may be their cause");
  },
);

t.test("D2: the variables of commands and those that Kubernetes sets for services are nobody's mistake", async (t) => {
  const services = ["PUSHBOX", "PUSHBOX_API", "PUSHBOX_CLIENT", "PUSHBOX_METRICS_V2"].flatMap((name) => [
    [`${name}_SERVICE_HOST`, "10.0.0.1"],
    [`${name}_SERVICE_PORT`, "11001"],
    [`${name}_SERVICE_PORT_HTTP`, "11001"],
    [`${name}_PORT`, "tcp://10.0.0.1:11001"],
    ...["", "_PROTO", "_PORT", "_ADDR"].map((part) => [`${name}_PORT_11001_TCP${part}`, "x"]),
  ]);
  const own = { PUSHBOX_API_KEY: key, PUSHBOX_API_KEY_FILE: "/x", PUSHBOX_CONFIG: "/x" };
  const { config, warnings, origins } = valid(given(undefined, { ...Object.fromEntries(services), ...own }));
  t.same(warnings, []);
  t.same([...new Set(origins.values())], ["default"]);
  t.same([config.client.port, config.api.port], [10_001, 11_001]);
  t.equal(valid(given(undefined, { PUSHBOX_API_PORT: "80" })).config.api.port, 80, "a port is a port");
});

t.test("D2: each secret may be in a file that a variable names", async (t) => {
  const directory = t.testdir({
    keys: `a:${key}\n\nb:${key}b, c:${key}c\r\n`,
    proxy: "http://user:pass@10.0.0.1:3128\n",
    empty: "\n",
    wrong: "a:hunter2",
  });
  const secret = rows.filter((row) => row.setting.secret).map((row) => row.variable);
  t.same(secret.sort(), [
    "PUSHBOX_API_KEYS",
    "PUSHBOX_CLIENT_AUTH_KEYS",
    "PUSHBOX_HOOKS_ASK_SECRET",
    "PUSHBOX_HOOKS_TELL",
    "PUSHBOX_POSTGRES_URL",
    "PUSHBOX_VENDORS_PROXY",
  ]);
  const { config, origins } = valid(
    given(undefined, {
      PUSHBOX_API_KEYS_FILE: `${directory}/keys`,
      PUSHBOX_VENDORS_PROXY_FILE: `${directory}/proxy`,
      PUSHBOX_API_KEYS: "",
    }),
  );
  t.same(config.api.keys, [
    { name: "a", key },
    { name: "b", key: `${key}b` },
    { name: "c", key: `${key}c` },
  ]);
  t.equal(config.vendors.proxy, "http://user:pass@10.0.0.1:3128");
  t.equal(origins.get("api.keys"), "PUSHBOX_API_KEYS_FILE");
  t.match(
    problems(given(undefined, { PUSHBOX_API_KEYS: "0f7h3b4ck3nd0f7h3b4ck3nd" })),
    [/^PUSHBOX_API_KEYS: api\.keys\[1\]\.key: is missing; .* behind a name, as "backend:KEY"$/],
    "D2: a key alone",
  );
  t.same(problems(given(undefined, { PUSHBOX_API_KEYS_FILE: `${directory}/none` })), [
    `PUSHBOX_API_KEYS_FILE: ${directory}/none cannot be read (ENOENT); name a file that this user may read`,
  ]);
  t.same(problems(given(undefined, { PUSHBOX_API_KEYS_FILE: `${directory}/empty` })), [
    `PUSHBOX_API_KEYS_FILE: ${directory}/empty is empty`,
  ]);
  t.same(problems(given(undefined, { PUSHBOX_API_KEYS_FILE: `${directory}/keys`, PUSHBOX_API_KEYS: `a:${key}` })), [
    "PUSHBOX_API_KEYS_FILE: PUSHBOX_API_KEYS is set too; leave one of them",
  ]);
  const [wrong] = problems(given(undefined, { PUSHBOX_API_KEYS_FILE: `${directory}/wrong` }));
  t.match(wrong, /^PUSHBOX_API_KEYS_FILE: api\.keys\[1\]\.key: does not fit/);
  t.notMatch(wrong, /hunter2/);
});

t.test("A2: a key out of a manual, or one that somebody guesses, is refused with what to write", async (t) => {
  for (const weak of [
    ...[
      "16-characters-or-more",
      "changeme-changeme",
      "CHANGE_ME_please_now",
      "your-api-key-here-1",
      "my-secret-key-12345",
    ],
    ...[
      "0123456789abcdef",
      "1234567890123456",
      "abcdefghijklmnop",
      "qwertyuiopasdfgh",
      "aaaaaaaaaaaaaaaa",
      "abababababababab",
    ],
    ...[
      "aaaabbbbccccdddd",
      "g7Kd93Lsg7Kd93Ls",
      "password-of-mine-7",
      "xxxxxxxxxxxxxxxx",
      "0000000000000000",
      "fedcba9876543210",
    ],
  ]) {
    const [problem] = problems(given(undefined, { PUSHBOX_API_KEYS: `a:${weak}` }));
    t.match(
      problem,
      /api\.keys\[1\]\.key: does not fit; write a random one, not an example .* openssl rand -hex 24$/,
      weak,
    );
    t.notMatch(problem, weak);
  }
});

t.test("A2: random keys are taken, whatever made them", async (t) => {
  for (let n = 0; n < 500; n++)
    for (const strong of [
      randomBytes(24).toString("base64url"),
      randomBytes(8).toString("hex"),
      randomUUID(),
      randomBytes(16).toString("base64"),
    ])
      t.same(problems(given(undefined, { PUSHBOX_API_KEYS: `a:${strong}` })), [], strong);
});

t.test("a file that is not there or not a file", async (t) => {
  const directory = t.testdir({});
  t.same(problems(given(join(directory, "x"))), [
    `${directory}/x: there is no such file; write one with: pushbox init`,
  ]);
  t.same(problems(given(directory)), [`${directory}: this is a directory; name the file in it`]);
});

t.test("a wrong key is not shown, whatever is wrong with it", async (t) => {
  const secret = "hunter2hunter2!!hunter2";
  t.notMatch(problems(given(undefined, { PUSHBOX_API_KEYS: `a:${secret}` })).join(), secret);
  t.notMatch(problems(given(undefined, { PUSHBOX_API_KEYS: secret })).join(), secret);
});

t.test("a rule is not told of a setting that is wrong already", async (t) => {
  t.equal(problems(given(undefined, {}, "api-host", "0.0.0.0", "api-keys", "short:short")).length, 1);
});

t.test("an address that only this machine reaches needs no key", async (t) => {
  for (const host of ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
    t.same(problems(given(undefined, {}, "api-host", host)), []);
  for (const host of ["::", "10.0.0.1", "127.example.com", "example.com"])
    t.equal(problems(given(undefined, {}, "api-host", host)).length, 1);
  t.same(problems(given(undefined, {}, "api-host", "::", "insecure-api", "true")), []);
});

t.test("a file with keys that everybody can read is a warning", async (t) => {
  const file = files(t, { "p.toml": `[[api.keys]]\nname = "a"\nkey = "${key}"` });
  t.same(valid(given(file)).warnings, []);
  chmodSync(file, 0o644);
  t.same(valid(given(file)).warnings, [
    `${file} holds keys and every user of this machine can read it: chmod 600 ${file}`,
  ]);
});

t.test("A1: an API without keys that any page may call is a warning", async (t) => {
  const open = (...more: string[]) => valid(given(undefined, {}, "api-origins", "*", ...more)).warnings;
  t.match(open(), [/^api\.origins is "\*" and there is no key: any web page/]);
  t.same(open("api-keys", `a:${key}`), []);
  t.same(valid(given(undefined, {}, "api-origins", "https://app.example,https://*.example.com")).warnings, []);
});

t.test("A1: api.hosts are names and api.origins origins", async (t) => {
  const right = given(undefined, { PUSHBOX_API_HOSTS: "push.example.com,pushbox,my_host" });
  t.same(valid(right).config.api.hosts, ["push.example.com", "pushbox", "my_host"]);
  for (const wrong of [
    "http://a.example",
    "a.example:80",
    "*.example.com",
    "10.0.0.1",
    "::1",
    "a b",
    "a..b",
    ".a",
    "a/",
  ])
    t.match(problems(given(undefined, {}, "api-hosts", wrong)), [
      /api\.hosts\[1\]: .*write a name such as "push\.example\.com"/,
    ]);
});

t.test("B12: a star in an origin is one whole label, and not a whole top-level domain", async (t) => {
  for (const name of ["client-origins", "api-origins"]) {
    for (const right of [
      "*",
      "https://*.example.com",
      "http://*.example.com:8080",
      "capacitor://localhost",
      "https://a.example",
    ])
      t.same(problems(given(undefined, {}, name, right)), [], right);
    for (const wrong of [
      ...[
        "https://*",
        "https://*.com",
        "*.example.com",
        "https://a*.example.com",
        "https://*.*.example.com",
        "https://a.*.com",
      ],
      ...["https://*.example.com/", "https://**.example.com", "https://Example.com", "https://example.com:443", "null"],
    ])
      t.match(problems(given(undefined, {}, name, wrong)), [/write "\*" for any, or an origin such as/], wrong);
  }
});

t.test("D5: a host with a port, a wrong address or what is neither address nor name says what to write", async (t) => {
  const said = (host: string) =>
    problems(given(undefined, {}, "client-host", host))[0]?.replace(/^.*does not fit; /, "");
  for (const right of [
    "0.0.0.0",
    "::",
    "[::]",
    "[::1]",
    "fe80::1%eth0",
    "localhost",
    "push.example.com",
    "eth0",
    "127.0.0.1",
  ])
    t.equal(said(right), undefined, right);
  t.equal(said("0.0.0.0:8080"), 'write host = "0.0.0.0" and port = 8080');
  t.equal(said("[::1]:80"), 'write host = "[::1]" and port = 80');
  t.equal(said("localhost:80"), 'write host = "localhost" and port = 80');
  t.equal(said("http://push.example.com/"), 'write host = "push.example.com"');
  for (const wrong of [
    "256.1.1.1",
    "1.2.3",
    "8080",
    ":8080",
    "*",
    "",
    "a b",
    "::1::",
    "[1.2.3.4]",
    "-a",
    "a..b",
    "0.0.0.0:999999",
  ])
    t.equal(said(wrong), 'write an address such as "0.0.0.0", "::1" or a host name', wrong);
});

t.test(
  "a certificate and key that do not fit, cannot be read or are out of date are named with what to do",
  async (t) => {
    const pem = (k: { export(o: { type: "pkcs8"; format: "pem" }): string | Buffer }) =>
      String(k.export({ type: "pkcs8", format: "pem" }));
    const other = pem(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);
    const directory = t.testdir({
      "cert.pem": certificate,
      "key.pem": certificateKey,
      "other.pem": other,
      "locked.pem": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
      "text.pem": "hello",
      "chain.pem": `${certificate}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
    });
    const tls = (cert: string, key: string) => {
      const [c, k] = [join(directory, cert), join(directory, key)];
      const reading = readConfig(given(undefined, {}, "client-tls-cert", c, "client-tls-key", k));
      return (reading.problems ?? reading.warnings).map((text) => text.replaceAll(`${directory}/`, ""));
    };
    t.same(tls("cert.pem", "key.pem"), []);
    const warnings = (now: string) =>
      checkPair(join(directory, "cert.pem"), join(directory, "key.pem"), Date.parse(now)).warnings.map((text) =>
        text.replaceAll(`${directory}/`, ""),
      );
    t.match(warnings("2025-01-01"), [
      /^the certificate in cert.pem is valid only from 20\d\d-\d\d-\d\d: clients refuse it; check the clock$/,
    ]);
    t.match(warnings("2200-01-01"), [
      /^the certificate in cert.pem expired on 20\d\d-\d\d-\d\d: clients refuse it; renew it$/,
    ]);
    t.same(tls("cert.pem", "other.pem"), [
      "--client-tls-key: client.tls_key: other.pem is not the key of the certificate in cert.pem; give both files of one pair",
    ]);
    t.same(tls("text.pem", "locked.pem"), [
      "--client-tls-cert: client.tls_cert: text.pem is not a certificate in PEM form (-----BEGIN CERTIFICATE-----)",
      "--client-tls-key: client.tls_key: locked.pem is protected by a passphrase; write it without one: openssl pkey -in OLD -out NEW",
    ]);
    t.same(tls("none.pem", "key.pem"), ["--client-tls-cert: client.tls_cert: there is no file none.pem"]);
    t.match(
      tls("chain.pem", "key.pem"),
      [/^--client-tls-cert: client\.tls_cert: TLS refuses chain\.pem with key\.pem: \w+/],
      "D5: a chain whose second part is broken",
    );
  },
);

t.test("what init writes changes nothing, and holds every default", async (t) => {
  const secret = `${key}-${key}`;
  const text = initText(secret);
  const asWritten = files(t, { "a.toml": text, "b.toml": text.replace(/^#(?=[a-z_0-9]+ = |\[\[)/gm, "") });
  t.same(valid(given(asWritten)).config, valid(given(undefined)).config);
  const uncommented = valid(given(asWritten.replace("a.toml", "b.toml")));
  const { tell } = uncommented.config.hooks;
  t.match(tell, [{ name: "backend", secret: /^whsec_/, events: ["device.*", "user.*", "topic.*"] }]);
  t.same(uncommented.config, {
    ...valid(given(undefined)).config,
    api: { ...valid(given(undefined)).config.api, keys: [{ name: "backend", key: secret }] },
    client: {
      ...valid(given(undefined)).config.client,
      auth: { ...valid(given(undefined)).config.client.auth, keys: [{ id: "1", alg: "HS256", secret }] },
    },
    hooks: { ...valid(given(undefined)).config.hooks, tell },
  });
  t.notOk([...uncommented.origins.values()].includes("default"), "every setting is there");
});

t.test("config prints what holds and where it comes from, reads back, and shows no key", async (t) => {
  const { config, origins } = valid(given(undefined, { PUSHBOX_API_KEYS: `backend:${key}` }, "client-port", "5"));
  const text = effectiveText(config, origins, () => new Set());
  t.notMatch(text, key);
  t.match(text, /^port = 5 +# --client-port$/m);
  t.match(text, /^keys = \[\{ name = "backend", key = "\*{8}" \}\] +# PUSHBOX_API_KEYS$/m);
  const again = readConfig(given(files(t, { "p.toml": text.replace("********", key) })));
  t.same("config" in again && again.config, config);
});

t.test("a reload applies what can change while running and names what cannot", async (t) => {
  const old = valid(given(undefined)).config;
  const next = valid(
    given(undefined, {}, "log-level", "debug", "api-keys", `a:${key}`, "client-port", "5", "storage-keep", "3"),
  ).config;
  const change = changes(old, next);
  t.same(change.applied, ["log_level", "api.keys"]);
  t.same(change.restart, ["client.port", "storage.keep"]);
  t.equal(change.config.client.port, old.client.port);
  t.equal(change.config.logLevel, "debug");
  t.same(changes(old, old), { config: old, applied: [], restart: [] });
});

const SECRET = "n3-kQ8zV1xW0pL7rT5yB2mD9fH6jC4sA";
const publicPem = (type: "rsa" | "ec"): string =>
  String(
    generateKeyPairSync(
      type as "rsa",
      { modulusLength: 2048, namedCurve: "P-256" } as { modulusLength: number },
    ).publicKey.export({ type: "spki", format: "pem" }),
  );

t.test(
  "integration 11: keys of tokens are read from the file, a flag or a variable, and shown without their secrets",
  async (t) => {
    const rsa = publicPem("rsa");
    const file = files(t, {
      "p.toml": `[client]\nport = 5\n[client.auth]\nrequired = true\nrequired_topics = ["private:"]\n[[client.auth.keys]]\nid = "a"\nalg = "HS256"\nsecret = "${SECRET}"\n[[client.auth.keys]]\nid = "b"\nalg = "RS256"\npublic_key_file = "rsa.pem"\n`,
      "rsa.pem": rsa,
    });
    const { config, origins } = valid(given(file));
    const pem = join(dirname(file), "rsa.pem");
    const keys = [
      { id: "a", alg: "HS256", secret: SECRET },
      { id: "b", alg: "RS256", public_key_file: pem },
    ];
    t.match(config.client, { port: 5, auth: { required: true, requiredTopics: ["private:"], keys } });
    const texts = `a:HS256:${SECRET},b:RS256:${pem}`;
    t.same(valid(given(undefined, {}, "client-auth-keys", texts)).config.client.auth.keys, keys);
    t.same(valid(given(undefined, { PUSHBOX_CLIENT_AUTH_KEYS: texts })).config.client.auth.keys, keys);
    const text = effectiveText(config, origins, () => new Set());
    t.notMatch(text, SECRET);
    t.match(text, /^\[client\.auth\]$/m);
    const again = readConfig(given(files(t, { "again.toml": text.replace("********", SECRET), "rsa.pem": rsa })));
    t.same("config" in again && again.config, config);
    t.match(
      maskedConfig(config, () => new Set()),
      {
        client: {
          port: 5,
          auth: {
            required: true,
            keys: [
              { id: "a", secret: "********" },
              { id: "b", public_key_file: pem },
            ],
          },
        },
      },
    );
  },
);

t.test("integration 11: mistakes in the login of clients are told with the way out", async (t) => {
  const wrong: [text: string, problem: RegExp][] = [
    ["required = true", /client\.auth\.required is set and no token could be checked; add \[\[client\.auth\.keys\]\]/],
    ['required_topics = ["a:"]', /required_topics is set/],
    ['keys = [{ id = "a", alg = "none", secret = "x" }]', /keys\[1\]\.alg: does not fit; write one of "HS256"/],
    ['keys = [{ id = "a", alg = "HS256", secret = "short" }]', /secret: does not fit; write a secret of 32 characters/],
    ['keys = [{ id = "a", alg = "HS256" }]', /secret: is missing/],
    [`keys = [{ id = "a", alg = "RS256", secret = "${SECRET}" }]`, /public_key_file: is missing/],
    [`keys = [{ alg = "HS256", secret = "${SECRET}" }]`, /id: is missing/],
    [`keys = [{ id = "a", alg = "HS256", secret = "${SECRET}", kid = "b" }]`, /unknown .*kid/],
    ['keys = [{ id = "a", alg = "RS256", public_key_file = "none.pem" }]', /there is no file .*none\.pem/],
    ['keys = [{ id = "a", alg = "RS256", public_key_file = "ec.pem" }]', /RS256 needs RSA of 2,048 bits/],
    ['keys = [{ id = "a", alg = "EdDSA", public_key_file = "ec.pem" }]', /EdDSA needs Ed25519/],
    ['keys = [{ id = "a", alg = "RS256", public_key_file = "private.pem" }]', /is a private key/],
    ['keys = [{ id = "a", alg = "RS256", public_key_file = "p.toml" }]', /is not a public key in PEM form/],
    [
      `keys = [{ id = "a", alg = "HS256", secret = "${SECRET}" }, { id = "a", alg = "HS256", secret = "${SECRET}" }]`,
      /two client\.auth\.keys/,
    ],
    ['jwks_url = "idp.example.com"', /jwks_url: "idp\.example\.com" does not fit/],
    ['jwks_url = "https://idp.example.com/jwks"\nissuer = "x"', /needs client\.auth\.audience/],
    ["keys = true", /does not fit; write at most 32/],
  ];
  for (const [text, problem] of wrong) {
    const file = files(t, {
      "p.toml": `[client.auth]\n${text}\n`,
      "ec.pem": publicPem("ec"),
      "private.pem": certificateKey,
    });
    const found = problems(given(file));
    t.match(found, [problem], text);
    t.notMatch(found.join(), SECRET);
  }
  const plain = { issuer: "i", audience: "a" };
  const flags = (url: string) => [
    "client-auth-jwks-url",
    url,
    ...Object.entries(plain).flatMap(([k, v]) => [`client-auth-${k}`, v]),
  ];
  t.match(valid(given(undefined, {}, ...flags("http://idp.example.com/jwks"))).warnings, [/is not https/]);
  t.same(valid(given(undefined, {}, ...flags("http://127.0.0.1/jwks"))).warnings, []);
});

t.test("integration 11: a reload changes the keys of tokens, and does not take the last one away", async (t) => {
  const keys = (...ids: string[]) =>
    valid(given(undefined, {}, "client-auth-keys", ids.map((id) => `${id}:HS256:${SECRET}`).join())).config;
  const [one, other, none] = [keys("a"), keys("b"), valid(given(undefined)).config];
  t.match(changes(one, other), {
    applied: ["client.auth.keys"],
    config: { client: { auth: { keys: [{ id: "b" }] } } },
  });
  t.match(changes(one, none), { restart: ["client.auth.keys"], config: { client: { auth: { keys: [{ id: "a" }] } } } });
  t.match(changes(none, one).applied, ["client.auth.keys"]);
});

const WHSEC = `whsec_${Buffer.alloc(24, "0123456789abcdefXYZ").toString("base64")}`;

t.test(
  "integration 10: whom to ask is read from the file, flags or variables, and shown without the secret",
  async (t) => {
    const file = files(t, {
      "p.toml": `[hooks.ask]\nurl = "http://127.0.0.1:8080/pushbox"\nsecret = "${WHSEC}"\non_failure = { packet = "allow" }\nheaders = ["cookie"]\n`,
    });
    const { config, origins } = valid(given(file));
    const ask = {
      url: "http://127.0.0.1:8080/pushbox",
      secret: [WHSEC],
      questions: ["connect", "bind_uid", "subscribe", "packet"],
      onFailure: { connect: "allow", bind_uid: "refuse", subscribe: "refuse", packet: "allow" },
      headers: ["cookie"],
      timeout: 2000,
      maxAtOnce: 100,
    };
    t.match(config.hooks, { ask });
    const env = { PUSHBOX_HOOKS_ASK_SECRET: `${WHSEC}`, PUSHBOX_HOOKS_ASK_ON_FAILURE: "packet=allow,connect=allow" };
    t.match(valid(given(undefined, env, "hooks-ask-url", ask.url, "hooks-ask-headers", "cookie")).config.hooks, {
      ask,
    });
    const text = effectiveText(config, origins, () => new Set());
    t.notMatch(text, WHSEC);
    t.notMatch(JSON.stringify(maskedConfig(config, () => new Set())), WHSEC);
    const again = readConfig(given(files(t, { "again.toml": text.replace("********", WHSEC) })));
    t.same("config" in again && again.config, config);
  },
);

t.test("integration 10: mistakes in whom to ask are told with the way out", async (t) => {
  const url = 'url = "http://127.0.0.1/"';
  const wrong: [text: string, problem: RegExp][] = [
    [url, /hooks\.ask\.secret: is missing; write whsec_/],
    [`${url}\nsecret = "whsec_short"`, /hooks\.ask\.secret\[1\]: does not fit; write whsec_/],
    [`url = "backend"\nsecret = "${WHSEC}"`, /hooks\.ask\.url: does not fit; write an address/],
    [`url = "http://user:pass@127.0.0.1/"\nsecret = "${WHSEC}"`, /hooks\.ask\.url/],
    [`url = "http://backend.example.com/"\nsecret = "${WHSEC}"`, /write https:\/\//],
    [
      `${url}\nsecret = "${WHSEC}"\nquestions = ["connnect"]`,
      /questions\[1\]: "connnect" does not fit; write one of "connect"/,
    ],
    [`${url}\nsecret = "${WHSEC}"\nquestions = ["subscribe"]`, /subscribe_topics: is empty/],
    [
      `${url}\nsecret = "${WHSEC}"\non_failure = { connect = "yes" }`,
      /on_failure\.connect: "yes" does not fit; write "allow" or "refuse"/,
    ],
    [`${url}\nsecret = "${WHSEC}"\non_failure = { conect = "allow" }`, /unknown hooks\.ask\.on_failure\.conect/],
    [`${url}\nsecret = "${WHSEC}"\nheaders = ["Cookie"]`, /headers\[1\]/],
    ["timeot = 1", /unknown setting hooks\.ask\.timeot; did you mean timeout\?/],
  ];
  for (const [text, problem] of wrong) {
    const found = problems(given(files(t, { "p.toml": `[hooks.ask]\n${text}\n` })));
    t.match(found, [problem], text);
    t.notMatch(found.join(), WHSEC);
  }
});

t.test("a listener begins to speak TLS only with a restart", async (t) => {
  const directory = t.testdir({ "cert.pem": certificate, "key.pem": certificateKey });
  const old = valid(given(undefined)).config;
  const next = valid(
    given(undefined, {}, "client-tls-cert", `${directory}/cert.pem`, "client-tls-key", `${directory}/key.pem`),
  ).config;
  t.same(changes(old, next).restart, ["client.tls_cert", "client.tls_key"]);
});

t.test("names are unique: each flag, each variable", async (t) => {
  t.equal(new Set(rows.map((row) => row.flag)).size, rows.length);
  t.equal(new Set(rows.map((row) => row.variable)).size, rows.length);
  t.equal(rows.find((row) => row.setting === settings.api.insecure)?.flag, "insecure-api");
});

t.test("a name that is nearly right is told the right one, any other none", async (t) => {
  const known = ["client.port", "client.host", "data"];
  t.equal(similar("client.prot", known), "client.port");
  t.equal(similar("dta", known), "data");
  t.equal(similar("something", known), undefined);
  t.equal(similar("", known), undefined);
});

t.test("the line of each key and table of a TOML text is found", async (t) => {
  const text = '# c\na = 1\n[s]\n"b c" = 1\nd.e = 2\n[[l]]\nx = 1\n [[ l ]]\nx = 2\n[l.m]\ny = 3';
  const table: readonly (readonly [readonly (string | number)[], number | undefined])[] = [
    [["a"], 2],
    [["s"], 3],
    [["s", "b c"], 3],
    [["s", "d", "e"], 5],
    [["l", 0, "x"], 7],
    [["l", 1, "x"], 9],
    [["l", 1, "none"], 8],
    [["none"], undefined],
  ];
  for (const [path, line] of table) t.equal(lineOf(text, path), line, path.join("."));
});

t.test("cluster: where PostgreSQL is has to be said, by itself or in a file, and is shown nowhere", (t) => {
  const url = "postgres://push:hidden@db/push";
  const directory = t.testdir({ url: `${url}\n`, other: "nothing" });
  const asked = (flags: Readonly<Record<string, string>>): Given => ({
    env: {},
    flags: new Map(Object.entries({ engine: "postgres", ...flags }).map(([name, value]) => [name, [value]])),
  });
  t.match(problems(asked({})), [/^--engine: postgres.url is empty; .*write postgres:/]);
  t.match(problems(asked({ "postgres-url-file": `${directory}/none` })), [/cannot be read \(ENOENT\)/]);
  t.match(problems(asked({ "postgres-url-file": `${directory}/other` })), [/holds no URL/]);
  t.match(problems(asked({ "postgres-url": url, "postgres-schema": "Push-Box" })), [/postgres.schema.*small letters/]);
  t.notMatch(problems(asked({ "postgres-url": "mysql://push:hidden@db" })).join(), /hidden/);
  for (const flags of [{ "postgres-url": url }, { "postgres-url-file": `${directory}/url` }])
    t.same(problems(asked(flags)), []);
  t.end();
});
