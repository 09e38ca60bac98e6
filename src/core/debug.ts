// Port: what `log_level = "debug"` shows. Whoever has something to show asks first whether it is on, so that nothing is made for a
// line that nobody wants. src/app/README.md lists the lines.

export interface Debug {
  /** Changes while the server runs (SIGHUP). */
  readonly on: boolean;
  /** @param fields no secret, and of a message its size at most */
  line(fields: object, message: string): void;
  /** Whether somebody traces this very device: then there are lines of it alone. */
  follows(pushId: string): boolean;
}

export const NO_DEBUG: Debug = { on: false, line: () => {}, follows: () => false };
