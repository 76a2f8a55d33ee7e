/** What both backends say of a database that cannot be used; each goes on after "the store …". */

export const sealedOtherwise =
  "is sealed under another key: set storeKey as it was, or as storeKeyBefore beside the new one";

export const otherKey = "was sealed anew under another key meanwhile: restart this with that key";

export const putBack = "was put back to an earlier state: restart the gateway, which has what came after it";

export const anothers = "it is another program's database";

/** known: the newest that this version has. */
export const newerSchema = (version: number, known: number): string =>
  `has schema version ${version}, and this Postern knows ${known}: run the newer Postern that wrote it`;

export const noKeyOpens = (customer: string): string => `has a secret of ${customer} that no key opens`;

export const noKeyOpensOwn = "has a signing key that no key opens";

export const tooMuch = "has too much to do: try again";
