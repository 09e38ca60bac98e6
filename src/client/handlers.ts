// What an app hears: its handlers, called one after the other.
import type { Events } from "./api.ts";
import type { Environment } from "./environment.ts";

type Handler = (event: never) => unknown;

export function openHandlers(after: Environment["after"]) {
  const handlers: { [Name in keyof Events]?: Set<Handler> } = {};
  /** What handlers are run for, one after the other: one that returns a promise holds up those behind it. */
  let tasks: (() => unknown)[] = [];
  let busy = false;

  function on<Name extends keyof Events>(name: Name, handler: (event: Events[Name]) => unknown): () => void {
    handlers[name] = (handlers[name] ?? new Set<Handler>()).add(handler as Handler);
    return () => off(name, handler);
  }

  function off<Name extends keyof Events>(name: Name, handler: (event: Events[Name]) => unknown): void {
    handlers[name]?.delete(handler as Handler);
  }

  /** Calls them now. Returns what is to be waited for. */
  function fire<Name extends keyof Events>(name: Name, event: Events[Name]): unknown {
    const running: unknown[] = [];
    // As they are now: one that takes itself away and comes again is for the next event.
    for (const handler of [...(handlers[name] ?? [])]) {
      if (!handlers[name]?.has(handler)) continue;
      try {
        const result = handler(event as never);
        // Of another realm or library too.
        if (typeof (result as { then?: unknown } | null | undefined)?.then === "function")
          running.push(Promise.resolve(result).catch(tell));
      } catch (error) {
        tell(error);
      }
    }
    return running.length > 0 ? Promise.all(running) : undefined;
  }

  /** A handler's own fault: as if nobody had called it. */
  function tell(error: unknown): void {
    after(0, () => {
      throw error;
    });
  }

  /** In its turn. */
  function run(task: () => unknown): void {
    tasks.push(task);
    if (!busy) work();
  }

  function work(): void {
    busy = true;
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
      const running = task();
      if (running instanceof Promise) {
        running.then(work);
        return;
      }
    }
    busy = false;
  }

  /** What has not begun is not done any more. */
  function forget(): void {
    tasks = [];
  }

  return { on, off, fire, run, forget };
}
