// `[[hooks.tell]]`: every mistake with its place and key, what is shown, and what a reload takes.
import { chmodSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import t, { type Test } from "tap";
import { changes, readConfig } from "../../src/config/index.ts";
import { effectiveText, initText, maskedConfig } from "../../src/config/text.ts";
import { createAuthority } from "../../src/lab/authority.ts";

const SECRET = `whsec_${Buffer.alloc(24, 0xd3).toString("base64")}`;
const OTHER = `whsec_${Buffer.alloc(64, 0xb7).toString("base64")}`;

const entry = (changed: Readonly<Record<string, string | undefined>> = {}): string => {
  const lines = {
    name: '"backend"',
    url: '"https://backend.example.com/pushbox"',
    secret: JSON.stringify(SECRET),
    events: '["user.*", "device.offline", "*"]',
    ...changed,
  };
  const written = Object.entries(lines).filter(([, value]) => value !== undefined);
  return `[[hooks.tell]]\n${written.map(([key, value]) => `${key} = ${value}\n`).join("")}`;
};

function read(t: Test, text: string, more: Readonly<Record<string, string>> = {}) {
  const directory = t.testdir({ "pushbox.toml": text, ...more });
  chmodSync(join(directory, "pushbox.toml"), 0o600);
  const reading = readConfig({ file: join(directory, "pushbox.toml"), env: {}, flags: new Map() });
  const problems = (reading.problems ?? []).map((problem) => problem.replaceAll(`${directory}/`, ""));
  return { reading, problems, config: "config" in reading ? reading.config : undefined, directory };
}

t.test(
  "an endpoint as it should be, with one secret or several while they are exchanged, and a certificate beside the file",
  (t) => {
    const ca = createAuthority(Date.now()).ca;
    const text = entry({
      secret: `["${SECRET}", "${OTHER}"]`,
      ca_file: '"ca.pem"',
      timeout: "5000",
      allow_private: "true",
    });
    const { config, problems, directory } = read(t, text, { "ca.pem": ca });
    t.strictSame(problems, []);
    t.strictSame(config?.hooks.tell, [
      {
        name: "backend",
        url: "https://backend.example.com/pushbox",
        secret: [SECRET, OTHER],
        events: ["user.*", "device.offline", "*"],
        ca_file: join(directory, "ca.pem"),
        timeout: 5000,
        allow_private: true,
      },
    ]);
    t.end();
  },
);

t.test("each mistake is told with its line and key, what to write, and no secret", (t) => {
  const cases: readonly (readonly [Readonly<Record<string, string | undefined>>, RegExp])[] = [
    [{ name: undefined }, /^pushbox\.toml:1: hooks\.tell\[1\]\.name: is missing; write a name/],
    [{ name: '"a b"' }, /:2: hooks\.tell\[1\]\.name: does not fit; write a name of up to 64/],
    [{ url: undefined }, /hooks\.tell\[1\]\.url: is missing; write an address such as "https:/],
    [{ url: '"backend.example.com"' }, /:3: hooks\.tell\[1\]\.url: does not fit; write an address such as/],
    [{ url: '"ftp://backend.example.com"' }, /url: does not fit; write an address/],
    [{ url: '"https://me:hidden@backend.example.com"' }, /url: does not fit; write it without user and password/],
    [{ url: '"https://backend.example.com/#a"' }, /url: does not fit; write it without the part behind #/],
    [
      { url: '"http://backend.example.com/"' },
      /url: does not fit; write https:\/\/ \(http:\/\/ only .*allow_private = true\)/,
    ],
    [{ url: '"http://8.8.8.8/"' }, /url: does not fit; write https/],
    [
      { secret: undefined },
      /hooks\.tell\[1\]\.secret: is missing; write whsec_ and base64 of 24 to 64 random bytes, .*openssl/,
    ],
    [{ secret: '"hidden"' }, /:4: hooks\.tell\[1\]\.secret: does not fit; write whsec_/],
    [{ secret: '["whsec_hidden"]' }, /hooks\.tell\[1\]\.secret.*: does not fit; write whsec_/],
    [{ secret: "[]" }, /hooks\.tell\[1\]\.secret: does not fit/],
    [{ events: undefined }, /hooks\.tell\[1\]\.events: is missing; write a list of types \(device\.online, /],
    [{ events: "[]" }, /hooks\.tell\[1\]\.events: does not fit; write a list of types/],
    [
      { events: '["user.offlin"]' },
      /:5: hooks\.tell\[1\]\.events\[1\]: does not fit; .*did you mean "user\.offline"\?/,
    ],
    [{ events: '["users.*"]' }, /did you mean "user\.\*"\?/],
    [
      { timeout: "99" },
      /hooks\.tell\[1\]\.timeout: does not fit; write a whole number of milliseconds from 100 to 60_000/,
    ],
    [{ ca_file: '"no.pem"' }, /hooks\.tell backend: ca_file: there is no file no\.pem/],
    [{ secrets: '"hidden"' }, /unknown hooks\.tell\[1\]\.secrets; remove it/],
  ];
  for (const [changed, expected] of cases) {
    const { problems } = read(t, entry(changed));
    t.match(problems.join("\n"), expected);
    t.notMatch(problems.join("\n"), /hidden|undefined/);
  }
  t.end();
});

t.test("addresses of one's own network, localhost and names that are allowed to lead there may be plain http", (t) => {
  for (const url of ["http://127.0.0.1:8080/x", "http://[::1]/", "http://10.1.2.3/", "http://localhost:3000/hook"])
    t.strictSame(read(t, entry({ url: JSON.stringify(url) })).problems, [], url);
  t.strictSame(read(t, entry({ url: '"http://backend:8080/"', allow_private: "true" })).problems, []);
  t.end();
});

t.test("two endpoints need two names", (t) => {
  t.match(read(t, `${entry()}${entry()}`).problems, [
    /two hooks\.tell are called "backend"; give each a name of its own/,
  ]);
  t.strictSame(read(t, `${entry()}${entry({ name: '"other"' })}`).problems, []);
  t.end();
});

t.test("who asks for topics and lists none is warned", (t) => {
  t.match(read(t, entry({ events: '["topic.*"]' })).reading.warnings, [/hooks\.topics is empty/]);
  t.strictSame(read(t, `[hooks]\ntopics = ["room:"]\n${entry({ events: '["topic.*"]' })}`).reading.warnings, []);
  t.end();
});

t.test("a secret out of a manual is taken, with a warning", (t) => {
  const readme = readFileSync(resolve(import.meta.dirname, "../../src/hooks/README.md"), "utf8");
  const [, secret] = /^secret = (".*")$/m.exec(readme) ?? [];
  t.match(read(t, entry({ secret })).reading.warnings, [/^hooks\.tell backend: its secret is readable text/]);
  t.end();
});

t.test("what is printed shows no secret, and nothing of the query of an address", (t) => {
  const { config, reading } = read(
    t,
    entry({ url: '"https://backend.example.com/pushbox?key=hidden"', secret: `["${SECRET}"]` }),
  );
  const origins = "config" in reading ? reading.origins : new Map<string, string>();
  const texts = [
    effectiveText(config!, origins, () => new Set()),
    JSON.stringify(maskedConfig(config!, () => new Set())),
  ];
  for (const text of texts) {
    t.notMatch(text, /whsec|hidden/);
    t.match(text, /backend\.example\.com\/pushbox\?\*+/);
    t.match(text, /device\.offline/);
  }
  t.end();
});

t.test("a flag or a variable gives an endpoint as JSON", (t) => {
  const json = { name: "a", url: "https://a.example.com", secret: SECRET, events: ["*"] };
  for (const source of [
    { env: { PUSHBOX_HOOKS_TELL: JSON.stringify(json) }, flags: new Map() },
    { env: { PUSHBOX_HOOKS_TELL: JSON.stringify([json]) }, flags: new Map() },
    { env: {}, flags: new Map([["hooks-tell", [JSON.stringify(json)]]]) },
  ]) {
    const reading = readConfig(source);
    t.strictSame("config" in reading ? reading.config.hooks.tell : reading.problems, [json]);
  }
  const wrong = readConfig({ env: { PUSHBOX_HOOKS_TELL: "a:b" }, flags: new Map() });
  t.match(wrong.problems, [/PUSHBOX_HOOKS_TELL: hooks\.tell.*does not fit; write .*JSON/]);
  t.end();
});

t.test(
  "a reload takes other endpoints, topics and coalescing; the file that init writes has an endpoint with a secret of its own",
  (t) => {
    const old = read(t, entry()).config!;
    const next = read(t, `[hooks]\ntopics = ["room:"]\ncoalesce = false\n${entry({ secret: `"${OTHER}"` })}`).config!;
    t.strictSame(changes(old, next).applied, ["hooks.coalesce", "hooks.topics", "hooks.tell"]);
    const texts = [initText("k"), initText("k")].map((text) =>
      text.split("\n").filter((line) => line.startsWith('#secret = "whsec_')),
    );
    t.equal(texts[0]?.length, 1);
    t.not(texts[0]?.[0], texts[1]?.[0]);
    t.end();
  },
);
