// Takes as long as uWS takes to lose its patience, so it has a file of its own.
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "tap";
import { createServer } from "../../src/http/server.ts";

test("B14: a body slower than 16 KB per second arrives, for as long as it takes", async (t) => {
  const server = createServer(
    { host: "127.0.0.1", port: 0, maxBody: 100_000, bodyTimeout: 10_000, trustedProxies: [] },
    {
      open: () => (_, body) => ({ status: 200, headers: [], body: `${body.length} bytes` }),
      failure: (error) => ({ status: 500, headers: [], body: String(error) }),
    },
  );
  t.teardown(() => server.close());
  const socket = connect(await server.listen(), "127.0.0.1");
  socket.setEncoding("latin1");
  const answered = once(socket, "data");
  // uWS on its own closes such a connection within 12 seconds.
  socket.write("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 75000\r\n\r\n");
  for (let second = 0; second < 15; second++) {
    socket.write("x".repeat(5000));
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  t.match((await answered)[0], /200 OK[\s\S]*75000 bytes$/);
  socket.destroy();
});
