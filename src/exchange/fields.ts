export type Fields =
  | { readonly kind: "fields"; readonly fields: ReadonlyMap<string, string> }
  | { readonly kind: "malformed"; readonly sentence: string };

const most = 20;

/**
 * Name and value pairs of a query or of an `application/x-www-form-urlencoded` body, strictly: a name twice, a name
 * without `=`, broken percent-encoding and what is no UTF-8 are refused. `+` is a space.
 */
export function readFields(text: string): Fields {
  const fields = new Map<string, string>();
  const pairs = text.split("&").filter((pair) => pair !== "");
  if (pairs.length > most) return malformed(`there are more than ${most} fields`);
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    const [name, value] = [decode(pair.slice(0, Math.max(equals, 0))), decode(pair.slice(equals + 1))];
    if (equals < 1 || name === undefined || value === undefined) return malformed("a field cannot be read");
    if (fields.has(name)) return malformed("a field stands there twice");
    fields.set(name, value);
  }
  return { kind: "fields", fields };
}

const malformed = (sentence: string): Fields => ({ kind: "malformed", sentence });

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
