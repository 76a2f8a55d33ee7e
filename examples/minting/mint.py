"""Mints an ephemeral credential and a JWT. Secrets come from the environment, never from argv:
SIP_SECRET=… JWT_SECRET=… JWT_KEY_ID=k2 python3 mint.py alice@acme.example 1893456000 [sha1|sha256|sha384|sha512]
"""

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import sys


# --- shown in docs/minting.md
def credential(secret, user, expiry, algorithm=hashlib.sha1):  # or hashlib.sha256
    username = f"{expiry}:{user}"
    mac = hmac.new(secret.encode(), username.encode(), algorithm).digest()
    return {"username": username, "password": base64.b64encode(mac).decode()}


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(secret, key_id, user, expiry):
    header = {"alg": "HS256", "typ": "JWT", "kid": key_id}
    claims = {"sub": user, "exp": expiry, "jti": secrets.token_hex(16)}
    text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    return text + "." + base64url(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())
# --- end


def fail(sentence):
    print(sentence, file=sys.stderr)
    sys.exit(2)


def main(user="", expiry="", algorithm="sha1"):
    if not re.fullmatch(r"[A-Za-z0-9_.!~*'()&=+$,-]{1,64}@[A-Za-z0-9.-]{1,253}", user):
        fail("the user is not <user>@<domain>")
    if not re.fullmatch(r"[1-9][0-9]{9}", expiry):
        fail("the expiry is not Unix seconds")
    if algorithm not in ("sha1", "sha256", "sha384", "sha512"):
        fail("the algorithm is not sha1, sha256, sha384 or sha512")
    sip_secret, jwt_secret, key_id = (os.environ.get(name) for name in ("SIP_SECRET", "JWT_SECRET", "JWT_KEY_ID"))
    if not (sip_secret and jwt_secret and key_id):
        fail("SIP_SECRET, JWT_SECRET and JWT_KEY_ID are not all set")
    minted = credential(sip_secret, user, int(expiry), getattr(hashlib, algorithm))
    print(json.dumps({**minted, "token": token(jwt_secret, key_id, user, int(expiry))}))


if __name__ == "__main__":
    main(*sys.argv[1:4])
