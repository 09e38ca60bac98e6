// The keys of an entry, for the file that `pushbox init` writes: name, example, and what each is for.
import type { Wording } from "../core/language.ts";
import type { Key } from "./dialect.ts";

/** A key of an entry, with an example and what it is for. */
export function key(name: string, example: Key["example"], why: Wording): Key {
  return { name, why, example };
}

/** A key whose value is never shown. */
export function secretKey(name: string, why: Wording, example = "..."): Key {
  return { name, why, example, secret: true };
}

const packageName = key("package_name", "com.example.app", {
  en: "The app's package name.",
  zh: "应用的包名。",
});

/** The keys of `common` but the app's name. `into` is what `fields` are merged into. */
export function commonKeys(host: string, into: string | Wording): readonly Key[] {
  const { en, zh } = typeof into === "string" ? { en: into, zh: ` ${into} ` } : into;
  return [
    key("base_url", host, {
      en: "Another host, for tests or another region.",
      zh: "另一个主机地址，用于测试或其他区域。",
    }),
    key("truncate", false, {
      en: "Shorten a text that is too long for the vendor; otherwise such a notification is refused.",
      zh: "文字超过厂商上限时截短；否则拒绝这样的通知。",
    }),
    {
      name: "fields",
      why: { en: `Fields of the vendor's own, merged into ${en}.`, zh: `厂商自有字段，合并到${zh}中。` },
      example: {},
    },
  ];
}

/** For vendors that let the sender decide. */
export const foregroundKey = key("notify_foreground", true, {
  en: "Whether the phone shows it while the app is in the foreground.",
  zh: "应用在前台时手机是否展示通知。",
});

/** All keys of an entry with a package name: `own` stand between that and the common ones. */
export function entryKeys(host: string, into: string | Wording, own: readonly Key[]): readonly Key[] {
  return [packageName, ...own, ...commonKeys(host, into)];
}

/** @param limit characters that the vendor takes */
export function callbackKey(limit: number): Key {
  const why = {
    en: `Where the vendor tells of arrivals: your address in front of this server, at most ${limit} characters.`,
    zh: `厂商回报送达的地址：您对外转到本服务器的地址，最多 ${limit} 个字符。`,
  };
  return secretKey("callback_url", why, "https://push.example.com/...");
}
