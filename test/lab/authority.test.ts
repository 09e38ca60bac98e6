// The lab's certificates, read by those who will have to trust them.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:tls";
import t from "tap";
import { createAuthority } from "../../src/lab/authority.ts";

const now = Date.now();
const authority = createAuthority(now);
const ca = new X509Certificate(authority.ca);

t.test("a server's certificate holds for its names and addresses, and for no others", (t) => {
  const { cert, key } = authority.server(["localhost", "127.0.0.1", "::1", "fe80::1:20", "::ffff:10.0.0.1"]);
  const certificate = new X509Certificate(cert);
  t.ok(certificate.checkIssued(ca) && certificate.verify(ca.publicKey));
  t.ok(certificate.checkPrivateKey(createPrivateKey(key)));
  for (const name of ["localhost"]) t.ok(certificate.checkHost(name), name);
  for (const name of ["example.com", "127.0.0.1"]) t.notOk(certificate.checkHost(name), name);
  for (const address of ["127.0.0.1", "::1", "fe80::1:20", "::ffff:10.0.0.1"])
    t.ok(certificate.checkIP(address), address);
  for (const address of ["127.0.0.2", "::2", "10.0.0.1"]) t.notOk(certificate.checkIP(address), address);
  t.equal(certificate.ca, false);
  t.equal(ca.ca, true);
  t.end();
});

t.test("a certificate is valid between the times it was made for, also after 2049", (t) => {
  const [from, to] = [Date.UTC(2049, 11, 31, 23, 59, 58), Date.UTC(2050, 0, 1, 0, 0, 1)];
  const certificate = new X509Certificate(authority.client("com.example.app", from, to).cert);
  t.equal(certificate.subject, "CN=com.example.app");
  t.equal(Date.parse(certificate.validFrom), from);
  t.equal(Date.parse(certificate.validTo), to);
  t.end();
});

t.test("both ends of a connection take each other's certificates, for what they are made for only", async (t) => {
  const server = authority.server(["localhost"]);
  const client = authority.client("com.example.app", now - 1000, now + 60_000);
  /** Whether the server's word reaches the client. */
  const speak = async (near: typeof client, far: typeof server): Promise<boolean> => {
    const listening = createServer({ ...far, ca: authority.ca, requestCert: true }, (socket) => socket.end("hello"));
    listening.listen(0, "127.0.0.1");
    await once(listening, "listening");
    const { port } = listening.address() as AddressInfo;
    const socket = connect({ host: "127.0.0.1", port, servername: "localhost", ca: authority.ca, ...near });
    const heard = await new Promise<boolean>((end) => {
      socket.on("data", () => end(true));
      socket.on("error", () => end(false));
      socket.on("close", () => end(false));
    });
    socket.destroy();
    listening.close();
    return heard;
  };
  t.equal(await speak(client, server), true);
  t.equal(await speak(client, client), false, "a client's certificate is no server's");
  t.equal(await speak(server, server), false, "a server's certificate is no client's");
  const other = createAuthority(now);
  t.equal(await speak(client, other.server(["localhost"])), false, "another authority's is nobody's");
});
