// `[[vendors.<name>]]`: every mistake with its place and key, what init writes, what is shown, what is opened.
import { generateKeyPairSync } from "node:crypto";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import t, { type Test } from "tap";
import { keyWords, openKeys, openVendors, vendorExamples, vendorProblems } from "../../src/app/vendors.ts";
import { changes, type Reading, readConfig } from "../../src/config/index.ts";
import { effectiveText, initText, maskedConfig, shownEntries } from "../../src/config/text.ts";
import { createAuthority } from "../../src/lab/authority.ts";
import { VENDORS } from "../../src/vendors/index.ts";
import { run } from "../support/process.ts";

const NOW = Date.now();
const DAY = 86_400_000;
const pem = (kind: "ec" | "rsa"): string =>
  kind === "ec"
    ? generateKeyPairSync("ec", {
        namedCurve: "P-256",
        privateKeyEncoding: { type: "pkcs8", format: "pem" },
        publicKeyEncoding: { type: "spki", format: "pem" },
      }).privateKey
    : generateKeyPairSync("rsa", {
        modulusLength: 2048,
        privateKeyEncoding: { type: "pkcs8", format: "pem" },
        publicKeyEncoding: { type: "spki", format: "pem" },
      }).privateKey;
const authority = createAuthority(NOW);
const ecKey = pem("ec");

interface Place {
  readonly directory: string;
  readonly reading: Reading;
  /** All of them, without the directory. */
  readonly problems: readonly string[];
}

interface Files {
  readonly [name: string]: string | Files;
}

/** The file in a directory with these others. */
function place(t: Test, text: string, files: Files = {}): Place {
  const directory = t.testdir({ "p.toml": text, ...files });
  const file = join(directory, "p.toml");
  chmodSync(file, 0o600);
  const reading = readConfig({ file, env: {}, flags: new Map() });
  const vendors = reading.problems === undefined ? reading.config.vendors : reading.vendors;
  const problems = [...(reading.problems ?? []), ...vendorProblems(vendors, NOW)];
  return { directory, reading, problems: problems.map((text) => text.replaceAll(`${directory}/`, "")) };
}

function configOf({ reading }: Place) {
  if (reading.problems !== undefined) throw new Error(reading.problems.join("\n"));
  return reading;
}

const apns = (key: string, bundle = "com.example.a"): string =>
  `[[vendors.apns]]\nbundle_id = "${bundle}"\nkey_file = "${key}"\nkey_id = "ABCDE12345"\nteam_id = "FGHIJ67890"\n`;
const xiaomi = (app = "com.example.a", more = ""): string =>
  `[[vendors.xiaomi]]\npackage_name = "${app}"\napp_secret = "s3cret-s3cret"\n${more}`;

const expired = authority.client("com.example.a", NOW - 9 * DAY, NOW - DAY);

