/** There at once where a memory answers, later where another machine does: the data path waits only where it must. */
export type Awaitable<T> = T | Promise<T>;

/** next(value), at once where the value is there. */
export function after<T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
