// Is a port free? uWS shares a taken one (SO_REUSEPORT) unless told otherwise, and told otherwise it does without SO_REUSEADDR:
// then a restarted server could not have its own port back while connections of the previous one linger. So Node asks first.
import { createServer } from "node:net";

/** The port itself, or a free one for 0. Fails when another socket listens there, or the address is not this machine's. */
export function freePort(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (cause: NodeJS.ErrnoException) => {
      const reason = cause.code === "EADDRINUSE" ? "the port is in use" : cause.message;
      reject(new Error(`cannot listen on ${host}:${port}: ${reason}`, { cause }));
    });
    probe.listen({ host, port, exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : port));
    });
  });
}
