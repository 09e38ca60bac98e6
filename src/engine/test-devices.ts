// Test devices, of the store's calls.
import type { PushId } from "../core/device.ts";
import { PushError } from "../core/errors.ts";
import { MOST_TEST_DEVICES, type TestDevices } from "../core/test-devices.ts";
import type { Calls } from "./calls.ts";

export const localTestDevices = (queue: Calls): TestDevices => ({
  async add({ pushId, note, who, at }) {
    if (!(await queue.call("addTestDevice", [pushId, note, who ?? null, at, MOST_TEST_DEVICES])))
      throw new PushError(
        "conflict",
        `there are ${MOST_TEST_DEVICES} test devices: remove one before another is added`,
      );
  },
  remove: (pushId) => queue.call("removeTestDevice", [pushId]),
  async list() {
    const rows = await queue.call("listTestDevices", [], MOST_TEST_DEVICES);
    return rows.map(({ push_id, who, ...row }) => ({
      pushId: push_id as PushId,
      ...row,
      ...(who === null ? {} : { who }),
    }));
  },
});
