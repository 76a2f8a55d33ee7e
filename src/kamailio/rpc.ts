import { randomInt } from "node:crypto";
import { connect } from "node:net";
import { decodeAnswer, encodeCall } from "./binrpc.ts";

export type Called =
  | { readonly kind: "done" }
  /** Nobody is there, or may not be asked: the system's code, as in ENOENT. */
  | { readonly kind: "unreachable"; readonly code: string }
  /** code: Kamailio's; 0 where what came is no answer. */
  | { readonly kind: "refused"; readonly code: number };

/** Milliseconds. */
const patience = 5_000;

/** The table of kamailio/routes/secrets.cfg. secrets: newest first; none holds a line break. */
export const setChainSecrets = (socket: string, secrets: readonly string[]): Promise<Called> =>
  call(socket, "htable.sets", ["chain", "secrets", secrets.join("\n")]);

/** One call over the unix socket of Kamailio's `ctl`. Never rejects. */
function call(path: string, method: string, params: readonly string[]): Promise<Called> {
  const cookie = randomInt(2 ** 31);
  return new Promise((resolve) => {
    let come = Buffer.alloc(0);
    const socket = connect(path);
    const settle = (called: Called): void => {
      clearTimeout(late);
      socket.destroy();
      resolve(called);
    };
    const late = setTimeout(() => settle({ kind: "unreachable", code: "ETIMEDOUT" }), patience);
    socket.on("error", (error: NodeJS.ErrnoException) => settle({ kind: "unreachable", code: error.code ?? "" }));
    socket.on("close", () => settle({ kind: "unreachable", code: "ECONNRESET" }));
    socket.on("data", (bytes) => {
      come = Buffer.concat([come, bytes]);
      const answer = decodeAnswer(come, cookie);
      if (answer.kind === "answered") settle({ kind: "done" });
      else if (answer.kind !== "short") settle({ kind: "refused", code: answer.kind === "fault" ? answer.code : 0 });
    });
    socket.write(encodeCall(method, params, cookie));
  });
}
