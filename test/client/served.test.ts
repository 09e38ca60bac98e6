// What pages and packages get: the files of dist/client, as the server serves them and as npm packs them.
import { spawnSync } from "node:child_process";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import t from "tap";
import { startTestApp } from "../support/app.ts";
import { serve } from "../support/process.ts";

const root = resolve(import.meta.dirname, "../..");
const dist = join(root, "dist/client");

t.test("integration 18: the client is at most 8 KB compressed", async (t) => {
  for (const file of ["pushbox.js", "pushbox.umd.js", "legacy.js"])
    t.ok(gzipSync(readFileSync(join(dist, file)), { level: 9 }).length <= 8192, file);
});

t.test("pages get the client from the client port, compressed, and keep it until it changes", async (t) => {
  const server = await startTestApp(t);
  for (const [path, type, file] of [
    ["pushbox.js", "text/javascript; charset=UTF-8", "pushbox.js"],
    ["pushbox.umd.js", "text/javascript; charset=UTF-8", "pushbox.umd.js"],
    ["legacy.js", "text/javascript; charset=UTF-8", "legacy.js"],
    ["sw.js", "text/javascript; charset=UTF-8", "sw.js"],
    ["pushbox.d.ts", "text/plain; charset=UTF-8", "pushbox.d.ts"],
    ["", "text/html; charset=UTF-8", "index.html"],
    ["examples.js", "text/javascript; charset=UTF-8", "examples.js"],
    ["examples.css", "text/css; charset=UTF-8", "examples.css"],
  ] as const) {
    const url = `${server.clientUrl}/client/${path}`;
    const text = readFileSync(join(dist, file), "utf8");
    const answer = await fetch(url);
    t.equal(await answer.text(), text, file);
    t.match(Object.fromEntries(answer.headers), {
      "content-type": type,
      "content-encoding": "gzip",
      "cache-control": "no-cache",
      "access-control-allow-origin": "*",
      "x-content-type-options": "nosniff",
    });
    const plain = await fetch(url, { headers: { "accept-encoding": "identity" } });
    t.notOk(plain.headers.get("content-encoding"));
    t.equal(await plain.text(), text);
    const again = await fetch(url, { headers: { "if-none-match": answer.headers.get("etag") ?? "" } });
    t.same([again.status, await again.text()], [304, ""]);
    const head = await fetch(url, { method: "HEAD", headers: { "accept-encoding": "identity" } });
    t.same([head.status, head.headers.get("content-length")], [200, String(Buffer.byteLength(text))]);
  }
  const page = await fetch(`${server.clientUrl}/client/`);
  t.match(page.headers.get("content-security-policy"), /^default-src 'none'; script-src 'self';/);
  const html = await page.text();
  t.notMatch(html, /<script>|style="|onclick=/, "nothing in it that its policy forbids");
  t.equal((await fetch(`${server.clientUrl}/client/none`)).status, 404);
});

t.test("the page of examples can be switched off, the client stays", async (t) => {
  const server = await startTestApp(t, { client: { examples: false } });
  const status = async (path: string) => (await fetch(`${server.clientUrl}/client/${path}`)).status;
  t.equal(await status(""), 404);
  t.equal(await status("examples.js"), 404);
  t.equal(await status("pushbox.js"), 200);
});

t.test("a page can ask for the public key of Web Push", async (t) => {
  const privateKey = Buffer.alloc(32, 7).toString("base64url");
  const cwd = t.testdir({
    "pushbox.toml": `[[vendors.webpush]]\napp = "shop"\nprivate_key = "${privateKey}"\nsubject = "mailto:a@example.com"\n`,
  });
  const server = await serve(t, cwd, ["--config", "pushbox.toml"]);
  const keys = (await (await fetch(`${server.clientUrl}/client/webpush.json`)).json()) as Record<string, string>;
  t.match(keys, { shop: /^B[\w-]{86}$/ });
});

t.test("scripts get it as a module, by require and by a script tag; the types fit", async (t) => {
  const module = (await import(pathToFileURL(join(dist, "pushbox.js")).href)) as Record<string, unknown>;
  const required = createRequire(import.meta.url)(join(dist, "pushbox.umd.cjs")) as Record<string, unknown>;
  for (const given of [module, required])
    t.match(given, { PushClient: Function, registerWebPush: Function, miniProgram: Function });
  t.type(createRequire(import.meta.url)(join(dist, "legacy.cjs")), "function");
  const page: Record<string, unknown> = {};
  new Function("globalThis", "module", "define", readFileSync(join(dist, "pushbox.umd.js"), "utf8"))(page);
  t.match(page, { pushbox: { PushClient: Function } });
  const cwd = t.testdir();
  writeFileSync(
    join(cwd, "app.ts"),
    `import { PushClient, registerWebPush, miniProgram, type Message } from ${JSON.stringify(join(dist, "pushbox.js"))};
     const client = new PushClient("https://push.example.com", { topics: ["news"], token: async () => "t" });
     const stop: () => void = client.on("message", ({ data, topic }: Message) => console.log(data, topic));
     client.on("connect", ({ recovered }) => { const known: boolean = recovered; return known; });
     client.subscribe("room", { replay: "all" });
     const answer: Promise<unknown> = client.emit("/path", { a: 1 });
     void registerWebPush(client).then(stop, () => answer);
     // @ts-expect-error there is no such event
     client.on("nothing", () => {});
     new PushClient(undefined, miniProgram({}));
    `,
  );
  const flags = [
    "--ignoreConfig",
    "--noEmit",
    "--strict",
    "--module",
    "nodenext",
    "--lib",
    "es2022,dom",
    "--types",
    "",
    "app.ts",
  ];
  const checked = spawnSync(join(root, "node_modules/.bin/tsc"), flags, { cwd, encoding: "utf8" });
  t.equal(checked.stdout, "");
});

t.test("a Node program that has closed its client ends, whatever it was waiting for", async (t) => {
  const cwd = t.testdir({
    "app.mjs": `
      import { createServer } from "node:net";
      import { PushClient } from ${JSON.stringify(pathToFileURL(join(dist, "pushbox.js")).href)};
      const server = createServer((socket) => socket.on("error", () => {})).listen(0, "127.0.0.1", async () => {
        const url = "http://127.0.0.1:" + server.address().port;
        const [websocket, polling, token] = [{ transports: ["websocket"] }, { transports: ["polling"] }, { token: () => new Promise(() => {}) }]
          .map((options) => new PushClient(url, options));
        const codes = [websocket, polling, token].map((client) => client.emit("/question").catch(({ code }) => code));
        server.unref();
        await new Promise((resolve) => server.once("connection", resolve));
        for (const client of [websocket, polling, token]) client.close();
        console.log((await Promise.all(codes)).join());
        const left = performance.now();
        process.on("exit", () => console.log(performance.now() - left < 10_000 ? "ends" : "stays"));
      });
    `,
  });
  const { stdout } = spawnSync(process.execPath, ["app.mjs"], { cwd, encoding: "utf8" });
  t.equal(stdout, "closed,closed,closed\nends\n");
});

t.test("the types of the package fit apps of both kinds of module, and the sockets they give", async (t) => {
  const cwd = t.testdir({
    node_modules: { "@types": {}, "pushbox-client": t.fixture("symlink", dist) },
    "package.json": "{}",
    "required.cts": `
      import { PushClient } from "pushbox-client";
      import Legacy = require("pushbox-client/legacy");
      const client: PushClient = new PushClient("https://push.example.com", { topics: ["news"] });
      new Legacy(client.url).on("push", (data) => data.text);
    `,
    "imported.mts": `
      import { PushClient, type Options } from "pushbox-client";
      import Legacy from "pushbox-client/legacy";
      import { fileStorage } from "pushbox-client/node";
      import WS from "ws";
      const options: Options[] = [{ WebSocket: WS }, { WebSocket }, { storage: localStorage }, { storage: fileStorage("file") }];
      for (const one of options) new PushClient(undefined, one);
      const old: Legacy = Legacy("https://push.example.com", { useNotification: true });
      old.subscribeTopic("news");
    `,
  });
  for (const name of ["ws", "@types/ws", "@types/node", "undici-types"])
    symlinkSync(join(root, "node_modules", name), join(cwd, "node_modules", name));
  for (const module of ["node16", "nodenext"]) {
    const flags = ["--ignoreConfig", "--noEmit", "--strict", "--exactOptionalPropertyTypes", "--module", module];
    const rest = ["--lib", "es2022,dom", "--types", "node", "required.cts", "imported.mts"];
    const checked = spawnSync(join(root, "node_modules/.bin/tsc"), [...flags, ...rest], { cwd, encoding: "utf8" });
    t.equal(checked.stdout, "", module);
  }
});

t.test("npm packs it", async (t) => {
  const packed = spawnSync("npm", ["pack", "--dry-run", "--json", "--offline"], { cwd: dist, encoding: "utf8" });
  const [{ name, files }] = JSON.parse(packed.stdout) as [{ name: string; files: { path: string }[] }];
  t.equal(name, "pushbox-client");
  t.same(files.map(({ path }) => path).sort(), [
    "LICENSE",
    "README.md",
    "legacy.cjs",
    "legacy.d.cts",
    "legacy.js",
    "node.d.ts",
    "node.js",
    "package.json",
    "pushbox.d.cts",
    "pushbox.d.ts",
    "pushbox.js",
    "pushbox.umd.cjs",
    "pushbox.umd.js",
    "sw.js",
  ]);
});
