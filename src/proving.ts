import { AccessTokenAuthenticator } from "./auth/access-token.ts";
import { AuthenticatorChain } from "./auth/authenticator.ts";
import { EndedConferences } from "./auth/conferences.ts";
import { DigestAuthenticator } from "./auth/digest.ts";
import type { RemoteKeys } from "./auth/evidence.ts";
import { IssuedAuthenticator } from "./auth/issued.ts";
import { KeySets } from "./auth/jwks.ts";
import { JwtAuthenticator } from "./auth/jwt.ts";
import { ManagementAuthenticator } from "./auth/management.ts";
import type { OwnKeys } from "./auth/own-keys.ts";
import { PasswordAuthenticator } from "./auth/password.ts";
import { PermissionTokens } from "./auth/permission-token.ts";
import { wantKeySets } from "./auth/token-keys.ts";
import { networksOf } from "./callout/address.ts";
import { CallOut } from "./callout/call-out.ts";
import type { Config } from "./config.ts";
import type { Clock } from "./core/clock.ts";
import type { Customers } from "./core/customers.ts";
import { Failures } from "./policy/limits.ts";
import { MemoryState } from "./state/memory.ts";
import type { State } from "./state/port.ts";
import type { Log } from "./telemetry/log.ts";

export interface ProvingParts {
  readonly config: () => Config;
  readonly customers: () => Customers;
  readonly keys: () => OwnKeys;
  /** Issuer of access tokens. */
  readonly publicUrl: () => string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Everything that proves who somebody is, and what it remembers of them. */
export interface Proving {
  readonly state: State;
  /** At the public port. */
  readonly failures: Failures;
  /** Of who tells of conferences: it keeps nobody from calling. */
  readonly reportersFailures: Failures;
  /** Of who manages, at the private port. */
  readonly managersFailures: Failures;
  /** Who calls. */
  readonly callers: AuthenticatorChain;
  /** Who tells of conferences: by what the gateway itself issued for that. */
  readonly reporters: AuthenticatorChain;
  readonly remoteKeys: RemoteKeys;
  /** Told by whoever learns that one has ended. */
  readonly conferences: EndedConferences;
  /** Whose word is exchanged: nothing that Postern issued is in it. */
  readonly exchanged: AuthenticatorChain;
  /** Whatever can be shown whole, for `postern verify`. */
  readonly shown: AuthenticatorChain;
  readonly managers: ManagementAuthenticator;
  /** What calls URLs that customers name. */
  readonly callOut: CallOut;
  /** What applications answer to getPermissionToken. */
  readonly permissionTokens: PermissionTokens;
  /** The config is another one: what was proved is proved anew, and other key sets may be wanted. */
  follow(): void;
  /** Customers are others: so may be their key sets. */
  followCustomers(): void;
  close(): void;
}

export function composeProving(parts: ProvingParts): Proving {
  const { config, customers, keys, publicUrl, clock, log } = parts;
  const state = new MemoryState(clock);
  const callOut = new CallOut({ networks: () => networksOf(config().exchange?.callbackNetworks ?? []) });
  const fetch = (url: string, limits: { timeoutMs: number; maxBytes: number }) =>
    callOut.request(url, { method: "GET", headers: { accept: "application/json" }, ...limits });
  const keySets = new KeySets({ fetch, clock, log });
  const tokens = new JwtAuthenticator({ customers, clock, state, keySets });
  const digest = new DigestAuthenticator({ customers, clock });
  const issued = new IssuedAuthenticator({
    customers,
    clock,
    keys,
    remote: keySets,
    exchange: () => config().exchange,
  });
  const conferences = new EndedConferences(clock);
  const access = new AccessTokenAuthenticator({
    ...{ customers, clock, keys, conferences },
    remote: keySets,
    issuer: publicUrl,
  });
  const password = new PasswordAuthenticator({ customers, clock });
  const followCustomers = (): void => wantKeySets(keySets, customers());
  followCustomers();
  keySets.start();
  return {
    state,
    callOut,
    failures: new Failures(state, clock, "public"),
    reportersFailures: new Failures(state, clock, "reports"),
    managersFailures: new Failures(state, clock, "private"),
    callers: new AuthenticatorChain([digest, issued, access, tokens], clock),
    reporters: new AuthenticatorChain([access], clock),
    remoteKeys: keySets,
    permissionTokens: new PermissionTokens(keySets),
    conferences,
    exchanged: new AuthenticatorChain([password, tokens], clock),
    shown: new AuthenticatorChain([password, issued, access, tokens], clock),
    managers: new ManagementAuthenticator({ customers, operators: () => config().admin.operators, state, clock }),
    follow: () => {
      tokens.forgetAll();
      followCustomers();
    },
    followCustomers,
    close: () => {
      keySets.stop();
      callOut.close();
      void state.close();
    },
  };
}
