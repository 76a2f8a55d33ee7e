/** Milliseconds after which nothing is expected to come any more, however busy the machine is. */
export const patience = 30_000;

/** Undefined where it takes longer. deadline: milliseconds. */
export function within<T>(promise: Promise<T>, deadline = patience): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, deadline, undefined);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
