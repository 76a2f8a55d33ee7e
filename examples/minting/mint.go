// Mints an ephemeral credential and a JWT. Secrets come from the environment, never from argv:
//
//	SIP_SECRET=… JWT_SECRET=… JWT_KEY_ID=k2 go run mint.go alice@acme.example 1893456000 [sha1|sha256|sha384|sha512]
package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"os"
	"regexp"
	"strconv"
)

// --- shown in docs/minting.md
func mac(algorithm func() hash.Hash, secret, text string) []byte {
	signer := hmac.New(algorithm, []byte(secret))
	signer.Write([]byte(text))
	return signer.Sum(nil)
}

// algorithm: sha1.New, or sha256.New
func credential(algorithm func() hash.Hash, secret, user string, expiry int64) (username, password string) {
	username = fmt.Sprintf("%d:%s", expiry, user)
	return username, base64.StdEncoding.EncodeToString(mac(algorithm, secret, username))
}

func token(secret, keyID, user string, expiry int64) (string, error) {
	jti := make([]byte, 16)
	if _, err := rand.Read(jti); err != nil {
		return "", err
	}
	header, err := json.Marshal(map[string]any{"alg": "HS256", "typ": "JWT", "kid": keyID})
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{"sub": user, "exp": expiry, "jti": hex.EncodeToString(jti)})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	return text + "." + base64.RawURLEncoding.EncodeToString(mac(sha256.New, secret, text)), nil
}

// --- end

var (
	users    = regexp.MustCompile(`^[A-Za-z0-9_.!~*'()&=+$,-]{1,64}@[A-Za-z0-9.-]{1,253}$`)
	expiries = regexp.MustCompile(`^[1-9][0-9]{9}$`)
	hashes   = map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New}
)

func fail(sentence string) {
	fmt.Fprintln(os.Stderr, sentence)
	os.Exit(2)
}

func main() {
	arguments := append(os.Args[1:], "", "", "")
	user, expiry, algorithm := arguments[0], arguments[1], arguments[2]
	if algorithm == "" {
		algorithm = "sha1"
	}
	sipSecret, jwtSecret, keyID := os.Getenv("SIP_SECRET"), os.Getenv("JWT_SECRET"), os.Getenv("JWT_KEY_ID")
	if !users.MatchString(user) {
		fail("the user is not <user>@<domain>")
	}
	if !expiries.MatchString(expiry) {
		fail("the expiry is not Unix seconds")
	}
	if hashes[algorithm] == nil {
		fail("the algorithm is not sha1, sha256, sha384 or sha512")
	}
	if sipSecret == "" || jwtSecret == "" || keyID == "" {
		fail("SIP_SECRET, JWT_SECRET and JWT_KEY_ID are not all set")
	}
	seconds, _ := strconv.ParseInt(expiry, 10, 64) // ten digits: it fits
	username, password := credential(hashes[algorithm], sipSecret, user, seconds)
	jwt, err := token(jwtSecret, keyID, user, seconds)
	if err != nil {
		fail(err.Error())
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"username": username, "password": password, "token": jwt}); err != nil {
		fail(err.Error())
	}
}
