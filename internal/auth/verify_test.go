package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/icos-jobmanager/jobmanager/internal/auth"
	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// told is a door that notes how it was asked to refuse.
type told struct{ way, sentence string }

func (d *told) note(w http.ResponseWriter, way string, why *jobmanager.Error) {
	d.way, d.sentence = way, why.Message
	w.WriteHeader(http.StatusTeapot)
}

func (d *told) Shut(w http.ResponseWriter, _ *http.Request, why *jobmanager.Error) {
	d.note(w, "shut", why)
}

func (d *told) MissingToken(w http.ResponseWriter, _ *http.Request, why *jobmanager.Error) {
	d.note(w, "missing", why)
}

func (d *told) InvalidToken(w http.ResponseWriter, _ *http.Request, why *jobmanager.Error) {
	d.note(w, "invalid", why)
}

// unsigned is a token that says that it needs no signature.
func unsigned(claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + encode([]byte(claims)) + "."
}

// withSignatureOf puts the signature of one token under the claims of another.
func withSignatureOf(one, other string) string {
	signature := one[strings.LastIndexByte(one, '.'):]
	return other[:strings.LastIndexByte(other, '.')] + signature
}

func TestOnlyTokensThatTheRealmSignedAreLetInWhileTheyAreValid(t *testing.T) {
	t.Parallel()
	realm, foreign := testkit.NewRealm(t), testkit.NewRealm(t)
	gate, _ := gateOf(t, realm)
	at := func(d time.Duration) int64 { return noon().Add(d).Unix() }
	claims := testkit.Claims{"azp": "hub", "exp": at(time.Minute)}
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	publicKey, err := base64.StdEncoding.DecodeString(realm.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	signed := func(algorithm jose.SignatureAlgorithm, key any) string {
		return testkit.SignToken(t, jose.SigningKey{Algorithm: algorithm, Key: key}, claims)
	}
	good := realm.Token("hub")
	for name, test := range map[string]struct{ header, way, words string }{
		"RS256":                      {"Bearer " + realm.Sign(jose.RS256, claims), "", ""},
		"RS384":                      {"Bearer " + realm.Sign(jose.RS384, claims), "", ""},
		"RS512":                      {"Bearer " + realm.Sign(jose.RS512, claims), "", ""},
		"Bearer glued to the token":  {"Bearer" + good, "", ""},
		"bearer in lower case":       {"bearer " + good, "", ""},
		"many spaces":                {"  Bearer   " + good + "  ", "", ""},
		"valid by now":               {"Bearer " + realm.Token("hub", testkit.Claims{"nbf": at(0)}), "", ""},
		"a fraction of a second":     {"Bearer " + realm.Token("hub", testkit.Claims{"exp": float64(at(time.Minute)) + 0.5}), "", ""},
		"issued in the future":       {"Bearer " + realm.Token("hub", testkit.Claims{"iat": at(time.Hour)}), "", ""},
		"another audience":           {"Bearer " + realm.Token("hub", testkit.Claims{"aud": []string{"someone"}, "iss": "else"}), "", ""},
		"no header":                  {"", "missing", "Bearer"},
		"no Bearer":                  {good, "missing", "Bearer"},
		"Basic":                      {"Basic aHViOmh1Yg==", "missing", "Bearer"},
		"nothing after Bearer":       {"Bearer", "invalid", "empty"},
		"a space after Bearer":       {"Bearer ", "invalid", "empty"},
		"garbage":                    {"Bearer garbage", "invalid", "malformed"},
		"garbage in three parts":     {"Bearer a.b.c", "invalid", "malformed"},
		"two tokens":                 {"Bearer " + good + " " + good, "invalid", "malformed"},
		"a part too many":            {"Bearer " + good + ".x", "invalid", "malformed"},
		"overlong":                   {"Bearer " + strings.Repeat("a", 100_000) + ".b.c", "invalid", "malformed"},
		"PS256":                      {"Bearer " + realm.Sign(jose.PS256, claims), "invalid", "algorithm"},
		"ES256":                      {"Bearer " + signed(jose.ES256, elliptical), "invalid", "algorithm"},
		"HS256 with the public key":  {"Bearer " + signed(jose.HS256, publicKey), "invalid", "algorithm"},
		"HS256 with its text":        {"Bearer " + signed(jose.HS256, []byte(realm.PublicKey())), "invalid", "algorithm"},
		"no signature":               {"Bearer " + unsigned(`{"azp":"hub","exp":4102444800}`), "invalid", "algorithm"},
		"another realm's key":        {"Bearer " + foreign.Token("hub"), "invalid", "not signed with the key"},
		"another token's signature":  {"Bearer " + withSignatureOf(good, realm.Token("root")), "invalid", "not signed with the key"},
		"expired":                    {"Bearer " + realm.Token("hub", testkit.Claims{"exp": at(-time.Second)}), "invalid", "expired"},
		"expired just now":           {"Bearer " + realm.Token("hub", testkit.Claims{"exp": at(0)}), "invalid", "expired"},
		"no exp":                     {"Bearer " + realm.Token("hub", testkit.Claims{"exp": nil}), "invalid", "never expires"},
		"exp of the last millennium": {"Bearer " + realm.Token("hub", testkit.Claims{"exp": 0}), "invalid", "expired"},
		"exp beyond all times":       {"Bearer " + realm.Token("hub", testkit.Claims{"exp": 1e300}), "invalid", "claims"},
		"exp in words":               {"Bearer " + realm.Token("hub", testkit.Claims{"exp": "tomorrow"}), "invalid", ""},
		"not valid yet":              {"Bearer " + realm.Token("hub", testkit.Claims{"nbf": at(time.Second)}), "invalid", "not valid yet"},
		"nobody's":                   {"Bearer " + realm.Token("", testkit.Claims{"sub": nil}), "invalid", "names neither"},
		"a name that is a list":      {"Bearer " + realm.Token("hub", testkit.Claims{"azp": []string{"hub"}}), "invalid", "claims"},
	} {
		door := &told{}
		answer := call(t, gate.Guard(door, whoCalls), test.header)
		if door.way != test.way || !strings.Contains(door.sentence, test.words) || (answer.Code == http.StatusOK) != (test.way == "") {
			t.Errorf("%s: %d, %q %q; want %q %q", name, answer.Code, door.way, door.sentence, test.way, test.words)
		}
		if len(door.sentence) > 123 {
			t.Errorf("%s: %q does not fit into a close frame", name, door.sentence)
		}
		if len(test.header) > 100 && strings.Contains(door.sentence, test.header[len(test.header)-20:]) {
			t.Errorf("%s: the sentence shows the token: %s", name, door.sentence)
		}
	}
}

func TestCallerIsTheClientThatTheTokenWasIssuedFor(t *testing.T) {
	t.Parallel()
	realm := testkit.NewRealm(t)
	gate, _ := gateOf(t, realm)
	for want, claims := range map[string]testkit.Claims{
		"authorized-party": {"azp": "authorized-party", "client_id": "client", "sub": "subject"},
		"client":           {"azp": nil, "client_id": "client", "sub": "subject"},
		"subject":          {"azp": nil, "client_id": nil, "sub": "subject"},
		"spaced":           {"azp": "  ", "client_id": " spaced "},
	} {
		var got jobmanager.Principal
		token := realm.Token("", claims)
		for range 2 { // the second time it is remembered
			call(t, gate.Guard(auth.GraphQL{}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got = jobmanager.PrincipalFrom(r.Context())
			})), "Bearer "+token)
			if got.Name != want || got.Tenant != jobmanager.DefaultTenant || got.Token.Reveal() != token {
				t.Errorf("%+v, want %s with its token", got, want)
			}
			roles := []jobmanager.Role{jobmanager.RoleAgent, jobmanager.RoleIntegrator, jobmanager.RolePolicyManager, jobmanager.RoleViewer}
			if slices.Sort(got.Roles); !slices.Equal(got.Roles, roles) {
				t.Errorf("%s has the roles %v, want %v", want, got.Roles, roles)
			}
			got = jobmanager.Principal{}
		}
	}
}

func TestRememberedTokenExpiresLikeAnyOther(t *testing.T) {
	t.Parallel()
	realm := testkit.NewRealm(t)
	gate, clock := gateOf(t, realm)
	guarded := gate.Guard(auth.GraphQL{}, whoCalls)
	header := "Bearer " + realm.Token("hub", testkit.Expires(noon().Add(time.Minute)))
	for _, step := range []struct {
		after  time.Duration
		status int
	}{{0, 200}, {59 * time.Second, 200}, {time.Second, 401}, {time.Hour, 401}} {
		clock.Advance(step.after)
		if answer := call(t, guarded, header); answer.Code != step.status {
			t.Errorf("at %s: %d, want %d", clock.Now(), answer.Code, step.status)
		}
	}
}
