import { STATUS_CODES } from "node:http";
import { z } from "zod";
import { documentedRoutes } from "./documented.ts";
import type { DocumentedRoute } from "./documented-route.ts";
import { type SchemaName, schemas } from "./schemas.ts";

type Json = Readonly<Record<string, unknown>>;

/** The HTTP of both ports as OpenAPI 3.1 describes it. version: of Postern. */
export function openApi(version: string): Json {
  return {
    openapi: "3.1.1",
    info: { title: "Postern", version, description: "Private (admin.listen) and public (gateway.listen) HTTP." },
    servers: [{ url: "/", description: "admin.listen" }],
    tags: [{ name: "private" }, { name: "public" }],
    paths: paths(documentedRoutes),
    components: { securitySchemes, schemas: jsonSchemas() },
  };
}

const securitySchemes = {
  opentok: { type: "apiKey", in: "header", name: "X-OPENTOK-AUTH", description: "a JWT, without a scheme word" },
  bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
};

const publicServers = [
  { url: "https://{gateway}", description: "gateway.listen", variables: { gateway: { default: "localhost:8443" } } },
];

function paths(routes: readonly DocumentedRoute[]): Json {
  const all: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = all[route.path] ?? (route.port === "public" ? { servers: publicServers } : {});
    all[route.path] = { ...path, [route.method]: operation(route) };
  }
  return all;
}

function operation({
  port,
  path,
  summary,
  query = {},
  headers = {},
  body,
  credentials,
  answers,
}: DocumentedRoute): Json {
  return {
    tags: [port],
    summary,
    parameters: [
      ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => parameter("path")([name, "its id"])),
      ...Object.entries(query).map(parameter("query")),
      ...Object.entries(headers).map(parameter("header")),
    ],
    ...(body && { requestBody: { content: content(body) } }),
    ...(credentials && { security: credentials.map((name) => (name === "body" ? {} : { [name]: [] })) }),
    responses: Object.fromEntries(
      Object.entries(answers).map(([status, answer]) => [
        status,
        {
          description: STATUS_CODES[status] ?? status,
          ...(Object.keys(answer).length > 0 && { content: content(answer) }),
        },
      ]),
    ),
  };
}

const parameter =
  (place: "path" | "query" | "header") =>
  ([name, description]: readonly [string, string]): Json => ({
    in: place,
    name: name.replace("?", ""),
    ...(description && { description }),
    required: !name.endsWith("?"),
    schema: { type: "string" },
  });

/** A content type stands here as in the header, but without parameters (OpenAPI 3.1 §4.8.14). */
const content = (byType: Readonly<Record<string, SchemaName>>): Json =>
  Object.fromEntries(
    Object.entries(byType).map(([type, name]) => [
      type.split(";", 1)[0],
      { schema: { $ref: `#/components/schemas/${name}` } },
    ]),
  );

function jsonSchemas(): Json {
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => {
      const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "output" });
      return [name, rest];
    }),
  );
}
