const longest = 64;
const dotted = /^[A-Za-z_$][A-Za-z0-9_$]*(?:\.[A-Za-z_$][A-Za-z0-9_$]*)*$/;

/** Words of the language, and names that would turn a call of data into something else. */
const forbidden = new Set(
  (
    "await break case catch class const continue debugger default delete do else enum export extends false finally for " +
    "function if implements import in instanceof interface let new null package private protected public return static " +
    "super switch this throw true try typeof var void while with yield arguments undefined NaN Infinity " +
    "eval Function constructor prototype __proto__ __defineGetter__ __defineSetter__ " +
    "document location opener parent top frames frameElement setTimeout setInterval setImmediate execScript importScripts"
  ).split(" "),
);

/** A function's name as pages give it, `voxbone.WebRTC.processAuthData`: dotted ASCII identifiers and nothing else. */
export function isCallback(name: string): boolean {
  return name.length <= longest && dotted.test(name) && !name.split(".").some((part) => forbidden.has(part));
}

/** Type of what `jsonp` makes. */
export const scriptType = "application/javascript; charset=utf-8";

/**
 * `callback({…});`, in which no value can end the script or the element around it, nor begin as anything but a comment:
 * a file that starts with letters of a stranger's choice has been taken for another type.
 */
export function jsonp(callback: string, value: unknown): string {
  const text = JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `/**/${callback}(${text});`;
}
