// The way to an endpoint: a real HTTP server on the other side.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { Webhook } from "standardwebhooks";
import t, { type Test } from "tap";
import { secretText } from "../../src/core/secret.ts";
import { failedIds } from "../../src/hooks/plan.ts";
import { type Destination, Post, Unanswered } from "../../src/hooks/post.ts";
import { parseSecret } from "../../src/hooks/sign.ts";
import { createAuthority } from "../../src/lab/authority.ts";
import { freePort } from "../support/ports.ts";

const SECRET = secretText(randomBytes(32));

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const piece of request.setEncoding("utf8")) text += piece as string;
  return text;
}

async function serve(t: Test, answer: RequestListener): Promise<number> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function post(t: Test, url: string, more: Partial<Destination> = {}): Post {
  const made = new Post({
    url,
    secrets: [parseSecret(SECRET)],
    allowPrivate: false,
    timeout: 10_000,
    connections: 5,
    ...more,
  });
  t.teardown(() => made.close());
  return made;
}

const unanswered = (pattern: RegExp) => ({ constructor: Unanswered, message: pattern });

t.test("an answer's byte order mark, as .NET writes one, does not hide which events failed", async (t) => {
  const port = await serve(t, (_, response) => void response.end('\ufeff{"failed":["evt_1"]}'));
  const { body } = await post(t, `http://127.0.0.1:${port}/`).send("msg_1", "{}", Date.now());
  t.strictSame([...failedIds(body)], ["evt_1"]);
});

t.test(
  "a message is posted as JSON with its path and query, signed so that the published library takes it",
  async (t) => {
    const seen = Promise.withResolvers<{ readonly request: IncomingMessage; readonly body: string }>();
    const port = await serve(t, async (request, response) => {
      seen.resolve({ request, body: await bodyOf(request) });
      response.writeHead(202, { "Retry-After": "7" }).end("thanks");
    });
    const body = '{"type":"events","data":"ünï"}';
    const answer = await post(t, `http://127.0.0.1:${port}/pushbox?from=here`).send("msg_1", body, Date.now());
    t.strictSame(answer, { status: 202, retryAfter: "7", body: "thanks" });
    const { request, body: received } = await seen.promise;
    t.match(request, { method: "POST", url: "/pushbox?from=here", headers: { "content-type": "application/json" } });
    t.equal(received, body);
    t.strictSame(new Webhook(SECRET).verify(received, request.headers as Record<string, string>), JSON.parse(body));
  },
);

t.test("a redirect is an answer, and is not followed", async (t) => {
  const paths: (string | undefined)[] = [];
  const port = await serve(t, (request, response) => {
    paths.push(request.url);
    response.writeHead(307, { Location: "/elsewhere" }).end();
  });
  const answer = await post(t, `http://127.0.0.1:${port}/here`).send("msg_1", "{}", Date.now());
  t.equal(answer.status, 307);
  t.strictSame(paths, ["/here"]);
});

t.test("who does not answer in time is left, whether nothing comes, or the answer never ends", async (t) => {
  const port = await serve(t, (request, response: ServerResponse) => {
    if (request.url === "/slow") {
      response.writeHead(200).write("a");
      const drip = setInterval(() => response.write("a"), 10);
      response.on("close", () => clearInterval(drip));
    }
  });
  for (const path of ["/never", "/slow"]) {
    const sent = post(t, `http://127.0.0.1:${port}${path}`, { timeout: 200 }).send("msg_1", "{}", Date.now());
    await t.rejects(sent, unanswered(/^no complete answer within 200 ms$/), path);
  }
});

t.test("of an answer without end only the beginning is read, 256 KB and no half of a character", async (t) => {
  for (const [character, size] of [
    ["a", 262_144],
    ["好", 262_143],
  ] as const) {
    const port = await serve(t, (_, response) => {
      const piece = character.repeat(65_536);
      const more = (): void => {
        while (!response.destroyed && response.write(piece));
      };
      response.on("drain", more);
      more();
    });
    const { status, body } = await post(t, `http://127.0.0.1:${port}/`).send("msg_1", "{}", Date.now());
    t.equal(status, 200);
    t.equal(body, character.repeat(size / Buffer.byteLength(character)));
  }
});

