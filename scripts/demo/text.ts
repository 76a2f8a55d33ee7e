import { renderLadder } from "../../src/client/ladder.ts";
import { parties, type Row } from "./row.ts";

/** The ladder and under it each message, fit for a mail or an issue. */
export function ladderText(rows: readonly Row[]): string {
  const start = rows[0]?.at ?? 0;
  const drawn = renderLadder(
    rows.map(({ verdict, ...row }) => ({ ...row, ...(verdict && { verdict: verdict.code }) })),
    parties,
  );
  return `${[drawn, ...rows.map((row) => whole(row, start))].join("\n\n")}\n`;
}

function whole({ at, from, to, message, verdict, grant }: Row, start: number): string {
  const lines = [`--- ${((at - start) / 1000).toFixed(3)} s, ${from} to ${to}`];
  if (verdict) {
    const { code, sentence, customer, secret, secondsLeft } = verdict;
    const proof = customer === undefined ? [] : [`customer ${customer}`, `secret ${secret}`, `${secondsLeft} s left`];
    lines.push(`    verdict: ${[code, sentence, ...proof].filter(Boolean).join(", ")}`);
  }
  if (grant) {
    const fields = Object.entries(grant.fields).map(([name, value]) => `${name}=${value}`);
    lines.push(`    grant: ${[grant.user, `${grant.secondsLeft} s left`, ...fields].join(", ")}`);
  }
  return [...lines, message.replaceAll("\r\n", "\n").replace(unseen, "?").trimEnd()].join("\n");
}

/** What a terminal would obey, or read in another order. */
const unseen = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
