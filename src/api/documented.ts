import { managementRoutes } from "./documented-management.ts";
import { type DocumentedRoute, everywhere, json, problem, problems } from "./documented-route.ts";

const privateRoutes: readonly DocumentedRoute[] = [
  {
    ...{ port: "private", method: "get", path: "/livez", summary: "The process lives" },
    answers: { 200: { [json]: "Health" }, ...problems(403) },
  },
  {
    ...{ port: "private", method: "get", path: "/readyz", summary: "It takes calls" },
    answers: { 200: { [json]: "Health" }, ...problems(403, 503) },
  },
  {
    ...{ port: "private", method: "get", path: "/metrics", summary: "For Prometheus" },
    answers: { 200: { "text/plain; version=0.0.4; charset=utf-8": "Metrics" }, ...problems(403) },
  },
  {
    ...{ port: "private", method: "get", path: "/openapi.json", summary: "This document" },
    answers: { 200: { [json]: "OpenApi" }, ...problems(403) },
  },
  {
    ...{ port: "private", method: "get", path: "/v1/inbound", summary: "Kamailio asks who gets a call from a trunk" },
    query: { source: "IP address that the call came from", number: "number called" },
    answers: { 200: { [json]: "Delivery" }, ...problems(400, 403, 404, 503) },
  },
  {
    ...{ port: "private", method: "get", path: "/v1/ladder", summary: "The last messages of a call" },
    query: { callId: "its Call-ID" },
    answers: { 200: { [json]: "Ladder" }, ...problems(400, 403, 404) },
  },
  ...managementRoutes,
];

const publicRoutes: readonly DocumentedRoute[] = [
  {
    ...{ port: "public", method: "get", path: "/healthz", summary: "The gateway answers" },
    answers: { 200: { [json]: "Health" }, ...problems() },
  },
  {
    ...{ port: "public", method: "get", path: "/.well-known/jwks.json" },
    summary: "The public keys of what the gateway signs: RFC 7517",
    answers: { 200: { "application/jwk-set+json": "JwkSet" }, ...problems() },
  },
  {
    ...{
      port: "public",
      method: "post",
      path: "/v1/exchange",
      summary: "A customer's credential or JWT for one of ours",
    },
    body: { [json]: "ExchangeRequest" },
    credentials: ["bearer", "body"],
    answers: { 200: { [json]: "Exchanged" }, ...problems(400, 401, 403, 404, 413, 429, 503) },
  },
  {
    ...{ port: "public", method: "post", path: "/v1/data-tokens" },
    summary: "An application's token for a data token: the application is asked what its visitor may do",
    body: { [json]: "DataTokenRequest" },
    answers: {
      ...{ 200: { [json]: "DataToken" }, ...problems(400, 401, 413, 429, 503) },
      403: { "application/problem+json": "ApplicationProblem" },
    },
  },
  {
    ...{ port: "public", method: "get", path: "/rest/authentication/createToken" },
    summary: "The same in Voxbone's published form",
    query: {
      username: "a customer's id, or user@domain",
      key: "base64 of HMAC-SHA1(secret, <expires>:<username>)",
      expires: "Unix seconds",
      "jsonp?": "name of a function: the answer is a script then, refused or not",
      "_?": "ignored",
    },
    answers: {
      200: { [json]: "PageData", "application/javascript; charset=utf-8": "PageScript" },
      ...problems(400, 401, 403, 404, 429, 503),
    },
  },
  {
    ...{
      port: "public",
      method: "post",
      path: "/authenticate",
      summary: "callstats.io's exchange: a JWT for an access token",
    },
    body: { "application/x-www-form-urlencoded": "AuthenticateRequest" },
    answers: {
      200: { [json]: "AccessToken" },
      ...Object.fromEntries(everywhere.map((status) => [status, problem])),
      ...Object.fromEntries([400, 401, 422, 500, 503].map((status) => [status, { [json]: "AuthenticateError" }])),
    },
  },
  {
    ...{ port: "public", method: "post", path: "/v1/events", summary: "What happened in a conference" },
    body: { [json]: "EventsRequest", "text/plain": "EventsRequest" },
    credentials: ["bearer", "body"],
    answers: { 202: { [json]: "ReportsTaken" }, ...problems(400, 401, 403, 413, 429, 503) },
  },
  {
    ...{
      port: "public",
      method: "post",
      path: "/v1/stats",
      summary: "How a conference is heard: reports of getStats()",
    },
    body: { [json]: "StatsRequest", "text/plain": "StatsRequest" },
    credentials: ["bearer", "body"],
    answers: { 202: { [json]: "ReportsTaken" }, ...problems(400, 401, 403, 413, 429, 503) },
  },
];

/** Every route of both ports; HEAD goes with GET, and pages' preflights answer for themselves. */
export const documentedRoutes: readonly DocumentedRoute[] = [...privateRoutes, ...publicRoutes];
