<?php
// Mints an ephemeral credential and a JWT. Secrets come from the environment, never from argv:
//   SIP_SECRET=… JWT_SECRET=… JWT_KEY_ID=k2 php mint.php alice@acme.example 1893456000 [sha1|sha256|sha384|sha512]
declare(strict_types=1);

// --- shown in docs/minting.md
function credential(string $secret, string $user, int $expiry, string $algorithm = 'sha1'): array // or 'sha256'
{
    $username = "$expiry:$user";
    return ['username' => $username, 'password' => base64_encode(hash_hmac($algorithm, $username, $secret, true))];
}

function base64url(string $data): string
{
    return rtrim(strtr(base64_encode($data), '+/', '-_'), '=');
}

function token(string $secret, string $keyId, string $user, int $expiry): string
{
    $header = ['alg' => 'HS256', 'typ' => 'JWT', 'kid' => $keyId];
    $claims = ['sub' => $user, 'exp' => $expiry, 'jti' => bin2hex(random_bytes(16))];
    $text = base64url(json_encode($header, JSON_THROW_ON_ERROR)) . '.' . base64url(json_encode($claims, JSON_THROW_ON_ERROR));
    return $text . '.' . base64url(hash_hmac('sha256', $text, $secret, true));
}
// --- end

function fail(string $sentence): never
{
    fwrite(STDERR, "$sentence\n");
    exit(2);
}

[$user, $expiry, $algorithm] = [$argv[1] ?? '', $argv[2] ?? '', $argv[3] ?? 'sha1'];
[$sipSecret, $jwtSecret, $keyId] = array_map(fn ($name) => (string) getenv($name), ['SIP_SECRET', 'JWT_SECRET', 'JWT_KEY_ID']);
if (!preg_match('/^[A-Za-z0-9_.!~*\'()&=+$,-]{1,64}@[A-Za-z0-9.-]{1,253}$/D', $user)) fail('the user is not <user>@<domain>');
if (!preg_match('/^[1-9][0-9]{9}$/D', $expiry)) fail('the expiry is not Unix seconds');
if (!in_array($algorithm, ['sha1', 'sha256', 'sha384', 'sha512'], true)) fail('the algorithm is not sha1, sha256, sha384 or sha512');
if ($sipSecret === '' || $jwtSecret === '' || $keyId === '') fail('SIP_SECRET, JWT_SECRET and JWT_KEY_ID are not all set');

$minted = credential($sipSecret, $user, (int) $expiry, $algorithm);
echo json_encode($minted + ['token' => token($jwtSecret, $keyId, $user, (int) $expiry)], JSON_THROW_ON_ERROR), "\n";
