// The number under which a phone shows a notification: a second one with the same number replaces the first.

/** h·31 + code unit in 32-bit arithmetic, absolute value: what SDKs and backends of socket.io-push compute from the same id. */
export function notifyId(id: string): number {
  let hash = 0;
  for (let i = 0; i < id.length; i++) hash = (Math.imul(hash, 31) + id.charCodeAt(i)) | 0;
  // Of all hashes only -2^31 has no positive counterpart in 31 bits, and vendors allow no more.
  return Math.min(Math.abs(hash), 0x7fffffff);
}
