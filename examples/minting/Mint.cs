// untested: no test of the project runs this file
// Mints an ephemeral credential and a JWT. Secrets come from the environment, never from argv:
//   SIP_SECRET=… JWT_SECRET=… JWT_KEY_ID=k2 dotnet run alice@acme.example 1893456000 [sha1|sha256|sha384|sha512]
using System;
using System.Collections.Generic;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

public static class Mint
{
    // --- shown in docs/minting.md
    static byte[] Hmac(HMAC mac, string text)
    {
        using (mac) return mac.ComputeHash(Encoding.UTF8.GetBytes(text));
    }

    /// username: expiry + ":" + user. Where the secret's algorithm is sha256: new HMACSHA256(key)
    static string Password(string secret, string username)
    {
        var key = Encoding.UTF8.GetBytes(secret);
        return Convert.ToBase64String(Hmac(new HMACSHA1(key), username));
    }

    static string Base64Url(byte[] data)
    {
        return Convert.ToBase64String(data).Replace('+', '-').Replace('/', '_').TrimEnd('=');
    }

    static string Token(string secret, string keyId, string user, long expiry)
    {
        var header = new Dictionary<string, object> { ["alg"] = "HS256", ["typ"] = "JWT", ["kid"] = keyId };
        var claims = new Dictionary<string, object>
        {
            ["sub"] = user,
            ["exp"] = expiry,
            ["jti"] = Guid.NewGuid().ToString(),
        };
        var text = Base64Url(JsonSerializer.SerializeToUtf8Bytes(header)) + "." + Base64Url(JsonSerializer.SerializeToUtf8Bytes(claims));
        return text + "." + Base64Url(Hmac(new HMACSHA256(Encoding.UTF8.GetBytes(secret)), text));
    }
    // --- end

    static string PasswordBy(string algorithm, string secret, string username)
    {
        var key = Encoding.UTF8.GetBytes(secret);
        switch (algorithm)
        {
            case "sha1": return Password(secret, username);
            case "sha256": return Convert.ToBase64String(Hmac(new HMACSHA256(key), username));
            case "sha384": return Convert.ToBase64String(Hmac(new HMACSHA384(key), username));
            case "sha512": return Convert.ToBase64String(Hmac(new HMACSHA512(key), username));
            default: throw new ArgumentException("the algorithm is not sha1, sha256, sha384 or sha512");
        }
    }

    static string FromEnvironment(string name)
    {
        var value = Environment.GetEnvironmentVariable(name);
        if (string.IsNullOrEmpty(value)) throw new ArgumentException(name + " is not set");
        return value;
    }

    static string Minted(string user, string expiry, string algorithm)
    {
        if (!Regex.IsMatch(user, @"\A[A-Za-z0-9_.!~*'()&=+$,-]{1,64}@[A-Za-z0-9.-]{1,253}\z")) throw new ArgumentException("the user is not <user>@<domain>");
        if (!Regex.IsMatch(expiry, @"\A[1-9][0-9]{9}\z")) throw new ArgumentException("the expiry is not Unix seconds");
        var username = expiry + ":" + user;
        return JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["username"] = username,
            ["password"] = PasswordBy(algorithm, FromEnvironment("SIP_SECRET"), username),
            ["token"] = Token(FromEnvironment("JWT_SECRET"), FromEnvironment("JWT_KEY_ID"), user, long.Parse(expiry)),
        });
    }

    public static int Main(string[] args)
    {
        try
        {
            Console.WriteLine(Minted(args.Length > 0 ? args[0] : "", args.Length > 1 ? args[1] : "", args.Length > 2 ? args[2] : "sha1"));
            return 0;
        }
        catch (ArgumentException fault)
        {
            Console.Error.WriteLine(fault.Message);
            return 2;
        }
    }
}
