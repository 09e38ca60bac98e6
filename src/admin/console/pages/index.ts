// Every page: its place in the address, its name, and who draws it. How one is added: ../README.md.
import type { FunctionComponent } from "preact";
import type { Word } from "../language.ts";
import type { IconName } from "../ui/icon.tsx";
import { Audit } from "./audit.tsx";
import { Backups } from "./backups.tsx";
import { Configuration } from "./configuration.tsx";
import { Connections } from "./connections.tsx";
import { Devices } from "./devices.tsx";
import { Failures } from "./failures.tsx";
import { Hooks } from "./hooks.tsx";
import { Notifications } from "./notifications.tsx";
import { Overview } from "./overview.tsx";
import { People } from "./people.tsx";
import { Playground } from "./playground/playground.tsx";
import { Reference } from "./reference.tsx";
import { Send } from "./send/send.tsx";
import { Statistics } from "./statistics.tsx";
import { Topics } from "./topics.tsx";
import { Trace } from "./trace.tsx";
import { Users } from "./users.tsx";
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
      { name: "users", title: "page.users", icon: "users", draw: Users },
      { name: "topics", title: "page.topics", icon: "topics", draw: Topics },
      { name: "notifications", title: "page.notifications", icon: "notifications", draw: Notifications },
      { name: "failures", title: "page.failures", icon: "failures", draw: Failures },
    ],
  },
  {
    title: "group.run",
    pages: [
      { name: "vendors", title: "page.vendors", icon: "vendors", draw: Vendors },
      { name: "hooks", title: "page.hooks", icon: "hooks", draw: Hooks },
      { name: "statistics", title: "page.statistics", icon: "statistics", draw: Statistics },
      { name: "connections", title: "page.connections", icon: "connections", draw: Connections },
      { name: "configuration", title: "page.configuration", icon: "configuration", draw: Configuration },
      { name: "backups", title: "page.backups", icon: "backups", draw: Backups },
      { name: "people", title: "page.people", icon: "people", draw: People },
      { name: "audit", title: "page.audit", icon: "audit", draw: Audit },
    ],
  },
  {
    title: "group.tools",
    pages: [
      { name: "trace", title: "page.trace", icon: "trace", draw: Trace },
      { name: "playground", title: "page.playground", icon: "playground", draw: Playground },
      { name: "reference", title: "page.reference", icon: "reference", draw: Reference },
    ],
  },
];

/** undefined: there is none; "" is the overview. */
export const pageNamed = (name: string): Page | undefined =>
  GROUPS.flatMap(({ pages }) => pages).find((page) => page.name === name);
