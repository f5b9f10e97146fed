package auth

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// longestToken is how many bytes a token may have: Keycloak's have one to four thousand, and a header of this server
// at most 64 KiB, but a websocket's payload is bounded far above.
const longestToken = 64 << 10

// caller is what a verified token says.
type caller struct {
	principal jobmanager.Principal
	expiry    time.Time
}

// verifier verifies tokens of one realm by its key, as the old service did: signature, expiry and not-before. Neither
// issuer nor audience are looked at, for there is nothing to compare them with. It is safe for concurrent use.
type verifier struct {
	oidc  *oidc.IDTokenVerifier
	clock jobmanager.Clock
	kept  *kept
}

func newVerifier(key *Key, clock jobmanager.Clock) *verifier {
	keys := &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{key.public}}
	return &verifier{clock: clock, kept: newKept(mostKept), oidc: oidc.NewVerifier("", keys, &oidc.Config{
		SupportedSigningAlgs: []string{oidc.RS256, oidc.RS384, oidc.RS512},
		SkipClientIDCheck:    true, SkipIssuerCheck: true,
		// The library takes a token without exp for an expired one and one up to five minutes before its nbf for
		// valid; identify is exact.
		SkipExpiryCheck: true,
	})}
}

// verify gives the caller whose token this is, or an error that is UNAUTHENTICATED. Its sentence shows nothing of the
// token and fits into a websocket's close frame.
func (v *verifier) verify(ctx context.Context, token string) (caller, *jobmanager.Error) {
	now := v.clock.Now()
	hash := sha256.Sum256([]byte(token))
	who, known := v.kept.get(hash)
	if !known {
		var refusal *jobmanager.Error
		if who, refusal = v.identify(ctx, token, now); refusal != nil {
			return caller{}, refusal
		}
	}
	if !now.Before(who.expiry) {
		return caller{}, refused("the token has expired: get a new one")
	}
	if !known {
		v.kept.put(hash, who)
	}
	return caller{expiry: who.expiry, principal: jobmanager.Principal{
		Name: who.name, Tenant: jobmanager.DefaultTenant, Roles: fleetRoles(), Token: jobmanager.NewToken(token),
	}}, nil
}

// identify gives who a token is for that is signed and valid by now; whether it has expired is for the caller to see.
func (v *verifier) identify(ctx context.Context, token string, now time.Time) (identity, *jobmanager.Error) {
	claims, refusal := v.read(ctx, token)
	switch {
	case refusal != nil:
		return identity{}, refusal
	case claims.Expiry == nil: // it could never be taken back
		return identity{}, refused("the token never expires (it has no exp), which is not accepted")
	case claims.NotBefore != nil && now.Before(claims.NotBefore.Time):
		return identity{}, refused("the token is not valid yet (nbf): check the clocks of Keycloak and this server")
	case claims.client() == "":
		return identity{}, refused("the token names neither a client (azp, client_id) nor a subject (sub)")
	}
	return identity{name: claims.client(), expiry: claims.Expiry.Time}, nil
}

// fleetRoles are what every token of the old fleet may do: everything but what admins do.
func fleetRoles() []jobmanager.Role {
	return []jobmanager.Role{
		jobmanager.RoleIntegrator, jobmanager.RoleAgent, jobmanager.RolePolicyManager, jobmanager.RoleViewer,
	}
}

// claims are those that are looked at.
type claims struct {
	AuthorizedParty string   `json:"azp"`
	ClientID        string   `json:"client_id"`
	Subject         string   `json:"sub"`
	Expiry          *instant `json:"exp"`
	NotBefore       *instant `json:"nbf"`
}

// read gives the claims of a token that is signed with the key. The library's errors are not shown: they are for
// programmers.
func (v *verifier) read(ctx context.Context, token string) (claims, *jobmanager.Error) {
	if token == "" {
		return claims{}, refused("the token is empty: log in and send the new one")
	}
	if len(token) > longestToken || strings.Count(token, ".") != 2 || strings.ContainsFunc(token, unprintable) {
		return claims{}, refused("the token is malformed: it must be a JWT of three parts")
	}
	accepted := []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512}
	if _, err := jose.ParseSignedCompact(token, accepted); err != nil {
		if _, other := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); other {
			return claims{}, refused("the token is signed with an algorithm that is not accepted; RS256, RS384 and RS512 are")
		}
		return claims{}, refused("the token is malformed: its parts cannot be read")
	}
	verified, err := v.oidc.Verify(ctx, token)
	if err != nil {
		return claims{}, refused("the token is not signed with the key of this server's realm")
	}
	var c claims
	if err := verified.Claims(&c); err != nil {
		return claims{}, refused("the claims of the token cannot be read")
	}
	return c, nil
}

// client is whom the token was issued for.
func (c claims) client() string {
	for _, name := range []string{c.AuthorizedParty, c.ClientID, c.Subject} {
		if name = strings.TrimSpace(name); name != "" {
			return name
		}
	}
	return ""
}

// refused makes the error for one whose token does not hold.
func refused(sentence string) *jobmanager.Error {
	return jobmanager.Errorf(jobmanager.CodeUnauthenticated, "%s", sentence)
}

// instant is a JWT's NumericDate: seconds since 1970, with or without a fraction.
type instant struct{ time.Time }

// farthest is the last second that is read, some thousand years away: later ones would overflow durations.
const farthest = 1e11

// UnmarshalJSON reads the number.
func (i *instant) UnmarshalJSON(text []byte) error {
	seconds, err := strconv.ParseFloat(string(text), 64)
	if err != nil || seconds < 0 || seconds > farthest {
		return fmt.Errorf("%q is no time in seconds", text)
	}
	i.Time = time.Unix(int64(seconds), 0).UTC()
	return nil
}

var _ json.Unmarshaler = (*instant)(nil)
