/**
 * What proves somebody or opens a call's media, wherever it stands: header fields with their folds, however the lines
 * end, lines of SDP, and the marks of a credential in what is no header field of a sound message. Group 1 stays, group 2
 * is hidden.
 */
const secrets: readonly RegExp[] = [
  /(^[ \t]*(?:(?:proxy-)?authorization|x-postern-(?:grant|token|trunk-auth))[ \t]*:[ \t]*)([^\r\n]*(?:(?:\r\n|\r|\n)[ \t]+[^\r\n]*)*)/gim,
  /(\bresponse[ \t]*=[ \t]*"?)([0-9a-f]{16,})/gi,
  /(\bbearer[ \t]+)([A-Za-z0-9._~+/=-]+)/gi,
  // Begun once in each run of its characters: with \b a run of "eyJa-eyJa-…" would be read from every dash anew.
  /(^|[^A-Za-z0-9_-])(eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*)/g,
  // SDP's keys of media (RFC 4568 §9.2, RFC 4567, RFC 8866 §5.12) and ICE's password (RFC 8839 §5.4).
  /(^(?:a=crypto:|a=key-mgmt:|k=|a=ice-pwd:))([^\r\n]+)/gim,
];

/** What every one of them needs to match at all. */
const suspicious = /authorization|x-postern-|response|bearer|eyJ|a=crypto:|a=key-mgmt:|\nk=|a=ice-pwd:/i;

/** A SIP message that may be shown: without credentials, its body as long as Content-Length says. */
export function conceal(bytes: Buffer): Buffer {
  const text = bytes.toString("latin1");
  if (!suspicious.test(text)) return bytes;
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return Buffer.from(hide(text, short), "latin1");
  return Buffer.from(hide(text.slice(0, end), short) + hide(text.slice(end), long), "latin1");
}

type Cover = (hidden: string) => string;

const short: Cover = () => "***";
const long: Cover = (hidden) => "*".repeat(hidden.length);

const hide = (text: string, cover: Cover): string =>
  secrets.reduce(
    (masked, secret) => masked.replace(secret, (_all, kept: string, hidden: string) => kept + cover(hidden)),
    text,
  );
