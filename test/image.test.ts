// The image of the Dockerfile, without a container engine: the same files, with this machine's libraries in the place of the base's, run
// as that user with that environment. Needs npm run build, root for chroot, and Linux.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import t from "tap";
import { kill } from "./support/process.ts";

const root = resolve(import.meta.dirname, "..");

interface Image {
  readonly base: string;
  readonly copies: readonly (readonly [from: string, to: string, mode: number])[];
  readonly user: readonly [number, number];
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  readonly volume: string;
  readonly health: readonly string[];
  readonly command: readonly string[];
}

/** Whatever it cannot play fails here. */
function read(text: string): Image {
  const args = new Map<string, string>();
  const image = {
    base: "",
    copies: [] as [string, string, number][],
    env: {} as Record<string, string>,
    volume: "",
    directory: "/",
  };
  let user: [number, number] = [0, 0];
  let health: string[] = [];
  let entry: string[] = [];
  let command: string[] = [];
  for (const line of text.split("\n").filter((one) => one !== "" && !one.startsWith("#"))) {
    const [, word = "", given = ""] = /^(\w+) (.*)$/.exec(line) ?? [];
    const rest = given.replace(/\$\{(\w+)\}/g, (_, name: string) => args.get(name) ?? "");
    const pair = (): [string, string] => rest.split(/=(.*)/s, 2) as [string, string];
    switch (word) {
      case "FROM":
        image.base = rest;
        break;
      case "ARG":
        args.set(...pair());
        break;
      case "COPY": {
        const [, mode = "", from = "", to = ""] = /^--chmod=(\d+) (\S+) (\S+)$/.exec(rest) ?? [];
        image.copies.push([from, to, Number.parseInt(mode, 8)]);
        break;
      }
      case "USER":
        user = rest.split(":").map(Number) as [number, number];
        break;
      case "WORKDIR":
        image.directory = rest;
        break;
      case "ENV":
        Object.assign(image.env, Object.fromEntries([pair()]));
        break;
      case "VOLUME":
        image.volume = rest;
        break;
      case "EXPOSE":
        break;
      case "HEALTHCHECK":
        health = JSON.parse(/ CMD (\[.*\])$/.exec(rest)?.[1] ?? "") as string[];
        break;
      case "ENTRYPOINT":
        entry = JSON.parse(rest) as string[];
        break;
      case "CMD":
        command = JSON.parse(rest) as string[];
        break;
      default:
        throw new Error(`${line} is not played here`);
    }
  }
  return { ...image, user, health, command: [...entry, ...command] };
}

/** Not in the PATH that the image has. */
const CHROOT = ["/usr/sbin/chroot", "/sbin/chroot"].find((file) => existsSync(file)) ?? "chroot";
const built = existsSync(join(root, "dist/pushbox"));
const possible = built && process.platform === "linux" && process.getuid?.() === 0;

t.test(
  "the image serves as a user without rights, says that it is well, keeps its data in the volume, and stops in time",
  async (t) => {
    if (!possible)
      return t.pass(
        built ? "left out: it takes root to change the root directory" : "left out: dist/pushbox is not built",
      );
    const image = read(readFileSync(join(root, "scripts/release/Dockerfile"), "utf8"));
    t.match(image.base, /^gcr\.io\/distroless\/cc-debian12:nonroot$/);
    t.not(image.user[0], 0);
    const tree = mkdtempSync(join(tmpdir(), "pushbox-image-"));
    t.teardown(() => rmSync(tree, { recursive: true, force: true }));
    chmodSync(tree, 0o755);
    const put = (from: string, to: string, mode: number): void => {
      mkdirSync(dirname(join(tree, to)), { recursive: true });
      copyFileSync(realpathSync(from), join(tree, to));
      chmodSync(join(tree, to), mode);
    };
    // The base: C and C++ libraries, a temporary directory, the user's home.
    const libraries = spawnSync("ldd", [join(root, "dist/pushbox")], { encoding: "utf8" }).stdout;
    for (const [, library = ""] of libraries.matchAll(/(?:=> )?(\/\S+) \(/g)) put(library, library, 0o755);
    mkdirSync(join(tree, "tmp"));
    chmodSync(join(tree, "tmp"), 0o1777);
    mkdirSync(dirname(join(tree, image.volume)), { recursive: true });
    mkdirSync(join(tree, image.volume), { mode: 0o700 });
    chownSync(join(tree, image.volume), ...image.user);
    for (const [from, to, mode] of image.copies) put(join(root, from), to, mode);

    const inside = ([program = "", ...args]: readonly string[]): ChildProcess =>
      spawn(CHROOT, [`--userspec=${image.user.join(":")}`, "--groups=", tree, program, ...args], {
        env: { ...image.env, PUSHBOX_CLIENT_PORT: "0", PUSHBOX_ADMIN_PORT: "0" },
        stdio: ["ignore", "pipe", "pipe"],
      });
    const server = inside(image.command);
    t.teardown(() => kill(server));
    let errors = "";
    server.stderr?.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    const lines: string[] = [];
    for await (const line of createInterface({ input: server.stdout! })) {
      lines.push(line);
      if (line.includes("try: curl")) break;
    }
    server.stdout?.resume();
    t.ok(
      lines.some((line) => line.includes("API at http://127.0.0.1:11001")),
      `${lines.join("\n")}${errors}`,
    );
    const health = inside(image.health);
    t.same(await once(health, "exit"), [0, null]);
    const file = statSync(join(tree, image.env["PUSHBOX_DATA"] ?? "", "pushbox.db"));
    t.equal(file.uid, image.user[0]);
    t.ok(image.env["PUSHBOX_DATA"]?.startsWith(`${image.volume}/`), "it outlives the container");
    server.kill("SIGTERM");
    t.same(await once(server, "exit"), [0, null]);
    const unwell = inside(image.health);
    t.same(await once(unwell, "exit"), [1, null]);
  },
);
