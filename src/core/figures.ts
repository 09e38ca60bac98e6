// What each figure means, in one sentence: the console shows it beside the figure, the API's description and the README say the same.

export const FIGURES = {
  accepted: "the vendor took it; it does not mean that the phone showed it",
  sent: "taken by vendors and by connections; it does not mean that anybody saw it",
  target:
    "devices that it was addressed to, way by way: each vendor, and the connection (android); one that has both counts once in each",
  arrived: "the device itself said that it has it; apps that do not report are not counted",
  clicked: "a person opened it, as the device said",
  arrivalRate:
    "arrived of target, way by way; of a call to everybody the connection's target is the connections in the topic noti at that time and those it was replayed to later, not all devices",
  clickRate: "clicked of arrived, way by way; not of target",
  queued: "deliveries made so far, also those that wait",
  waiting: "deliveries that are not settled yet",
  failed: "deliveries that ended without being taken: the token is dead, the vendor refused it, or its time passed",
  gone: "the vendor says that the token is dead: the app was removed, or has another token by now",
  refused: "the vendor did not take it, and trying again would not help",
  expired: "its time to live passed before anybody took it",
  skipped: "devices that could show nothing of it: no text for their kind",
  seen: "devices that were looked at",
  connections: "clients with an open connection, also those that have not said who they are yet",
  sessions: "connections that have said which device they are",
  packets: "messages written to connections; one to a thousand subscribers counts a thousand times",
  apiCalls: "calls of the HTTP API that were answered",
  apiErrors: "calls of the HTTP API that were answered with an error",
  depth: "deliveries of this lane that are not settled yet",
  oldest: "for how long the first of those that wait has waited",
  quota:
    "what the vendor's last answer of today said of the day's quota, by the vendor's own count; absent: it has said nothing today, as most never do",
  rate: "accepted per second, over the last 10 seconds",
  online: "connections that it was handed to; 0: nobody was there",
  everybody:
    "of a call to everybody: vendors' tokens, and the connections in the topic of everybody; a device that has both counts once for each",
} as const satisfies Readonly<Record<string, string>>;

export type Figure = keyof typeof FIGURES;
