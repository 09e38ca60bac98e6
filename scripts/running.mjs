// For tap, in the place of async-hook-domain and of node:async_hooks (packages.mjs). What is thrown where nobody catches it is the
// failure of the test that is running. tap finds that test by a hook that Node calls for every promise, of which an eighth of the
// processor's time of our tests went; here it is the one entered last: tests of a file run one after the other.

/** @type {Running[]} from the outermost to the innermost */
let running = [];
/** @type {Running | undefined} whose code is being called */
let entered;
/** @type {Domain[]} of no test: the file's own */
const outer = [];

/** A test, in the place of AsyncResource: tap runs all that is the test's in its scope. */
export class AsyncResource {
  /** @type {Domain | undefined} */
  domain;

  runInAsyncScope(call, self, ...args) {
    // The first time it is only made.
    if (this.domain !== undefined && !this.domain.destroyed && !running.includes(this)) running.push(this);
    const before = entered;
    entered = this;
    try {
      return call.apply(self, args);
    } finally {
      entered = before;
    }
  }

  emitDestroy() {
    running = running.filter((one) => one !== this);
    return this;
  }
}

/** Where the errors of the test go in whose scope it is made. */
export class Domain {
  destroyed = false;

  /** @param onerror is given the error, and "uncaughtException" or "unhandledRejection" */
  constructor(onerror) {
    this.onerror = onerror;
    if (entered === undefined) outer.push(this);
    else entered.domain = this;
  }

  destroy() {
    this.destroyed = true;
    running = running.filter(({ domain }) => domain !== this);
    if (outer.includes(this)) outer.splice(outer.indexOf(this), 1);
  }
}

/** @returns whether a test took it. Where a test listens itself, it is that one's business. */
function taken(error, kind) {
  if (process.hasUncaughtExceptionCaptureCallback() || process.listenerCount("uncaughtException") > 0) return false;
  const domain = running.at(-1)?.domain ?? outer.at(-1);
  if (domain === undefined) return false;
  try {
    domain.onerror(error, kind);
  } catch (again) {
    domain.destroy();
    if (!taken(again, "uncaughtException")) throw again;
  }
  return true;
}

process.on("uncaughtExceptionMonitor", (error, kind) => {
  // What comes after this is kept from ending the process, once.
  if (taken(error, kind))
    process.setUncaughtExceptionCaptureCallback(() => process.setUncaughtExceptionCaptureCallback(null));
});

// Not a listener: a test that counts them, or has its own, must not see it.
const emit = process.emit;
process.emit = function (name, ...args) {
  if (name !== "unhandledRejection" || process.listenerCount(name) > 0) return emit.call(this, name, ...args);
  return taken(args[0], name);
};
