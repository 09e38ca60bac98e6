// The table of endpoints, a file for each resource: what an endpoint is for, which parameters it takes, what it answers. Calls are
// checked by it, and the description of the API (../openapi.ts) is made of it, so neither can say what the other does not. Who
// answers is said in ../routes.ts.
import { APN_ENDPOINTS } from "./apn.ts";
import { AUDIT_ENDPOINTS } from "./audit.ts";
import { AUTH_ENDPOINTS } from "./auth.ts";
import { CONFIG_ENDPOINTS } from "./config.ts";
import { CONNECTION_ENDPOINTS } from "./connection.ts";
import { DELIVERY_ENDPOINTS } from "./delivery.ts";
import { DEVICE_ENDPOINTS } from "./device.ts";
import { EVENT_ENDPOINTS } from "./event.ts";
import { HOOK_ENDPOINTS } from "./hook.ts";
import { JOB_ENDPOINTS } from "./job.ts";
import { LANE_ENDPOINTS } from "./lane.ts";
import { LIVE_ENDPOINTS } from "./live.ts";
import { NODE_ENDPOINTS } from "./node.ts";
import { NOTIFICATION_ENDPOINTS } from "./notification.ts";
import { PUSH_ENDPOINTS } from "./push.ts";
import { REACH_ENDPOINTS } from "./reach.ts";
import { SEARCH_ENDPOINTS } from "./search.ts";
import { SERVER_ENDPOINTS } from "./server.ts";
import { STATS_ENDPOINTS } from "./stats.ts";
import { TOPIC_ENDPOINTS } from "./topic.ts";
import { TRACE_ENDPOINTS } from "./trace.ts";
import { UID_ENDPOINTS } from "./uid.ts";

export const ENDPOINTS = {
  ...PUSH_ENDPOINTS,
  ...NOTIFICATION_ENDPOINTS,
  ...REACH_ENDPOINTS,
  ...JOB_ENDPOINTS,
  ...DELIVERY_ENDPOINTS,
  ...LANE_ENDPOINTS,
  ...HOOK_ENDPOINTS,
  ...EVENT_ENDPOINTS,
  ...UID_ENDPOINTS,
  ...AUTH_ENDPOINTS,
  ...DEVICE_ENDPOINTS,
  ...TOPIC_ENDPOINTS,
  ...LIVE_ENDPOINTS,
  ...CONNECTION_ENDPOINTS,
  ...TRACE_ENDPOINTS,
  ...SEARCH_ENDPOINTS,
  ...STATS_ENDPOINTS,
  ...NODE_ENDPOINTS,
  ...APN_ENDPOINTS,
  ...CONFIG_ENDPOINTS,
  ...AUDIT_ENDPOINTS,
  ...SERVER_ENDPOINTS,
} as const;

export type Path = keyof typeof ENDPOINTS;