t.test("an answer whose characters come in pieces is read as it was meant", async (t) => {
  const port = await serve(t, async (_, response) => {
    response.socket?.setNoDelay();
    for (const byte of Buffer.from("é好😀")) {
      response.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    response.end();
  });
  t.match(await post(t, `http://127.0.0.1:${port}/`).send("msg_1", "{}", Date.now()), { body: "é好😀" });
});

t.test("what went wrong is said in words, without the query of the address", async (t) => {
  const closed = await serve(t, () => {});
  const nobody = await freePort();
  const cutting = await serve(t, (request) => request.socket.destroy());
  for (const [url, words] of [
    [`http://127.0.0.1:${nobody}/?key=hidden`, /^nobody listens there \(ECONNREFUSED\)$/],
    [`http://127.0.0.1:${cutting}/?key=hidden`, /^the connection was closed before the answer/],
    [
      "https://no-such-name.invalid/?key=hidden",
      /^(there is no such name|the name could not be looked up|no complete answer)/,
    ],
    [`https://127.0.0.1:${closed}/?key=hidden`, /^the request failed \(ERR_SSL_|^the connection was closed/],
  ] as const)
    await t.rejects(post(t, url).send("msg_1", "{}", Date.now()), unanswered(words), url);
});

t.test("a certificate is verified; one that is not of a known authority needs ca_file", async (t) => {
  const authority = createAuthority(Date.now());
  const server = createTlsServer(authority.server(["127.0.0.1"]), (_, response) => response.end("{}"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const url = `https://127.0.0.1:${port}/`;
  await t.rejects(
    post(t, url).send("msg_1", "{}", Date.now()),
    unanswered(/^its certificate is not trusted \(\w+\): name the authority's certificate with ca_file$/),
  );
  t.equal((await post(t, url, { ca: authority.ca }).send("msg_1", "{}", Date.now())).status, 200);
  const other = createAuthority(Date.now());
  await t.rejects(
    post(t, url, { ca: other.ca }).send("msg_1", "{}", Date.now()),
    unanswered(/certificate/),
    "once ca_file names another authority",
  );
  await t.rejects(
    post(t, `https://localhost:${port}/`, { ca: authority.ca }).send("msg_1", "{}", Date.now()),
    unanswered(/^its certificate is for another name$/),
  );
});

t.test("a name that leads into our own network is not connected to, unless the settings say so", async (t) => {
  let asked = 0;
  const server = createServer((_, response) => {
    asked++;
    response.end("{}");
  }).listen(0);
  await once(server, "listening");
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  // The name of this machine, which has no public address; no name is looked up outside.
  const url = `http://${hostname()}:${port}/`;
  const refused = post(t, url).send("msg_1", "{}", Date.now());
  await t.rejects(refused, unanswered(/leads to an address that is not public: .* allow_private = true$/));
  t.equal(asked, 0);
  t.equal((await post(t, `http://localhost:${port}/`).send("msg_1", "{}", Date.now())).status, 200, "localhost");
  t.equal(
    (await post(t, `http://127.0.0.1:${port}/`).send("msg_1", "{}", Date.now())).status,
    200,
    "the address itself",
  );
  t.equal((await post(t, url, { allowPrivate: true }).send("msg_1", "{}", Date.now())).status, 200, "allow_private");
});

t.test("what is under way when it closes is cut off", async (t) => {
  const arrived = Promise.withResolvers<void>();
  const port = await serve(t, () => arrived.resolve());
  const made = post(t, `http://127.0.0.1:${port}/`);
  const sent = made.send("msg_1", "{}", Date.now());
  const failing = t.rejects(sent, unanswered(/./));
  await arrived.promise;
  await made.close();
  await failing;
});
