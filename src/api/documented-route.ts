import type { SchemaName } from "./schemas.ts";

/** What a status is answered with, by content type as it stands in the header; none: without a body. */
export type Answer = Readonly<Record<string, SchemaName>>;

export interface DocumentedRoute {
  /** private: admin.listen; public: gateway.listen. */
  readonly port: "private" | "public";
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  /** With `{id}` where a name stands. */
  readonly path: string;
  readonly summary: string;
  /** Name and meaning. A `?` at the end of a name: it may be left out. */
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Answer;
  /** Request header fields beside the credentials, name and meaning. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Any one of these; absent: no header says who asks. body: what proves it may stand there instead. */
  readonly credentials?: readonly ("opentok" | "bearer" | "body")[];
  readonly answers: Readonly<Record<number, Answer>>;
}

export const json = "application/json";
export const problem: Answer = { "application/problem+json": "Problem" };
/** A Content-Encoding and a header that is too long are refused before any route. */
export const everywhere = [415, 431] as const;
export const problems = (...statuses: readonly number[]): Record<number, Answer> =>
  Object.fromEntries([...statuses, ...everywhere, 500].map((status) => [status, problem]));
