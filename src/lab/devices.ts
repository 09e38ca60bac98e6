// One device per vendor, for those who have no phone at hand: each connects as an app's SDK does, says its token and leaves.

export interface LabDevice {
  readonly vendor: string;
  readonly platform: string;
  /** Of the token. */
  readonly type: string;
  readonly app: string;
  readonly token: string;
}

const TIMEOUT = 10_000;
/** Engine.IO 4 parts the packets of one body so. */
const SEPARATOR = "\x1e";

/** Resolves with the device's pushId once the server has stored it. Rejects when there is no such server. */
export async function register(server: string, { vendor, platform, type, app, token }: LabDevice): Promise<string> {
  const id = `lab-device-${vendor}`;
  const deadline = AbortSignal.timeout(TIMEOUT);
  let url = new URL("/socket.io/?EIO=4&transport=polling", server).href;
  const receive = async (): Promise<readonly string[]> => {
    const answer = await fetch(url, { signal: deadline });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${answer.status} ${text.slice(0, 100)}`);
    return text.split(SEPARATOR);
  };
  const send = async (...packets: readonly string[]): Promise<void> => {
    const answer = await fetch(url, { method: "POST", body: packets.join(SEPARATOR), signal: deadline });
    if (!answer.ok) throw new Error(`${answer.status} ${(await answer.text()).slice(0, 100)}`);
    await answer.arrayBuffer();
  };
  const [open = ""] = await receive();
  if (!open.startsWith("0{")) throw new Error("that is no Socket.IO server");
  const { sid } = JSON.parse(open.slice(1)) as { sid: string };
  url += `&sid=${encodeURIComponent(sid)}`;
  await send("40");
  await send(`42${JSON.stringify(["pushId", { id, platform, token: { type, token, package_name: app } }])}`);
  for (let stored = false; !stored; ) {
    const packets = await receive();
    if (packets.includes("2")) await send("3");
    stored = packets.some((packet) => packet.startsWith('42["pushId"'));
  }
  await send("1");
  return id;
}
