/** What the column `state` of a delivery means. */
export const State = {
  sent: 0,
  queued: 1,
  leased: 2,
  held: 3,
  accepted: 4,
  gone: 5,
  refused: 6,
  expired: 7,
  cancelled: 8,
  /** In the log of the connection, for a device that was away. */
  kept: 9,
  /** There is nothing in it that the device could show: no text for Apple, no title for others. */
  lacksApn: 10,
  lacksTitle: 11,
} as const;

/** Of a delivery that has no lane. */
export type ConnectionState = (typeof State)["sent" | "kept" | "expired" | "lacksApn" | "lacksTitle"];

/** What a settlement may make of one that was claimed. */
export type SettledState = (typeof State)["accepted" | "gone" | "refused" | "expired" | "queued"];
