// Why a delivery was not made, where no vendor said so: kept with it, and told to callers as it stands here.

export const EXPIRED = "its time to live passed in the queue";
export const QUIET = "its time to live ends within its quiet hours";
export const NOT_KEPT = "the device was away, and without timeToLive nothing is kept for it";
export const NOT_BACK = "the device did not come back within its time to live";
export const PUSHED_OUT =
  "no longer kept: newer messages took its place before the device came back, or the device was deleted";
export const NO_ALERT = "nothing to show on Apple's devices: apn.alert is missing";
export const NO_TITLE = "nothing to show there: android.title is missing";
