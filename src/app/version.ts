// The version of pushbox, as in package.json.
export const version = "0.6.2";
