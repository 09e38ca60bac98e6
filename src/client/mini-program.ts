// Mini programs (WeChat `wx`, uni-app `uni`): their sockets and storage as the client wants them.
//   new PushClient(url, miniProgram(wx))
import type { Options, Socket, Watcher } from "./api.ts";

/** What is used of `wx` or `uni`. */
interface MiniProgram {
  connectSocket(options: { url: string; fail(): void }): MiniSocket;
  getStorageSync(key: string): unknown;
  setStorageSync(key: string, value: string): void;
  onAppShow?(act: () => void): void;
  onAppHide?(act: () => void): void;
  offAppShow?(act: () => void): void;
  offAppHide?(act: () => void): void;
  onNetworkStatusChange?(act: (status: { readonly isConnected: boolean }) => void): void;
}

interface MiniSocket {
  onMessage(act: (event: { readonly data: unknown }) => void): void;
  onClose(act: () => void): void;
  onError(act: () => void): void;
  send(message: { data: string; fail(): void }): void;
  close(options: { fail(): void }): void;
}

/** Options to which others may be added. */
export function miniProgram(api: MiniProgram): Options {
  /** Called with `new`: what it returns is the socket. */
  function MiniSocket(url: string): Socket {
    const socket: Socket = {
      onmessage: null,
      onclose: null,
      onerror: null,
      send: (data) => task.send({ data, fail }),
      close: () => task.close({ fail() {} }),
    };
    // No connection more than the platform allows, or one that it has ended unheard: often no other callback tells of it.
    const fail = (): void => void Promise.resolve().then(() => socket.onerror?.(undefined as never));
    // With a callback uni-app returns the socket, not a promise.
    const task = api.connectSocket({ url, fail });
    task.onMessage((event) => socket.onmessage?.(event as never));
    task.onClose(() => socket.onclose?.(undefined as never));
    task.onError(() => socket.onerror?.(undefined as never));
    return socket;
  }

  return {
    platform: "miniprogram",
    transports: ["websocket"],
    WebSocket: MiniSocket as unknown as NonNullable<Options["WebSocket"]>,
    storage: {
      getItem: (key) => String(api.getStorageSync(key) || "{}"),
      setItem: (key, value) => api.setStorageSync(key, value),
    },
    watch({ look, lost, background, foreground }: Watcher) {
      let watching = true;
      api.onAppShow?.(foreground);
      api.onAppHide?.(background);
      api.onNetworkStatusChange?.(({ isConnected }) => {
        if (watching) (isConnected ? look : lost)();
      });
      return () => {
        watching = false;
        api.offAppShow?.(foreground);
        api.offAppHide?.(background);
      };
    },
  };
}
