import { sign } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { listening } from "./child.ts";
import { es256 } from "./tokens.ts";

/** An application service that permits everything to whoever asks, signed ES256; asked by a page itself, it answers as much. */
interface Question {
  readonly iss: string;
  readonly userID: string;
  readonly jti: string;
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const header = encode({ alg: "ES256", typ: "JWT", kid: "ES256" });

function questionOf(body: string): Question {
  const { getPermissionToken, userID } = JSON.parse(body) as { getPermissionToken?: string; userID?: string };
  if (getPermissionToken === undefined) return { iss: "nobody", userID: userID ?? "", jti: "none" };
  return JSON.parse(Buffer.from(getPermissionToken.split(".")[1] ?? "", "base64url").toString()) as Question;
}

function permissionToken({ iss, userID, jti }: Question): string {
  const exp = Math.floor(Date.now() / 1000) + 3000;
  const text = `${header}.${encode({ userID, permissions: ["*"], aud: iss, nonce: jti, exp })}`;
  const signature = sign("sha256", Buffer.from(text), { key: es256(), dsaEncoding: "ieee-p1363" });
  return `${text}.${signature.toString("base64url")}`;
}

const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += chunk;
  const answer = JSON.stringify({ permission_token: permissionToken(questionOf(body)) });
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(answer) });
  response.end(answer);
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => listening((server.address() as AddressInfo).port));
