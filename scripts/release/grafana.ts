// The dashboard for Grafana: made of this list, each of whose queries a test holds against the metrics that a server has.

interface Panel {
  readonly title: string;
  /** As Grafana calls it. */
  readonly unit: string;
  /** PromQL, and what a curve is called. */
  readonly queries: readonly (readonly [expression: string, legend: string])[];
  readonly about?: string;
}

const RATE = "[$__rate_interval]";
const OF = 'job=~"$job", instance=~"$instance"';

/** A counter per second, summed by labels. */
const perSecond = (name: string, ...by: readonly string[]): string =>
  `sum${by.length === 0 ? "" : ` by (${by.join(", ")})`} (rate(pushbox_${name}{${OF}}${RATE}))`;
const sum = (name: string, ...by: readonly string[]): string =>
  `sum${by.length === 0 ? "" : ` by (${by.join(", ")})`} (pushbox_${name}{${OF}})`;
const most = (name: string, ...by: readonly string[]): string => `max by (${by.join(", ")}) (pushbox_${name}{${OF}})`;
const quantile = (of: number, name: string): string =>
  `histogram_quantile(${of}, sum by (le) (rate(pushbox_${name}_bucket{${OF}}${RATE})))`;

export const ROWS: Readonly<Record<string, readonly Panel[]>> = {
  Clients: [
    {
      title: "Connections",
      unit: "short",
      queries: [
        [sum("connections"), "open"],
        [sum("sessions"), "registered"],
        [sum("platform_sessions", "platform"), "{{platform}}"],
      ],
    },
    {
      title: "Connections of each process",
      unit: "short",
      queries: [[sum("connections", "instance", "node"), "{{node}} {{instance}}"]],
    },
    {
      title: "Opened and closed",
      unit: "cps",
      queries: [
        [perSecond("connections_opened_total"), "opened"],
        [perSecond("connections_closed_total", "reason"), "closed: {{reason}}"],
        [perSecond("connections_refused_total", "reason"), "refused: {{reason}}"],
      ],
    },
    {
      title: "Messages to clients",
      unit: "cps",
      queries: [
        [perSecond("packets_sent_total"), "sent"],
        [perSecond("packets_left_out_total", "reason"), "left out: {{reason}}"],
        [perSecond("events_refused_total", "code"), "refused of clients: {{code}}"],
      ],
    },
  ],
  API: [
    { title: "Calls", unit: "reqps", queries: [[perSecond("api_calls_total", "route"), "{{route}}"]] },
    { title: "Errors", unit: "reqps", queries: [[perSecond("api_errors_total", "status"), "{{status}}"]] },
    {
      title: "Time of a call",
      unit: "s",
      queries: [
        [quantile(0.5, "api_request_seconds"), "half"],
        [quantile(0.99, "api_request_seconds"), "99%"],
      ],
    },
  ],
  Vendors: [
    {
      title: "Waiting",
      unit: "short",
      queries: [
        [sum("lane_depth", "provider", "app"), "{{provider}} {{app}}"],
        [sum("lane_in_flight", "provider"), "at {{provider}}"],
      ],
    },
    {
      title: "Deliveries",
      unit: "cps",
      about: "accepted: the vendor took it; it does not mean that the phone showed it",
      queries: [[perSecond("deliveries_total", "provider", "outcome"), "{{provider}} {{outcome}}"]],
    },
    {
      title: "The first has waited",
      unit: "s",
      queries: [[most("lane_oldest_seconds", "provider", "app"), "{{provider}} {{app}}"]],
    },
    {
      title: "Stopped or paused",
      unit: "short",
      queries: [
        [
          `sum by (provider, app, state) (pushbox_lane_state{${OF}, state=~"stopped|paused"})`,
          "{{provider}} {{app}} {{state}}",
        ],
      ],
    },
  ],
  Backend: [
    { title: "Events waiting", unit: "short", queries: [[sum("hook_waiting", "hook"), "{{hook}}"]] },
    {
      title: "The first event has waited",
      unit: "s",
      queries: [[most("hook_oldest_seconds", "hook"), "{{hook}}"]],
    },
    {
      title: "Requests",
      unit: "reqps",
      queries: [
        [perSecond("hook_requests_total", "hook", "result"), "{{hook}} {{result}}"],
        [perSecond("questions_total", "question", "result"), "{{question}} {{result}}"],
      ],
    },
  ],
  Server: [
    {
      title: "Transactions of the store",
      unit: "s",
      queries: [
        [quantile(0.5, "store_transaction_seconds"), "half"],
        [quantile(0.99, "store_transaction_seconds"), "99%"],
      ],
    },
    {
      title: "Size of the store",
      unit: "bytes",
      queries: [
        [sum("store_bytes"), "database"],
        [sum("store_log_bytes"), "log"],
      ],
    },
    {
      title: "Memory",
      unit: "bytes",
      queries: [[`process_resident_memory_bytes{${OF}}`, "{{node}} {{instance}}"]],
    },
    {
      title: "Processor and turns of the loop",
      unit: "s",
      queries: [
        [`rate(process_cpu_seconds_total{${OF}}${RATE})`, "processor {{node}} {{instance}}"],
        [`nodejs_eventloop_lag_p99_seconds{${OF}}`, "99% of turns {{node}} {{instance}}"],
      ],
    },
    {
      title: "Certificates expire in",
      unit: "s",
      queries: [[`pushbox_certificate_expiry_timestamp_seconds{${OF}} - time()`, "{{port}} {{node}} {{instance}}"]],
    },
    { title: "Devices", unit: "short", queries: [[most("devices", "job"), "{{job}}"]] },
    {
      title: "Processes",
      unit: "short",
      queries: [[`count by (job, version) (pushbox_build_info{${OF}})`, "{{job}} {{version}}"]],
    },
  ],
};

