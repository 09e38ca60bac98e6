/** Makes an executable of `entry` whose worker is `thread`; paths are seen from the project's root. */
export function pack(options: {
  readonly entry: string;
  readonly thread: string;
  readonly target: string;
  readonly out: string;
}): Promise<{ readonly file: string; readonly bytes: number }>;