const mistakes: readonly (readonly [string, string, Readonly<Record<string, string>>, readonly (string | RegExp)[]])[] =
  [
    [
      "a key that is none",
      apns("a.p8"),
      { "a.p8": "hello" },
      ["p.toml:3: vendors.apns[1].key_file: a.p8 holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)"],
    ],
    [
      "a key of another kind",
      apns("a.p8"),
      { "a.p8": pem("rsa") },
      ["p.toml:3: vendors.apns[1].key_file: a.p8 holds another kind of key; this needs P-256"],
    ],
    ["a file that is not there", apns("b.p8"), {}, ["p.toml:3: vendors.apns[1].key_file: there is no file b.p8"]],
    [
      "a key instead of its file",
      apns(ecKey.replaceAll("\n", "\\n")),
      {},
      ["p.toml:3: vendors.apns[1].key_file: is PEM text itself; write it into a file and give the file's path"],
    ],
    [
      "an expired certificate",
      '[[vendors.apns]]\nbundle_id = "com.example.a"\ncert_file = "a.pem"',
      { "a.pem": expired.cert + expired.key },
      [/^p\.toml:3: vendors\.apns\[1\]\.cert_file: a\.pem: the certificate expired on /],
    ],
    [
      "a missing key",
      '[[vendors.vivo]]\npackage_name = "a"\napp_id = 1\napp_key = "k"',
      {},
      ["p.toml:1: vendors.vivo[1].app_secret: is missing"],
    ],
    [
      "an unknown vendor",
      '[[vendors.appel]]\nbundle_id = "a"',
      {},
      [/^p\.toml:1: vendors\.appel: unknown vendor; one of apns, fcm, .*, webpush, xiaomi$/],
    ],
    [
      "an unknown key",
      xiaomi("a", 'secret = "hunter2"'),
      {},
      [
        /^p\.toml:4: vendors\.xiaomi\[1\]\.secret: unknown key; the keys are package_name, app_secret, .*receipt_secret$/,
      ],
    ],
    [
      "two entries for one app, the second with a short secret",
      xiaomi() + xiaomi("com.example.a", 'receipt_secret = "short"'),
      {},
      [
        "p.toml:7: vendors.xiaomi[2].receipt_secret: must be 16 or more letters, digits and - . _ ~",
        "p.toml:4: vendors.xiaomi[2]: com.example.a has an entry already",
      ],
    ],
    [
      "an app with its own key and with relays, and relays with a key of Apple's",
      `${apns("a.p8")}[[vendors.apns]]\nbundle_id = "com.example.a"\nrelays = ["https://r"]\nrelay_key = "s3cret"\n[[vendors.apns]]\nbundle_id = "com.b"\nrelays = ["https://me:hunter2@r"]\nkey_id = "ABCDE12345"`,
      { "a.p8": ecKey },
      [
        "p.toml:6: vendors.apns[2]: com.example.a has an entry already",
        "p.toml:12: vendors.apns[3].relays.0: must be a URL like https://host",
        "p.toml:13: vendors.apns[3].key_id: unknown key; the keys are bundle_id, relays, relay_key",
      ],
    ],
    [
      "two apps with one receipt secret",
      xiaomi("a", 'receipt_secret = "0123456789abcdef"\n') + xiaomi("b", 'receipt_secret = "0123456789abcdef"'),
      {},
      ["p.toml:8: vendors.xiaomi[2].receipt_secret: another app has the same"],
    ],
    [
      "a receipt secret for a vendor that sends none",
      '[[vendors.umeng]]\npackage_name = "a"\napp_key = "k"\nmaster_secret = "s"\nreceipt_secret = "0123456789abcdef"',
      {},
      [/^p\.toml:5: vendors\.umeng\[1\]\.receipt_secret: unknown key; /],
    ],
    [
      "one entry as a table",
      '[vendors.apns]\nbundle_id = "a"',
      {},
      ["p.toml:1: vendors.apns is a list, of one entry per app; write [[vendors.apns]]"],
    ],
    [
      "a setting of all vendors, mistyped",
      '[vendors]\nprxy = "http://a"',
      {},
      ["p.toml:2: unknown setting vendors.prxy; did you mean proxy?"],
    ],
    [
      "a proxy without a scheme",
      '[vendors]\nproxy = "user:pass@10.0.0.1:3128"',
      {},
      ['p.toml:2: vendors.proxy: does not fit; write the URL of a proxy, such as "http://10.0.0.1:3128"'],
    ],
    [
      "authorities that are none",
      '[vendors]\nca_file = "ca.pem"',
      { "ca.pem": ecKey },
      ["p.toml:2: vendors.ca_file: ca.pem is not a certificate in PEM form (-----BEGIN CERTIFICATE-----)"],
    ],
    [
      "a host with a password",
      xiaomi("a", 'base_url = "https://me:hunter2@xm"'),
      {},
      ["p.toml:4: vendors.xiaomi[1].base_url: must be a URL like https://host"],
    ],
    [
      "several at once, of the server and of its vendors",
      `log_level = "loud"\n${apns("a.p8")}${xiaomi("a b")}[[vendors.fcm]]`,
      { "a.p8": "hello" },
      [
        /^p\.toml:1: log_level: "loud" does not fit/,
        "p.toml:4: vendors.apns[1].key_file: a.p8 holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)",
        "p.toml:10: vendors.fcm[1].package_name: is missing",
        "p.toml:10: vendors.fcm[1].service_account_file: is missing",
        "p.toml:8: vendors.xiaomi[1].package_name: must be ASCII text without spaces, not empty",
      ],
    ],
  ];

