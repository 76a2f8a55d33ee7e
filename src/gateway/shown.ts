import type { Contact } from "../sip/request.ts";

const maxShown = 32;

/** The Contacts that a client has shown, bounded: what it said it can be reached at. */
export class Shown {
  /** `user@host` and hosts, newest last. */
  readonly #entries = new Set<string>();
  /** The Contact URI whose entries are the newest of them. */
  #newest = "";

  add(contacts: "*" | readonly Contact[]): void {
    if (contacts === "*") return;
    for (const { uri, address } of contacts) {
      if (address.uri === this.#newest) continue;
      this.#newest = address.uri;
      this.#remember(hostEntry(uri.host));
      this.#remember(`${uri.user ?? ""}@${uri.host}`);
    }
  }

  has(user: string | undefined, host: string): boolean {
    return this.#entries.has(`${user ?? ""}@${host}`);
  }

  hasHost(host: string): boolean {
    return this.#entries.has(hostEntry(host));
  }

  #remember(entry: string): void {
    this.#entries.delete(entry);
    this.#entries.add(entry);
    if (this.#entries.size <= maxShown) return;
    for (const oldest of this.#entries) {
      this.#entries.delete(oldest);
      return;
    }
  }
}

/** Apart from any `user@host`, with or without a user. */
const hostEntry = (host: string): string => `* ${host}`;
