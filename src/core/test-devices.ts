// Port: devices that somebody tries things out on, before a message goes to others.
import type { PushId } from "./device.ts";

/** Kept at once. */
export const MOST_TEST_DEVICES = 1000;

interface TestDevice {
  readonly pushId: PushId;
  /** Whose it is, what it is. */
  readonly note: string;
  /** Who marked it: the name of a key or a user; absent: keys have no names here. */
  readonly who?: string;
  readonly at: number;
}

export interface TestDevices {
  /** One that is marked already is marked anew. Rejects with `PushError("conflict")` when there are as many as may be. */
  add(device: TestDevice): Promise<void>;
  /** @returns whether it was one */
  remove(pushId: PushId): Promise<boolean>;
  /** In the order in which they were marked. */
  list(): Promise<readonly TestDevice[]>;
}
