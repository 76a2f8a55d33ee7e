/** Milliseconds between looks at whether the last dialog under an ended token is over, or what it is good for. */
const lookAgain = 1_000;
const longestTimer = 2 ** 31 - 1;

export interface Watched {
  /** Milliseconds, 0 when the token has ended; undefined where the connection stands on another proof by now. */
  readonly left: () => number | undefined;
  readonly inDialog: () => boolean;
  readonly over: () => void;
  /** It may end before its time: with its conference. */
  readonly endsEarly?: boolean;
}

/** A connection that stands on its handshake's token is over with it, once no dialog is left. Returns how to stop looking. */
export function watchToken({ left, inDialog, over, endsEarly = false }: Watched): () => void {
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    const rest = left();
    if (rest === undefined) return;
    if (rest === 0 && !inDialog()) {
      over();
      return;
    }
    timer = setTimeout(look, rest === 0 || endsEarly ? lookAgain : Math.min(rest, longestTimer));
    timer.unref();
  };
  look();
  return () => clearTimeout(timer);
}
