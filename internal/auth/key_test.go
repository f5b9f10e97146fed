package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/icos-jobmanager/jobmanager/internal/auth"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

func TestKeyIsReadInEveryFormThatPeoplePaste(t *testing.T) {
	t.Parallel()
	realm := testkit.NewRealm(t)
	bare := realm.PublicKey()
	der, err := base64.StdEncoding.DecodeString(bare)
	if err != nil {
		t.Fatal(err)
	}
	armoured := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	lines := strings.Split(armoured, "\n")
	for name, text := range map[string]string{
		"as Keycloak shows it":    bare,
		"with a line end":         bare + "\r\n",
		"without padding":         strings.TrimRight(bare, "="),
		"as PEM":                  armoured,
		"as PEM on one line":      strings.ReplaceAll(armoured, "\n", " "),
		"as PEM with written \\n": strings.ReplaceAll(armoured, "\n", `\n`),
		"base64 in lines":         strings.Join(lines[1:len(lines)-2], "\n"),
	} {
		if _, err := auth.ParseKey(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBadKeyIsRefusedWithWhatIsExpected(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.MarshalPKIXPublicKey(elliptical.Public())
	if err != nil {
		t.Fatal(err)
	}
	shortDER, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 767, 1), E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.StdEncoding.EncodeToString
	secret := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})
	for text, words := range map[string]string{
		"":                  "empty",
		" \n":               "empty",
		"not base64!":       "not base64",
		encode([]byte(`x`)): "no public key",
		encode(shortDER):    "768 bits",
		encode(ecDER):       "another kind",
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----": "CERTIFICATE",
		string(secret): "RSA PRIVATE KEY",
		encode(x509.MarshalPKCS1PrivateKey(private)): "no public key",
	} {
		_, err := auth.ParseKey(text)
		if err == nil || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), "expected is the RSA public key") {
			t.Errorf("%.20q: %v", text, err)
		}
		if err != nil && len(text) > 100 && strings.Contains(err.Error(), text[60:90]) {
			t.Errorf("the refusal shows the key: %v", err)
		}
	}
}
