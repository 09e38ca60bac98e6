// The API described as OpenAPI 3.1, made of the table that calls are checked by.
import type { Language } from "../core/language.ts";
import { inChinese } from "./chinese.ts";
import { ENDPOINTS } from "./endpoints/index.ts";
import { list, object, type Schema, text, yes } from "./endpoints/schema.ts";
import type { EndpointSpec } from "./endpoints/spec.ts";

const ERROR = object({
  code: { type: "string", const: "error" },
  message: text(),
  "hint?": text("what a caller can do about it, where the message keeps its old words"),
  "requestId?": text("by which the call is found in the server's log"),
  "warnings?": list(text()),
});

const json = (schema: Schema): Schema => ({ "application/json": { schema } });
const failed = (description: string): Schema => ({
  description,
  content: json({ $ref: "#/components/schemas/Error" }),
});

const RESPONSES = {
  "400": failed("A mistake in the call; nothing was changed"),
  "401": failed("No valid key, or not the right to do this"),
  "503": failed("Cannot be done now; the same call may succeed later"),
  default: failed("Anything else that is wrong, by its status: 403, 404, 409, 413, 500"),
};

/**
 * @param version of the program
 * @param language of what things are for; what has no Chinese text stays English
 */
export function openApi(version: string, language: Language = "en"): Schema {
  const description = inEnglish(version);
  return language === "zh" ? (translated(description, (text) => inChinese(text) ?? text) as Schema) : description;
}

/** A copy whose texts for people are others. @param say what is said instead */
export function translated(value: unknown, say: (text: string) => string): unknown {
  if (Array.isArray(value)) return value.map((one) => translated(one, say));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      name,
      typeof one === "string" && (name === "description" || name === "summary") ? say(one) : translated(one, say),
    ]),
  );
}

function inEnglish(version: string): Schema {
  const specs: readonly (readonly [string, EndpointSpec])[] = Object.entries(ENDPOINTS);
  return {
    openapi: "3.1.0",
    info: {
      title: "pushbox",
      version,
      summary: "Push to connected clients, and notifications by the vendors' services.",
      description:
        "Any method runs an endpoint, save OPTIONS. Parameters are one flat set: those of the body (a form or a JSON object) first, " +
        "then those of the query, which win. Callers look at `code`: success or error.",
    },
    servers: [{ url: "/" }],
    security: [{ bearer: [] }, { apiKey: [] }, {}],
    paths: Object.fromEntries(
      specs.map(([path, spec]) => [`/api${path.replace(/:(\w+)/, "{$1}")}`, operations(path, spec)]),
    ),
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "one of api.keys" },
        apiKey: { type: "apiKey", in: "header", name: "X-Api-Key", description: "one of api.keys" },
      },
      schemas: { Error: ERROR },
    },
  };
}

function operations(
  path: string,
  { about, access, takes, answers: own, surveys, repeatable, resumable, media, csv }: EndpointSpec,
): Schema {
  const name = path
    .slice(1)
    .replace(/\/:\w+$/, "")
    .replace(/[/.](\w)/g, (_, letter: string) => letter.toUpperCase());
  const answers = surveys === true ? withSilent(own) : own;
  const free = /:(\w+)/.exec(path)?.[1];
  const parameters = [
    ...(free === undefined ? [] : [{ name: free, in: "path", required: true, schema: { type: "string" } }]),
    ...(repeatable === true
      ? [
          {
            name: "Idempotency-Key",
            in: "header",
            schema: { type: "string" },
            description: "the same as idempotencyKey",
          },
        ]
      : []),
    ...(resumable === true
      ? [
          {
            name: "Last-Event-ID",
            in: "header",
            schema: { type: "string" },
            description: "the last event that was read",
          },
        ]
      : []),
  ];
  const responses = {
    "200": {
      description: "Done",
      content: {
        [media ?? "application/json"]: { schema: answers },
        ...(csv === true ? { "text/csv": { schema: text() } } : {}),
      },
    },
    ...RESPONSES,
  };
  const query = Object.entries(takes).map(([parameter, { description, ...schema }]) => ({
    name: parameter,
    in: "query",
    ...(description === undefined ? {} : { description }),
    schema,
  }));
  const body = { type: "object", properties: takes };
  return {
    summary: about,
    // Of a call that may reach many or few: the least of them that changes something.
    "x-access": typeof access === "function" ? "change" : access,
    parameters,
    get: { operationId: name, parameters: query, responses },
    post: {
      operationId: `${name}Post`,
      ...(query.length === 0
        ? {}
        : { requestBody: { content: { ...json(body), "application/x-www-form-urlencoded": { schema: body } } } }),
      responses,
    },
  };
}

/** Where several nodes are asked. */
function withSilent(answers: Schema): Schema {
  const { properties } = answers;
  if (typeof properties !== "object" || properties === null) return answers;
  return {
    ...answers,
    properties: {
      partial: yes("a node has not answered in time: this is what the others know"),
      ...properties,
      silent: list(text(), "the names of the nodes that have not answered in time"),
    },
  };
}
