import { type Refusal, refuse } from "../core/errors.ts";
import type { Words } from "./permission-service.ts";

/** What is said where no data token is given, beside the application's own words. */
export const refusals = {
  tooManyFailures: refuse("rate-limited", "too many application_tokens of this address were refused: wait a minute"),
  waited: refuse("rate-limited", "too many application_tokens of this address are being asked about: ask again soon"),
  crowded: refuse("limit-reached", "the application is being asked as much as it may be: ask again in a few seconds"),
  /** The same for who is no customer, who has no application to ask, and whose is not asked. */
  unknown: refuse(
    "credential-rejected",
    "there is no application to ask for this appID: check it, permissionUrl of the customer, and whether it is suspended",
  ),
  ours: refuse(
    "credential-rejected",
    "the application_token is one of the gateway's own: the application gives a token of its own",
  ),
  changed: refuse("upstream-unavailable", "the customer was changed while its application was asked: ask again"),
};

export const refusedBy = (status: number, words: Words | undefined): Refusal =>
  refuse(
    "application-denied",
    words
      ? "the application does not take this application_token: its own words are in error and error_description"
      : `the application does not take this application_token (it answered ${status} without saying why): ask it for another`,
  );

/** sentence: what is wrong with its answer. */
export const unfit = (sentence: string): Refusal =>
  refuse(
    "application-denied",
    `the application's answer cannot be taken, and it has to be mended there: ${plain(sentence)}`,
  );

/** sentence: what is wrong with its service. */
export const unavailable = (sentence: string): Refusal =>
  refuse("upstream-unavailable", `the application cannot be asked now: ${plain(sentence)}`);

const plain = (sentence: string): string =>
  sentence.replace(/^the token/, "the permission_token").replace(/["\\]/g, "'");
