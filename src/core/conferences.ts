/** A user's part in a call that this gateway carries, or carried a while ago. */
export interface Part {
  readonly user: string;
  readonly domain: string;
  /** Id of its call record. */
  readonly call: string;
  /** It rings or stands. */
  readonly stands: boolean;
  /** It was placed under a credential that is good for this conference alone: its application has named it. */
  readonly named: boolean;
}

/** Whose conferences are, as far as this gateway knows: a conferenceID is the Call-ID of a call. */
export interface Conferences {
  /** The customer's users in it; none: it is others'. Undefined: a conference of this ID is not known here. */
  ownersOf(customer: string, conferenceID: string): readonly Part[] | undefined;
}
