// Every page: its place in the address, its name, and who draws it. How one is added: ../README.md.
import type { FunctionComponent } from "preact";
import type { Word } from "../language.ts";
import type { IconName } from "../ui/icon.tsx";
import { Devices } from "./devices.tsx";
import { Failures } from "./failures.tsx";
import { Notifications } from "./notifications.tsx";
import { Overview } from "./overview.tsx";
import { Send } from "./send/send.tsx";
import { Vendors } from "./vendors.tsx";
import { Why } from "./why.tsx";

export interface Page {
  /** In the address. */
  readonly name: string;
  readonly title: Word;
  readonly icon: IconName;
  readonly draw: FunctionComponent;
}

export interface Group {
  /** Absent: without a heading. */
  readonly title?: Word;
  readonly pages: readonly Page[];
}

/** In the order of the navigation. */
export const GROUPS: readonly Group[] = [
  {
    pages: [
      { name: "", title: "page.overview", icon: "overview", draw: Overview },
      { name: "send", title: "page.send", icon: "send", draw: Send },
      { name: "why", title: "page.why", icon: "why", draw: Why },
    ],
  },
  {
    title: "group.find",
    pages: [
      { name: "devices", title: "page.devices", icon: "devices", draw: Devices },
      { name: "notifications", title: "page.notifications", icon: "notifications", draw: Notifications },
      { name: "failures", title: "page.failures", icon: "failures", draw: Failures },
    ],
  },
  {
    title: "group.run",
    pages: [{ name: "vendors", title: "page.vendors", icon: "vendors", draw: Vendors }],
  },
];

export const pageNamed = (name: string): Page | undefined =>
  GROUPS.flatMap(({ pages }) => pages).find((page) => page.name === name);
