// npm run client: makes dist/client from src/client: the module, the script for pages without modules, the old API, the service
// worker, the types and the page of examples, as the server serves them and as `npm pack` packs them. run.mjs sees to it that they are
// there before anything else runs; nothing is made again while nothing has changed.
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { compressed, ensure, root } from "./made.mjs";

const source = join(root, "src/client");
const out = join(root, "dist/client");

/** What a page may have to load, compressed. */
export const MOST_BYTES = 8192;

/** Makes them unless they are there. @returns whether they are: without development dependencies they cannot be made */
export const ensureClient = () =>
  ensure(out, [source, join(root, "package.json"), fileURLToPath(import.meta.url)], make);

async function make({ build }, work) {
  const { version, license } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const banner = `/*! pushbox ${version}, MIT licence */`;
  const common = { bundle: true, minify: true, legalComments: "none", logLevel: "warning", charset: "utf8" };
  const at = (name) => join(work, name);
  const from = (name) => [join(source, name)];
  /** For script tags, AMD and CommonJS. @param value what the global, and `require`, is */
  const universal = (global, value) => ({
    format: "iife",
    globalName: "pushbox",
    target: "es2018",
    banner: {
      js:
        `${banner}(function(r,f){if(typeof define=="function"&&define.amd)define([],f);` +
        `else if(typeof module=="object"&&module.exports)module.exports=f();else r.${global}=f()})` +
        "(typeof globalThis=='object'?globalThis:self,function(){",
    },
    footer: { js: `return ${value}});` },
  });
  await Promise.all([
    build({
      ...common,
      entryPoints: from("index.ts"),
      outfile: at("pushbox.js"),
      format: "esm",
      target: "es2020",
      banner: { js: banner },
    }),
    build({
      ...common,
      entryPoints: from("index.ts"),
      outfile: at("pushbox.umd.js"),
      ...universal("pushbox", "pushbox"),
    }),
    build({
      ...common,
      entryPoints: from("legacy.ts"),
      outfile: at("legacy.js"),
      ...universal("PushClient", "pushbox.PushClient"),
    }),
    build({
      ...common,
      entryPoints: from("sw.ts"),
      outfile: at("sw.js"),
      format: "iife",
      target: "es2020",
      banner: { js: banner },
    }),
    build({
      ...common,
      entryPoints: from("node.ts"),
      outfile: at("node.js"),
      format: "esm",
      platform: "node",
      target: "node20",
    }),
  ]);
  cpSync(at("pushbox.umd.js"), at("pushbox.umd.cjs"));
  cpSync(at("legacy.js"), at("legacy.cjs"));
  writeFileSync(at("pushbox.d.ts"), `${readFileSync(join(source, "api.ts"), "utf8")}${VALUES}`);
  writeFileSync(
    at("node.d.ts"),
    'import type { Storage } from "./pushbox.js";\nexport declare function fileStorage(file: string): Storage;\n',
  );
  cpSync(join(source, "README.md"), at("README.md"));
  cpSync(join(root, "LICENSE"), at("LICENSE"));
  for (const name of readdirSync(join(source, "page"))) cpSync(join(source, "page", name), at(name));
  const types = "./pushbox.d.ts";
  // By their names TypeScript knows those of `require`.
  cpSync(at("pushbox.d.ts"), at("pushbox.d.cts"));
  writeFileSync(at("legacy.d.cts"), LEGACY);
  const manifest = {
    name: "pushbox-client",
    version,
    description:
      "The client of the push server pushbox: kept messages come exactly once, in browsers, mini programs and Node.",
    license,
    type: "module",
    main: "./pushbox.umd.cjs",
    module: "./pushbox.js",
    types,
    exports: {
      ".": {
        import: { types, default: "./pushbox.js" },
        require: { types: "./pushbox.d.cts", default: "./pushbox.umd.cjs" },
      },
      "./legacy": { types: "./legacy.d.cts", default: "./legacy.cjs" },
      "./node": { types: "./node.d.ts", import: "./node.js" },
      "./sw.js": "./sw.js",
    },
    files: ["pushbox.*", "legacy.*", "node.*", "sw.js"],
    sideEffects: false,
  };
  writeFileSync(at("package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  const bytes = compressed(at("pushbox.js"));
  if (bytes > MOST_BYTES) throw new Error(`the client is ${bytes} bytes compressed; ${MOST_BYTES} are allowed`);
}

/** The values behind the types of api.ts. */
const VALUES = `
export declare const PushClient: PushClientConstructor;
export declare const registerWebPush: RegisterWebPush;
/** Options for mini programs: \`new PushClient(url, miniProgram(wx))\`. */
export declare function miniProgram(api: object): Options;
`;

/** What legacy.ts exports, for those who bundle it. */
const LEGACY = `type Listener = (data?: any) => void;
declare namespace PushClient {
  interface Options {
    pushId?: string;
    platform?: string;
    transports?: ("websocket" | "polling")[];
    useNotification?: boolean;
    token?: string | (() => string | Promise<string>);
  }
}
interface PushClient {
  pushId: string;
  platform: string;
  on(event: string, listener?: Listener): void;
  connect(): void;
  disconnect(): void;
  subscribeTopic(topic: string): void;
  subscribeTopicAndReceiveTTL(topic: string): void;
  unsubscribeTopic(topic: string): void;
  setTags(tags: string[]): void;
  addTag(tag: string): void;
  removeTag(tag: string): void;
  bindUid(data: object): void;
  unbindUid(): void;
}
declare const PushClient: {
  new (url?: string, options?: PushClient.Options): PushClient;
  (url?: string, options?: PushClient.Options): PushClient;
};
export = PushClient;
`;

/** A line for each file that pages load. */
export function sizes() {
  return ["pushbox.js", "pushbox.umd.js", "legacy.js", "sw.js"].map(
    (name) => `dist/client/${name}  ${(compressed(join(out, name)) / 1000).toFixed(1)} KB compressed`,
  );
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  if (!(await ensureClient())) throw new Error("esbuild is not installed: npm ci installs it");
  process.stdout.write(`${sizes().join("\n")}\n`);
}
