// untested: no test of the project runs this file
// Mints an ephemeral credential and a JWT. Secrets come from the environment, never from argv:
//   SIP_SECRET=… JWT_SECRET=… JWT_KEY_ID=k2 java Mint.java alice@acme.example 1893456000 [sha1|sha256|sha384|sha512]
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Base64;
import java.util.UUID;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public final class Mint {
    // --- shown in docs/minting.md
    static byte[] hmac(String algorithm, String secret, String text) throws GeneralSecurityException {
        Mac mac = Mac.getInstance(algorithm);
        mac.init(new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), algorithm));
        return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
    }

    /** algorithm: HmacSHA1, or HmacSHA256; username: expiry + ":" + user. */
    static String password(String algorithm, String secret, String username) throws GeneralSecurityException {
        return Base64.getEncoder().encodeToString(hmac(algorithm, secret, username));
    }

    static String base64url(byte[] data) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(data);
    }

    /** user and keyId have been checked: nothing in them needs escaping in JSON. */
    static String token(String secret, String keyId, String user, long expiry) throws GeneralSecurityException {
        String header = "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"" + keyId + "\"}";
        String claims = "{\"sub\":\"" + user + "\",\"exp\":" + expiry
            + ",\"jti\":\"" + UUID.randomUUID() + "\"}";
        String text = base64url(header.getBytes(StandardCharsets.UTF_8))
            + "." + base64url(claims.getBytes(StandardCharsets.UTF_8));
        return text + "." + base64url(hmac("HmacSHA256", secret, text));
    }
    // --- end

    static String environment(String name) {
        String value = System.getenv(name);
        if (value == null || value.isEmpty()) fail(name + " is not set");
        return value;
    }

    static void fail(String sentence) {
        System.err.println(sentence);
        System.exit(2);
    }

    public static void main(String[] args) throws GeneralSecurityException {
        String user = args.length > 0 ? args[0] : "";
        String expiry = args.length > 1 ? args[1] : "";
        String algorithm = args.length > 2 ? args[2] : "sha1";
        if (!user.matches("[A-Za-z0-9_.!~*'()&=+$,-]{1,64}@[A-Za-z0-9.-]{1,253}")) fail("the user is not <user>@<domain>");
        if (!expiry.matches("[1-9][0-9]{9}")) fail("the expiry is not Unix seconds");
        if (!algorithm.matches("sha(1|256|384|512)")) fail("the algorithm is not sha1, sha256, sha384 or sha512");
        String keyId = environment("JWT_KEY_ID");
        if (!keyId.matches("[A-Za-z0-9_.-]{1,64}")) fail("JWT_KEY_ID is not the id of a key");
        String username = expiry + ":" + user;
        String password = password("Hmac" + algorithm.replace("sha", "SHA"), environment("SIP_SECRET"), username);
        String token = token(environment("JWT_SECRET"), keyId, user, Long.parseLong(expiry));
        System.out.println("{\"username\":\"" + username + "\",\"password\":\"" + password + "\",\"token\":\"" + token + "\"}");
    }
}