for (const [name, text, files, expected] of mistakes)
  t.test(`a mistake: ${name}`, async (t) => {
    const { problems } = place(t, text, files);
    t.equal(problems.length, expected.length, problems.join("\n"));
    t.match(problems, expected);
    t.notMatch(problems.join(), /hunter2|s3cret|MIGHAgEAM|pass@/);
  });

t.test("several apps of a vendor, the first of which is the default", async (t) => {
  const text =
    apns("keys/a.p8", "com.b") + apns("keys/a.p8", "com.a") + xiaomi("com.a", 'receipt_secret = "0123456789abcdef"');
  const opened = openVendors(configOf(place(t, text, { keys: { "a.p8": ecKey } })).config.vendors, NOW);
  t.same(opened.problems, []);
  t.same(opened.byName.get("apns")?.apps, ["com.b", "com.a"]);
  t.same(
    [...opened.tokenTypes],
    [
      ["apn", "apns"],
      ["apns", "apns"],
      ["xiaomi", "xiaomi"],
    ],
  );
  t.same([...opened.receipts.keys()], ["xiaomi"], "only vendors that post receipts");
  const receive = opened.receipts.get("xiaomi")?.get("com.a");
  t.equal(receive?.receiptSecret, "0123456789abcdef");
  const data = JSON.stringify({ m1: { type: 1, targets: "t1", param: "n1" } });
  t.same(receive?.({ headers: {}, query: "", body: new URLSearchParams({ data }).toString() }), [
    { receipt: "m1", token: "t1", event: "arrived", notification: "n1" },
  ]);
  t.throws(() => receive?.({ headers: {}, query: "", body: "" }), { code: "invalid" });
});

t.test("apps of Apple's with a key here and apps with relays are one vendor's, in the order of the file", async (t) => {
  const relays = '[[vendors.apns]]\nbundle_id = "com.r"\nrelays = ["https://r.example"]\nrelay_key = "s3cret-s3cret"\n';
  const files = { "a.p8": ecKey };
  const { config, origins } = configOf(place(t, apns("a.p8", "com.b") + relays, files));
  const opened = openVendors(config.vendors, NOW);
  t.same(opened.problems, []);
  const vendor = opened.byName.get("apns");
  t.same([vendor?.apps, vendor?.batch, vendor?.part?.("com.r")?.batch], [["com.b", "com.r"], 1, 1000]);
  t.same([...opened.relayed], ["com.r"]);
  const shown = effectiveText(config, origins, openKeys);
  t.match(parse(shown)["vendors"], { apns: [{}, { relays: ["https://r.example"], relay_key: "********" }] });
  const first = openVendors(configOf(place(t, relays + apns("a.p8", "com.b"), files)).config.vendors, NOW);
  t.equal(first.byName.get("apns")?.apps[0], "com.r", "the default for devices that name no app");
});

