import { afterEach, describe, expect, it, vi } from "vitest";
import { say } from "../../../src/cli/outcome.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

function said(words: string): string {
  const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  say(words);
  return String(write.mock.calls[0]?.[0]);
}

describe("words on stderr", () => {
  it("hold nothing that a terminal obeys, whoever wrote them", () => {
    expect(said("failed: 403 \x1b]0;owned\x07 \x9b31m\x7f \u202ebob")).toBe("failed: 403 ?]0;owned? ?31m? ?bob\n");
  });

  it("twin: lines, tabs and letters stay", () => {
    expect(said("one\n\ttwo \u00e9 \u65e5")).toBe("one\n\ttwo \u00e9 \u65e5\n");
  });
});
