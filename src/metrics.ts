// Every metric, named in one list. Whoever counts imports `metrics`; the API shows `metricsText()` at /metrics.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

const registry = new Registry();
const registers = [registry];

const counter = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
  new Counter<T>({ name: `pushbox_${name}`, help, labelNames, registers });
const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
  new Gauge<T>({ name: `pushbox_${name}`, help, labelNames, registers });
const histogram = <T extends string>(name: string, help: string, buckets: number[], labelNames: readonly T[] = []) =>
  new Histogram<T>({ name: `pushbox_${name}`, help, labelNames, buckets, registers });

const fast = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const sizes = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500];

/** Labels take few values, never an id, an address or a topic. */
export const metrics = {
  // gateway
  connections: gauge("connections", "Open client connections", ["transport"]),
  connectionsOpened: counter("connections_opened_total", "Client connections accepted", ["transport"]),
  connectionsRefused: counter("connections_refused_total", "Client connections refused", ["reason"]),
  connectionsClosed: counter("connections_closed_total", "Client connections closed", ["reason"]),
  sessions: gauge("sessions", "Connections that have said who they are", ["platform"]),
  subscriptions: gauge("subscriptions", "Subscriptions of connections to topics"),
  eventsReceived: counter("events_received_total", "Events from clients", ["event"]),
  eventsRefused: counter("events_refused_total", "Events from clients that were not understood or not allowed", [
    "reason",
  ]),
  packetsSent: counter("packets_sent_total", "Packets written to clients"),
  packetsReplayed: counter("packets_replayed_total", "Kept packets written to clients that came back"),

  // core and API
  pushes: counter("pushes_total", "Pushes accepted", ["target"]),
  notifications: counter("notifications_total", "Notifications accepted", ["target"]),
  requests: counter("http_requests_total", "API requests", ["route", "status"]),
  requestSeconds: histogram("http_request_seconds", "Time to answer an API request", fast, ["route"]),

  // engine
  storeSeconds: histogram("store_seconds", "Time of one transaction of the storage thread, commit included", fast),
  storeCalls: histogram("store_calls", "Calls that shared one transaction", sizes),
  storeWaiting: gauge("store_waiting", "Calls that wait for the storage thread"),
  storeErrors: counter("store_errors_total", "Calls the storage thread could not carry out", ["code"]),
  packetsKept: counter("packets_kept_total", "Packets kept for clients that are away"),
  devices: gauge("devices", "Devices stored"),
  notificationsWaiting: gauge(
    "notifications_waiting",
    "Notifications that are not yet expanded to all of their devices",
  ),

  // process
  build: gauge("build_info", "Always 1; the label says what runs", ["version"]),
} as const;

/** Memory, processor time, open files and delays of the event loop, once per process. */
export function measureProcess(): void {
  collectDefaultMetrics({ register: registry });
}

export const metricsType = registry.contentType;
export const metricsText = (): Promise<string> => registry.metrics();