const SOURCE = { type: "prometheus", uid: "$datasource" };
const WIDTH = 24;
const HEIGHT = 8;

/** JSON, for Grafana's import. */
export function dashboard(version: string): string {
  const panels: object[] = [];
  let y = 0;
  for (const [title, row] of Object.entries(ROWS)) {
    panels.push({
      id: panels.length + 1,
      type: "row",
      title,
      collapsed: false,
      gridPos: { x: 0, y: y++, w: WIDTH, h: 1 },
    });
    const perLine = Math.min(3, row.length);
    for (const [at, { title: name, unit, queries, about }] of row.entries())
      panels.push({
        id: panels.length + 1,
        type: "timeseries",
        title: name,
        ...(about === undefined ? {} : { description: about }),
        datasource: SOURCE,
        gridPos: {
          x: (at % perLine) * (WIDTH / perLine),
          y: y + Math.floor(at / perLine) * HEIGHT,
          w: WIDTH / perLine,
          h: HEIGHT,
        },
        fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
        options: { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi", sort: "desc" } },
        targets: queries.map(([expr, legendFormat], index) => ({
          refId: String.fromCharCode(65 + index),
          datasource: SOURCE,
          expr,
          legendFormat,
        })),
      });
    y += Math.ceil(row.length / perLine) * HEIGHT;
  }
  const variable = (name: string, query: string): object => ({
    ...{ name, type: "query", datasource: SOURCE, query, refresh: 2, includeAll: true, multi: true },
    current: { text: "All", value: "$__all" },
  });
  return `${JSON.stringify(
    {
      uid: "pushbox",
      title: "pushbox",
      description: `Made of the metrics of pushbox ${version}.`,
      tags: ["pushbox"],
      schemaVersion: 39,
      timezone: "",
      refresh: "30s",
      time: { from: "now-6h", to: "now" },
      templating: {
        list: [
          { name: "datasource", type: "datasource", query: "prometheus" },
          variable("job", "label_values(pushbox_build_info, job)"),
          variable("instance", 'label_values(pushbox_build_info{job=~"$job"}, instance)'),
        ],
      },
      panels,
    },
    undefined,
    2,
  )}\n`;
}
