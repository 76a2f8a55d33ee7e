import type { FastifyRequest } from "fastify";
import { describe, expect, it } from "vitest";
import { ifMatch } from "../../../src/api/etag.ts";

const asked = (...values: readonly string[]): FastifyRequest =>
  ({ raw: { headersDistinct: values.length > 0 ? { "if-match": values } : {} } }) as unknown as FastifyRequest;

describe("If-Match (RFC 9110 section 13.1.1)", () => {
  it.each([
    [[], undefined],
    [["*"], undefined],
    [['"12"'], [12]],
    [['"12", "13"'], [12, 13]],
    [
      ['"12"', '"13"'],
      [12, 13],
    ],
    [['W/"12"'], []],
    [['W/"12" , "13"'], [13]],
    [['"another server\'s"'.replaceAll(" ", "-")], []],
    [['""'], []],
  ])("%j allows the revisions %j", (values, revisions) => {
    expect(ifMatch(asked(...values))).toEqual({ kind: "any", revisions });
  });

  it.each([["12"], ['"12'], ["*, *"], ['"12" "13"'], [""], [","], ["w/"]])("%j is malformed", (value) => {
    expect(ifMatch(asked(value))).toMatchObject({ kind: "refused", status: 400 });
  });
});
