import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { refuse } from "../../../src/core/errors.ts";
import { Ending, type EndingParts } from "../../../src/gateway/ending.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("who was told to go", () => {
  it.each([
    ["by a verdict", (ending: Ending) => ending.close(refuse("rate-limited", "go")), 4429],
    ["for a fault of ours", (ending: Ending) => ending.fail(), 1011],
  ])("has two seconds to answer the close, and is cut off then: %s", (_, end, code) => {
    const socket = { close: vi.fn(), terminate: vi.fn() };
    const parts = { socket, answers: { closed: () => undefined }, clear: () => undefined };
    end(new Ending(parts as unknown as EndingParts));
    expect(socket.close).toHaveBeenCalledExactlyOnceWith(code, expect.any(String));
    vi.advanceTimersByTime(1_999);
    expect(socket.terminate).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(socket.terminate).toHaveBeenCalledOnce();
  });
});
