// A bug in a handler of the application costs the connection it happened on, and no other.
import type { Connection, EngineApplication } from "./types.ts";

/** @param onError gets each error once; the connection is closed then, so that its client begins anew */
export function guard<T>(app: EngineApplication<T>, onError: (error: unknown) => void): EngineApplication<T> {
  function fail(connection: Connection<T>, error: unknown): void {
    onError(error);
    connection.close();
  }
  const told = (connection: Connection<T>, run: () => void): void => {
    try {
      run();
    } catch (error) {
      fail(connection, error);
    }
  };
  return {
    drained: (connection) => told(connection, () => app.drained?.(connection)),
    proven: (connection, stamp) => told(connection, () => app.proven?.(connection, stamp)),
    heard: (connection) => told(connection, () => app.heard?.(connection)),
    open(connection) {
      try {
        app.open(connection);
      } catch (error) {
        fail(connection, error);
      }
    },
    message(connection, data) {
      try {
        app.message(connection, data);
      } catch (error) {
        fail(connection, error);
      }
    },
    flooded(connection) {
      try {
        app.flooded?.(connection);
      } catch (error) {
        fail(connection, error);
      }
    },
    close(connection, reason) {
      try {
        app.close(connection, reason);
      } catch (error) {
        onError(error); // it is closed already
      }
    },
  };
}
