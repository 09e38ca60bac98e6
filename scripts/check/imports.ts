// Who imports whom under src: the table of src/README.md holds, and no file imports itself by way of others.
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { parseSync } from "oxc-parser";

/** A row of the table. */
interface Rule {
  readonly imports: readonly string[];
  readonly types: readonly string[];
  readonly outside: readonly string[];
}

interface Import {
  /** A file under src, a package or `node`. */
  readonly to: string;
  readonly inside: boolean;
  readonly typeOnly: boolean;
}

/** One sentence for each import that may not be. @param root the directory that holds src */
export function importProblems(root: string): readonly string[] {
  const files = globSync("src/**/*.{ts,tsx}", { cwd: root }).map((file) =>
    file.replaceAll("\\", "/").slice("src/".length),
  );
  const graph = new Map(files.filter((file) => !file.endsWith(".d.ts")).map((file) => [file, importsOf(root, file)]));
  const rules = table(readFileSync(join(root, "src/README.md"), "utf8"));
  return [...strangers(graph, rules), ...circles(graph)];
}

/** | `folder` | imports | imports types of | packages | */
function table(readme: string): ReadonlyMap<string, Rule> {
  const names = (cell = ""): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
  return new Map(
    readme
      .split("\n")
      .filter((line) => /^\| `[\w./]+` /.test(line))
      .map((line) => {
        const [, folder, imports, types, outside] = line.split("|");
        return [names(folder)[0]!, { imports: names(imports), types: names(types), outside: names(outside) }];
      }),
  );
}

function importsOf(root: string, file: string): readonly Import[] {
  const text = readFileSync(join(root, "src", file), "utf8");
  const { module, errors } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`src/${file}: ${errors[0]?.message}`);
  const found = [
    ...module.staticImports.map(({ moduleRequest, entries }) => ({
      name: moduleRequest.value,
      typeOnly: entries.length > 0 && entries.every(({ isType }) => isType),
    })),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest, isType }) =>
        moduleRequest === null ? [] : [{ name: moduleRequest.value, typeOnly: isType }],
      ),
    ),
    ...module.dynamicImports.flatMap(({ moduleRequest: { start, end } }) => {
      const [, name] = /^["'](.*)["']$/.exec(text.slice(start, end)) ?? [];
      return name === undefined ? [] : [{ name, typeOnly: false }];
    }),
  ];
  return found.map(({ name, typeOnly }) => {
    if (name.startsWith(".")) return { to: join(dirname(file), name), inside: true, typeOnly };
    return { to: name.startsWith("node:") ? "node" : name, inside: false, typeOnly };
  });
}

type Graph = ReadonlyMap<string, readonly Import[]>;

function strangers(graph: Graph, rules: ReadonlyMap<string, Rule>): readonly string[] {
  /** The longest row that the file is in. */
  const folderOf = (file: string): string | undefined =>
    [...rules.keys()]
      .filter((folder) => file === folder || file.startsWith(`${folder}/`))
      .sort((a, b) => b.length - a.length)[0];
  const problems: string[] = [];
  for (const [file, imports] of graph) {
    const folder = folderOf(file);
    const rule = rules.get(folder ?? "");
    if (folder === undefined || rule === undefined) {
      problems.push(`src/${file}: its folder has no row in the table of src/README.md`);
      continue;
    }
    for (const { to, inside, typeOnly } of imports) {
      const target = inside ? (folderOf(to) ?? to) : to;
      if (inside && target === folder) continue;
      if ((inside ? rule.imports : rule.outside).includes(target)) continue;
      if (typeOnly && rule.types.includes(target)) continue;
      const what = rule.types.includes(target) ? "more than types of" : "";
      problems.push(`src/${file}: ${folder} may not import ${what} ${target} (${to})`.replace("  ", " "));
    }
  }
  return problems;
}

/** Each circle once, with all of its files (Tarjan's strongly connected components). */
function circles(graph: Graph): readonly string[] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const path: string[] = [];
  const problems: string[] = [];
  function visit(file: string): void {
    const number = order.size;
    order.set(file, number);
    lowest.set(file, number);
    path.push(file);
    for (const { to } of graph.get(file) ?? []) {
      if (!graph.has(to)) continue;
      if (!order.has(to)) visit(to);
      if (path.includes(to)) lowest.set(file, Math.min(lowest.get(file)!, lowest.get(to)!));
    }
    if (lowest.get(file) !== number) return;
    const circle = path.splice(path.indexOf(file));
    const itself = graph.get(file)!.some(({ to }) => to === file);
    if (circle.length > 1 || itself) problems.push(`imported in a circle: src/${circle.sort().join(", src/")}`);
  }
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return problems;
}
