// A bug of ours costs the connection it happened on, and no other: native code ends the process with whatever a handler throws.

/** What uWS hands to a handler first: a response or a websocket. */
interface Closable {
  close(): unknown;
}

// biome-ignore lint/suspicious/noExplicitAny: whatever uWS hands over
type Handler = (of: any, second: any, third: any) => void;

/** @returns makes a handler of uWS one that throws nothing: the response or websocket is closed then. `onError` gets each error once */
export const sparing =
  (onError: (error: unknown) => void) =>
  <Own extends Handler>(run: Own): Own => {
    const spared = (of: Closable, second: unknown, third: unknown): void => {
      try {
        run(of, second, third);
      } catch (error) {
        onError(error);
        closeIfOpen(of);
      }
    };
    return spared as Own;
  };

/** Closes a response or websocket, in whatever state it is. */
export function closeIfOpen(of: Closable): void {
  try {
    of.close();
  } catch {} // it was answered, became a websocket or was closed before: uWS throws then
}
