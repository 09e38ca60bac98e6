import { spawnSync } from "node:child_process";
import { cpSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { importProblems } from "../scripts/check/imports.ts";
import { citationProblems } from "../scripts/check/readmes.ts";

const TABLE = `| folder | imports | types only of | packages |
| --- | --- | --- | --- |
| \`core\` | | | |
| \`api\` | \`core\` | \`engine\` | \`node\` |
| \`engine\` | \`core\` | | |
`;

t.test("the check names every import that the table of src/README.md does not allow", async (t) => {
  const root = t.testdir({
    src: {
      "README.md": TABLE,
      core: { "a.ts": "export const a = 1;", "b.ts": 'import { hash } from "node:crypto";\nexport const b = hash;' },
      engine: {
        "store.ts": 'import { a } from "../core/a.ts";\nexport type Store = typeof a;\nexport const store = a;',
        "lazy.ts": 'export const late = () => import("../api/well.ts");',
      },
      api: {
        "well.ts":
          'import { join } from "node:path";\nimport type { Store } from "../engine/store.ts";\nexport let x: Store;',
        "wrong.ts": 'import { type Store, store } from "../engine/store.ts";\nexport { a } from "../core/a.ts";',
      },
      other: { "c.ts": "" },
    },
  });
  t.same([...importProblems(root)].sort(), [
    "src/api/wrong.ts: api may not import more than types of engine (engine/store.ts)",
    "src/core/b.ts: core may not import node (node)",
    "src/engine/lazy.ts: engine may not import api (api/well.ts)",
    "src/other/c.ts: its folder has no row in the table of src/README.md",
  ]);
});

t.test("the check names a circle with its files, also one of types", async (t) => {
  const root = t.testdir({
    src: {
      "README.md": TABLE,
      core: {
        "a.ts": 'import type { B } from "./b.ts";\nexport interface A { b: B }',
        "b.ts": 'export type { C as B } from "./c.ts";',
        "c.ts": 'import type { A } from "./a.ts";\nexport interface C { a: A }',
        "d.ts": 'import type { A } from "./a.ts";\nexport type D = A;',
      },
    },
  });
  t.same(importProblems(root), ["imported in a circle: src/core/a.ts, src/core/b.ts, src/core/c.ts"]);
});

t.test("the check names every citation of a README that leads nowhere", async (t) => {
  const root = t.testdir({
    src: {
      "README.md": "1. Nothing is lost.\n",
      sockets: { "README.md": "## 2. Engine.IO\n\n### 2.1 Packets\n" },
      api: {
        "README.md": "### 3.10 `/api/push`\n",
        "a.ts": "// holds 1; it holds 3 of them. protocol 2, protocol 2.1; api 3.10",
        "b.ts": "// sockets/README.md 2.1, README 2 alone is of this folder",
      },
    },
    test: {
      "b.test.ts": '// api 3.1\nt.test("holds 2: protocol 2.2");',
      "c.test.ts": "// sockets/README.md 2.2; README 1",
    },
    scripts: {},
  });
  t.same(citationProblems(root), [
    "src/api/a.ts: holds 3 is not in src/README.md",
    "test/b.test.ts: holds 2 is not in src/README.md",
    "test/b.test.ts: protocol 2.2 is not in src/sockets/README.md",
    "test/b.test.ts: api 3.1 is not in src/api/README.md",
    "src/api/b.ts: README 2 is not in src/api/README.md",
    "test/c.test.ts: sockets/README.md 2.2 is not in src/sockets/README.md",
  ]);
});

t.test("an export and a file that nobody uses fail the check", async (t) => {
  const root = t.testdir({
    "package.json": '{ "type": "module" }',
    src: {
      "main.ts": 'import { used } from "./used.ts";\nused();',
      "used.ts": "export const used = () => {};\nexport const dead = 1;",
      "alone.ts": "export const alone = 1;",
    },
  });
  const own = join(import.meta.dirname, "..");
  cpSync(join(own, ".knip.json"), join(root, ".knip.json"));
  symlinkSync(join(own, "node_modules"), join(root, "node_modules"));
  const knip = join(own, "node_modules/knip/bin/knip.js");
  const { status, stdout } = spawnSync(process.execPath, [knip, "--no-progress"], { cwd: root, encoding: "utf8" });
  t.not(status, 0);
  t.match(stdout, /^dead .*src\/used\.ts/m);
  t.match(stdout, /^src\/alone\.ts/m);
});
