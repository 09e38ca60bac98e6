// Names of topics.

const RESERVED = "uid:";

/** What a caller or client is told whose topic has such a name. */
export const RESERVED_TOPIC = `the name of a topic may not begin with "${RESERVED}"`;

/** Whether nobody may join it: the server that this one succeeds kept users' channels there (D1). */
export const isReservedTopic = (topic: string): boolean => topic.startsWith(RESERVED);
