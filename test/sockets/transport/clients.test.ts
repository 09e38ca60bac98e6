// The real clients, old and new, on every transport, against the same server.
import { createRequire } from "node:module";
import t from "tap";
import { clientLibrary } from "../../../src/app/assets.ts";
import { serve, talk } from "./harness.ts";

/** The little of a client that all versions have in common. */
interface ClientSocket {
  readonly io: {
    readonly engine: { readonly transport: { readonly name: string }; once(e: string, f: () => void): void };
  };
  on(event: string, handler: (...args: unknown[]) => void): void;
  once(event: string, handler: (...args: unknown[]) => void): void;
  emit(event: string, ...args: unknown[]): void;
  close(): void;
}
type Io = (url: string, options: object) => ClientSocket;

const require = createRequire(import.meta.url);
const versions = { "1.7.2": 1, "2.5.0": 2, "3.1.3": 3, "4.8": 4 } as const;

const reply = (socket: ClientSocket, event: string) =>
  new Promise<unknown[]>((resolve) => socket.once(event, (...args) => resolve(args)));
const ack = (socket: ClientSocket, ...args: unknown[]) =>
  new Promise<unknown[]>((resolve) =>
    socket.emit("message-with-ack", ...args, (...values: unknown[]) => resolve(values)),
  );

for (const [version, major] of Object.entries(versions)) {
  const io = require(`socket.io-client${major}`) as Io;
  for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
    t.test(
      `EIO 12: client ${version} on ${transports.join(" then ")} sends and receives text of every width, binary and acks`,
      async (t) => {
        const served = await serve(t, talk());
        const socket = io(`http://127.0.0.1:${served.port}`, { transports, forceNew: true, reconnection: false });
        t.teardown(() => socket.close());
        const early = reply(socket, "auth");
        await reply(socket, "connect");
        t.same(await early, [{}]);
        if (transports.length === 2 && socket.io.engine.transport.name !== "websocket") {
          await new Promise<void>((resolve) => socket.io.engine.once("upgrade", resolve));
        }
        t.equal(socket.io.engine.transport.name, transports.at(-1));

        const text = 'é你😀 \u2028\u0000"\\n';
        socket.emit("message", text, 1, { nested: [text, null] });
        t.same(await reply(socket, "message-back"), [text, 1, { nested: [text, null] }]);

        const bytes = Buffer.from([0, 1, 2, 253, 254, 255]);
        socket.emit("message", { bytes }, bytes);
        const [first, second] = (await reply(socket, "message-back")) as [{ bytes: Buffer }, Buffer];
        t.same(Buffer.from(first.bytes), bytes);
        t.same(Buffer.from(second), bytes);

        t.same(await ack(socket, text, [1]), [text, [1]]);
        const [acked] = (await ack(socket, bytes)) as [Buffer];
        t.same(Buffer.from(acked), bytes);

        // Many at once arrive in the order they were sent.
        const received: unknown[] = [];
        const all = new Promise<void>((resolve) =>
          socket.on("message-back", (n) => {
            if (received.push(n) === 100) resolve();
          }),
        );
        for (let i = 0; i < 100; i++) socket.emit("message", i);
        await all;
        t.same(
          received,
          Array.from({ length: 100 }, (_, i) => i),
        );
      },
    );
  }

  t.test(`SIO 19: client ${version} uses a namespace beside "/" and is told of one that does not exist`, async (t) => {
    const served = await serve(t, talk());
    const url = `http://127.0.0.1:${served.port}`;
    const options = { transports: ["websocket"], reconnection: false };
    const custom = io(`${url}/custom`, options);
    t.teardown(() => custom.close());
    await reply(custom, "auth");
    custom.emit("message", "x");
    t.same(await reply(custom, "message-back"), ["x"]);
    const nope = io(`${url}/nope`, options);
    t.teardown(() => nope.close());
    const [error] = await reply(nope, major < 3 ? "error" : "connect_error");
    t.equal(major < 3 ? error : (error as Error).message, "Invalid namespace");
    custom.emit("message", "y");
    t.same(await reply(custom, "message-back"), ["y"]);
  });

  t.test(`client ${version} sees a transport close, not a disconnect, when the server goes away`, async (t) => {
    const served = await serve(t, talk());
    for (const transports of [["websocket"], ["polling"]]) {
      const socket = io(`http://127.0.0.1:${served.port}`, { transports, forceNew: true, reconnection: false });
      t.teardown(() => socket.close());
      await reply(socket, "connect");
      const disconnected = reply(socket, "disconnect");
      for (const connection of served.gateway.connections()) connection.close();
      const [reason] = await disconnected;
      t.match(reason, /^transport (close|error)$/);
    }
  });
}

t.test("B19: the library that the server gives a page is the 2.5.0 that these tests use", async (t) => {
  const library = clientLibrary();
  t.match(Buffer.from(library ?? []).toString(), /^\/\*!\n \* Socket\.IO v2\.5\.0\n/);
});
