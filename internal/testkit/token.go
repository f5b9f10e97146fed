package testkit

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Claims are those of a token, by their names.
type Claims map[string]any

// Realm is a Keycloak realm as far as a server sees it that has its public key: it signs tokens for clients.
// Each test makes its own, so that no token of one is good for another.
type Realm struct {
	t   testing.TB
	key *rsa.PrivateKey
}

// farAway is the second at which tokens expire that say nothing else: in the future for every clock that a test
// may show.
const farAway = 4102444800 // 2100-01-01T00:00:00Z

// NewRealm makes a realm with a key of its own.
func NewRealm(t testing.TB) *Realm {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &Realm{t: t, key: key}
}

// PublicKey is what KEYCLOAK_PUBLIC_KEY has to be for a server that trusts the realm: base64 of the DER form, on one
// line and without a PEM header, as Keycloak shows it.
func (r *Realm) PublicKey() string {
	r.t.Helper()
	der, err := x509.MarshalPKIXPublicKey(r.key.Public())
	if err != nil {
		r.t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// Token is one that the realm gives a client: signed with RS256, good until the year 2100. Changes take the place of
// its claims; nil takes a claim away.
func (r *Realm) Token(client string, changes ...Claims) string {
	r.t.Helper()
	claims := Claims{
		"iss": "https://keycloak.example/realms/icos", "aud": "account", "typ": "Bearer",
		"azp": client, "sub": "service-account-of-" + client, "exp": farAway,
	}
	for _, change := range changes {
		maps.Copy(claims, change)
	}
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return r.Sign(jose.RS256, claims)
}

// Expires is a change of a token's claims: it expires at that time, in whole seconds.
func Expires(at time.Time) Claims { return Claims{"exp": at.Unix()} }

// Sign gives a token of exactly these claims, signed with the realm's key and an RSA algorithm of the test's choice.
func (r *Realm) Sign(algorithm jose.SignatureAlgorithm, claims Claims) string {
	r.t.Helper()
	return SignToken(r.t, jose.SigningKey{Algorithm: algorithm, Key: r.key}, claims)
}

// SignToken gives a token of these claims, signed with any key.
func SignToken(t testing.TB, key jose.SigningKey, claims Claims) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
