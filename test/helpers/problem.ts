import { expect } from "vitest";

/** The problem (RFC 9457) that a raw HTTP answer is; its status is that of the start line. */
export function problemOf(answer: string): Record<string, unknown> {
  const [head = "", body = ""] = answer.split("\r\n\r\n", 2);
  expect(head).toMatch(/^content-type: application\/problem\+json\r?$/im);
  const problem = JSON.parse(body) as Record<string, unknown>;
  expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${problem.status} ${problem.title}\\r\\n`));
  return problem;
}
