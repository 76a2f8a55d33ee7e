# untested: no test of the project runs this file
# Mints an ephemeral credential and a JWT. Secrets come from the environment, never from argv:
#   SIP_SECRET=… JWT_SECRET=… JWT_KEY_ID=k2 ruby mint.rb alice@acme.example 1893456000 [sha1|sha256|sha384|sha512]
require "json"
require "openssl"
require "securerandom"

# --- shown in docs/minting.md
def credential(secret, user, expiry, algorithm = "sha1") # or "sha256"
  username = "#{expiry}:#{user}"
  { username: username, password: [OpenSSL::HMAC.digest(algorithm, secret, username)].pack("m0") }
end

def base64url(data)
  [data].pack("m0").tr("+/", "-_").delete("=")
end

def token(secret, key_id, user, expiry)
  header = { alg: "HS256", typ: "JWT", kid: key_id }
  claims = { sub: user, exp: expiry, jti: SecureRandom.hex(16) }
  text = [header, claims].map { |part| base64url(JSON.generate(part)) }.join(".")
  "#{text}.#{base64url(OpenSSL::HMAC.digest("sha256", secret, text))}"
end
# --- end

def failed(sentence)
  warn sentence
  exit 2
end

user, expiry, algorithm = ARGV[0].to_s, ARGV[1].to_s, ARGV[2] || "sha1"
sip_secret, jwt_secret, key_id = %w[SIP_SECRET JWT_SECRET JWT_KEY_ID].map { |name| ENV[name].to_s }
failed("the user is not <user>@<domain>") unless user.match?(/\A[A-Za-z0-9_.!~*'()&=+$,-]{1,64}@[A-Za-z0-9.-]{1,253}\z/)
failed("the expiry is not Unix seconds") unless expiry.match?(/\A[1-9][0-9]{9}\z/)
failed("the algorithm is not sha1, sha256, sha384 or sha512") unless %w[sha1 sha256 sha384 sha512].include?(algorithm)
failed("SIP_SECRET, JWT_SECRET and JWT_KEY_ID are not all set") if [sip_secret, jwt_secret, key_id].any?(&:empty?)

minted = credential(sip_secret, user, expiry.to_i, algorithm)
puts JSON.generate(minted.merge(token: token(jwt_secret, key_id, user, expiry.to_i)))