t.test("what is shown of an entry is what its vendor calls open; anything else is masked", async (t) => {
  const more = 'callback_url = "https://me.example/receipt/0123456789abcdef"\nreceipt_secret = "0123456789abcdef"\n';
  const text = `${xiaomi("com.a", more)}[vendors]\nproxy = "http://me:hunter2@10.0.0.1"\n`;
  const { config, origins } = configOf(place(t, text));
  const shown = effectiveText(config, origins, openKeys);
  t.notMatch(shown, /s3cret|0123456789abcdef|hunter2/);
  t.match(parse(shown)["vendors"], {
    proxy: "********",
    xiaomi: [{ package_name: "com.a", app_secret: "********", callback_url: "********", receipt_secret: "********" }],
  });
  t.match(shown, /^\[\[vendors\.xiaomi\]\] {2}# .*p\.toml:1$/m);
  t.match(shownEntries(config, openKeys, keyWords, "zh"), [
    { why: { app_secret: "小米后台的 App Secret。", receipt_secret: /厂商回执地址/ } },
  ]);
  const api = maskedConfig(config, openKeys);
  t.notMatch(JSON.stringify(api), /s3cret|0123456789abcdef|hunter2/);
  t.match(api["vendors"], { ca_file: "", xiaomi: [{ package_name: "com.a" }] });
  t.same([...openKeys("nobody")], [], "of an unknown vendor nothing");
});

t.test("D2: every secret of an entry may be in a file of its own", async (t) => {
  const secrets = VENDORS.flatMap((vendor) =>
    vendor.keys.filter((key) => key.secret).map((key) => [vendor, key] as const),
  );
  t.ok(secrets.length > 10);
  for (const [vendor, { name, example }] of secrets) {
    const directory = t.testdir({ file: `${example}\n` });
    const relays = name === "relay_key" ? { relays: ["https://r.example"] } : {};
    const alone = (key: string, value: unknown) =>
      vendorProblems(
        {
          entries: [{ vendor: vendor.name, value: { ...relays, [key]: value }, place: "p", places: {} }],
          directory,
          caFile: "",
          proxy: "",
        },
        NOW,
      );
    const told = alone(name, example);
    t.same(alone(`${name}_file`, "file"), told, `${vendor.name}.${name}: as if it stood there`);
    t.notMatch(told.join(), `${name}_file`);
  }
  const text = '[[vendors.xiaomi]]\npackage_name = "a"\napp_secret_file = "secret"\nreceipt_secret_file = "receipt"\n';
  const files = { secret: "s3cret-s3cret\n", receipt: "0123456789abcdef\n", empty: "\n" };
  const { config, origins } = configOf(place(t, text, files));
  t.equal(openVendors(config.vendors, NOW).receipts.get("xiaomi")?.get("a")?.receiptSecret, "0123456789abcdef");
  t.notMatch(effectiveText(config, origins, openKeys), /s3cret|0123456789abcdef/);
  for (const [wrong, expected] of [
    ['app_secret_file = "none"', "p.toml:3: vendors.xiaomi[1].app_secret_file: there is no file none"],
    ['app_secret_file = "empty"', "p.toml:3: vendors.xiaomi[1].app_secret_file: empty is empty"],
    ["app_secret_file = 5", "p.toml:3: vendors.xiaomi[1].app_secret_file: must be a file's name"],
    [
      'app_secret_file = "secret"\napp_secret = "s3cret"',
      "p.toml:3: vendors.xiaomi[1].app_secret_file: app_secret is there too; leave one of them",
    ],
  ] as const)
    t.equal(place(t, `[[vendors.xiaomi]]\npackage_name = "a"\n${wrong}\n`, files).problems[0], expected);
  const open = place(t, '[[vendors.xiaomi]]\npackage_name_file = "secret"\n', files).problems;
  t.match(open.join("\n"), /package_name_file: unknown key/, "what is no secret may not");
});

t.test("D5: a proxy that is no URL is refused", async (t) => {
  for (const proxy of ["http://x:99999", "http://[::1", "http://a b", "10.0.0.1:3128", "http://x/path"])
    t.match(place(t, `[vendors]\nproxy = "${proxy}"\n`).problems, [
      /^p\.toml:2: vendors\.proxy: does not fit; write the URL of a proxy/,
    ]);
});

t.test("the proxy may come from the environment, where its password stays out of sight", async (t) => {
  const reading = readConfig({ env: { PUSHBOX_VENDORS_PROXY: "http://me:hunter2@10.0.0.1:3128" }, flags: new Map() });
  if (reading.problems !== undefined) throw new Error(reading.problems.join());
  t.equal(reading.config.vendors.proxy, "http://me:hunter2@10.0.0.1:3128");
  t.match(effectiveText(reading.config, reading.origins, openKeys), /^proxy = "\*{8}" +# PUSHBOX_VENDORS_PROXY$/m);
  t.same(readConfig({ env: { PUSHBOX_VENDORS_PROXY: "hunter2" }, flags: new Map() }).problems, [
    'PUSHBOX_VENDORS_PROXY: vendors.proxy: does not fit; write the URL of a proxy, such as "http://10.0.0.1:3128"',
  ]);
});

t.test("a reload takes over what changed of vendors", async (t) => {
  const before = configOf(place(t, xiaomi())).config;
  const after = configOf(place(t, `${xiaomi("com.b")}[vendors]\nproxy = "http://10.0.0.1:3128"`)).config;
  const change = changes(before, after);
  t.same(change.applied, ["vendors.proxy", "the entries of vendors"]);
  t.same(change.config.vendors, after.vendors);
  t.same(changes(after, after).applied, []);
});

t.test("what init writes of vendors is commented out, and right once it is not", async (t) => {
  const { examples, publicKey } = vendorExamples();
  const text = initText("k".repeat(32), examples);
  t.same(place(t, text).problems, []);
  t.match(text, publicKey);
  const values: Readonly<Record<string, string>> = {
    "callback_url = .*": 'callback_url = "https://me.example/"',
    "receipt_secret = .*": 'receipt_secret = "0123456789abcdef"',
  };
  for (const { name, keys } of examples) {
    const start = text.indexOf(`#[[vendors.${name}]]`);
    const block = text.slice(start).split("\n\n")[0]!;
    t.equal(block.match(/^# /gm)?.length, keys.length, `${name}: one line of why for each key`);
    let written = block.replace(/^#(?! )/gm, "");
    for (const [from, to] of Object.entries(values)) written = written.replace(new RegExp(`^${from}$`, "m"), to);
    // Apple takes a key or a certificate, not both; relays want neither.
    const own = written.replace(/^relay.*$/gm, "");
    const variants =
      name === "apns"
        ? [
            own.replace(/^cert_file.*\n/m, ""),
            own.replace(/^key_(file|id).*\n|^team_id.*\n/gm, ""),
            written.replace(/^(?!bundle_id|relay)\w+ = .*$/gm, ""),
          ]
        : [written];
    const account = {
      project_id: "p",
      private_key_id: "k",
      key_id: "k",
      client_email: "a@b",
      sub_account: "s",
      token_uri: "https://oauth2.googleapis.com/token",
      private_key: pem("rsa"),
    };
    const certified = authority.client("com.example.app", NOW - DAY, NOW + DAY);
    for (const variant of variants) {
      const { problems, reading } = place(t, variant, {
        "AuthKey_ABCDE12345.p8": ecKey,
        "apns.pem": certified.cert + certified.key,
        "firebase.json": JSON.stringify(account),
        "harmony.json": JSON.stringify(account),
      });
      t.same(problems, [], variant);
      t.ok("config" in reading && openVendors(reading.config.vendors, NOW).byName.has(name));
    }
  }
});

t.test("check and serve tell every problem, with exit code 2; backup does not look at vendors", async (t) => {
  const { directory } = place(t, `${apns("a.p8")}[[vendors.appel]]\n[client]\nport = "x"`, { "a.p8": "hello" });
  for (const command of ["check", "serve", "config"]) {
    const { code, err, out } = await run(directory, command, "--config", "p.toml");
    t.equal(code, 2, command);
    t.equal(out, "");
    t.match(err.split("\n"), [
      /^p\.toml:8: client\.port/,
      /^p\.toml:6: vendors\.appel: unknown vendor/,
      /^p\.toml:3: vendors\.apns\[1\]\.key_file: .*a\.p8 holds no private key/,
      "3 problems",
    ]);
  }
  writeFileSync(join(directory, "q.toml"), readFileSync(join(directory, "p.toml"), "utf8").replace('"x"', "5"));
  t.match(await run(directory, "backup", "b.db", "--config", "q.toml"), { code: 1 });
});
