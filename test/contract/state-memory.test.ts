import { MemoryState } from "../../src/state/memory.ts";
import { describeState } from "./state.ts";

const size = 20;
const sizes = { jti: size, management: size, calls: size, replies: size, failures: size, bans: size };

describeState(
  "memory",
  async () => {
    let now = 1_700_000_000_000;
    const clock = { now: () => now };
    return {
      state: new MemoryState(clock, sizes),
      now: clock.now,
      forward: (ms) => {
        now += ms;
      },
    };
  },
  size,
);
