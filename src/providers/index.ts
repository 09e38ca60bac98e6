// The vendors this server can push through. A further one is one file, and one line at the end of this one.
import { PushError } from "../core/errors.ts";
import type { AppId, Provider, ProviderName, Receipt } from "../core/provider.ts";
import { apns } from "./apns.ts";
import { provider } from "./client.ts";
import type { CommonApp, Dialect, ReadFile } from "./dialect.ts";
import { fcm } from "./fcm.ts";
import { honor } from "./honor.ts";
import { harmony, huawei } from "./huawei.ts";
import type { Network } from "./line.ts";
import { meizu } from "./meizu.ts";
import { oppo } from "./oppo.ts";
import { umeng } from "./umeng.ts";
import { vivo } from "./vivo.ts";
import { webpush } from "./webpush.ts";
import { xiaomi } from "./xiaomi.ts";

export interface Vendor {
  readonly name: ProviderName;
  /** The token types (core/device.ts) it serves. */
  readonly tokenTypes: readonly string[];
  /**
   * Connects nothing yet: checks the entries `[[vendors.<name>]]`, one per app.
   * @throws PushError("invalid") with the problems of all entries
   */
  open(entries: readonly unknown[], read: ReadFile, now: number, network: Network): OpenVendor;
}

export interface OpenVendor {
  readonly provider: Provider;
  /** What the vendor posts for one app. @throws PushError */
  receipts(app: AppId, request: CallbackRequest): readonly Receipt[];
}

export interface CallbackRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly query: string;
  readonly body: string;
}

/** Hides what kind of app the dialect has: nobody else needs to know. */
function vendor<App extends CommonApp>(dialect: Dialect<App>): Vendor {
  const { name, tokenTypes } = dialect;
  return {
    name,
    tokenTypes,
    open(entries, read, now, network) {
      const apps = parseAll(dialect, entries, read, now);
      return {
        provider: provider(dialect, apps, network),
        receipts(id, request) {
          const app = apps.find((candidate) => candidate.app === id);
          if (app === undefined || dialect.receipts === undefined) {
            throw new PushError("invalid", `${name} sends no receipts for ${id}`);
          }
          return dialect.receipts(app, request);
        },
      };
    },
  };
}

function parseAll<App extends CommonApp>(
  dialect: Dialect<App>,
  entries: readonly unknown[],
  read: ReadFile,
  now: number,
): readonly App[] {
  const problems: string[] = [];
  const apps = new Map<AppId, App>();
  entries.forEach((entry, index) => {
    try {
      const app = dialect.parse(entry, read, now);
      if (apps.has(app.app)) problems.push(`${dialect.name}: ${app.app} has two entries`);
      apps.set(app.app, app);
    } catch (error) {
      if (!(error instanceof PushError)) throw error;
      const which = entries.length === 1 ? dialect.name : `${dialect.name}[${index}]`;
      problems.push(error.message.replaceAll(new RegExp(`^${dialect.name}(?=[.:])`, "gm"), which));
    }
  });
  if (problems.length > 0) throw new PushError("invalid", problems.join("\n"));
  return [...apps.values()];
}

export const vendors: readonly Vendor[] = [
  vendor(apns),
  vendor(fcm),
  vendor(harmony),
  vendor(honor),
  vendor(huawei),
  vendor(meizu),
  vendor(oppo),
  vendor(umeng),
  vendor(vivo),
  vendor(webpush),
  vendor(xiaomi),
];
