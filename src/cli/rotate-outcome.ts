export type Outcome = { readonly kind: "done" } | { readonly kind: "failed"; readonly sentence: string };

export const done: Outcome = { kind: "done" };

/** Milliseconds: a Kamailio or a gateway that is restarted meanwhile is there again. */
const patience = 15_000;
const pause = 200;

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Asks again until the answer is enough, or patience is over; the last answer. */
export async function until<T>(ask: () => Promise<T>, enough: (answer: T) => boolean): Promise<T> {
  const end = performance.now() + patience;
  for (;;) {
    const answer = await ask();
    if (enough(answer) || performance.now() > end) return answer;
    await sleep(pause);
  }
}
