// The ES module: what pages import from /client/pushbox.js, and Node from the package.
import type { PushClient as Client, Options, PushClientConstructor } from "./api.ts";
import { createClient } from "./client.ts";
import { environment } from "./environment.ts";

export { miniProgram } from "./mini-program.ts";
export { registerWebPush } from "./web-push.ts";

class Constructed {
  constructor(url?: string, options: Options = {}) {
    // Getters stay getters.
    Object.defineProperties(this, Object.getOwnPropertyDescriptors(createClient(url, options, environment)));
  }
}

export const PushClient = Constructed as unknown as PushClientConstructor;
export type PushClient = Client;
