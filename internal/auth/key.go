package auth

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Key is the public key of a realm. Make one with ParseKey.
type Key struct{ public *rsa.PublicKey }

// leastBits is how long a key must be for crypto/rsa to verify with it at all.
const leastBits = 1024

// expectedKey is the end of every refusal of a key. The key itself is never shown: it may be a private one.
const expectedKey = "expected is the RSA public key of the realm as Keycloak shows it under Realm settings, Keys, " +
	"RS256, Public key: base64 of its DER form (SubjectPublicKeyInfo), with or without the lines BEGIN and END PUBLIC KEY"

// armour matches the lines that a PEM file has around the base64.
var armour = regexp.MustCompile(`-----(BEGIN|END) ([A-Z ]+)-----`)

// ParseKey reads a realm's public key: base64 of the DER form, with or without PEM lines around it, line breaks
// (also written as \n, as some tools put them into variables) and spaces. The error is a sentence that says what is
// expected and shows nothing of the text.
func ParseKey(text string) (*Key, error) {
	text = strings.ReplaceAll(text, `\n`, "\n")
	for _, line := range armour.FindAllStringSubmatch(text, -1) {
		if line[2] != "PUBLIC KEY" {
			return nil, fmt.Errorf("this is a %s; %s", line[2], expectedKey)
		}
	}
	text = strings.Join(strings.Fields(armour.ReplaceAllString(text, "")), "")
	if text == "" {
		return nil, errors.New("it is empty; " + expectedKey)
	}
	der, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, errors.New("it is not base64; " + expectedKey)
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errors.New("it is no public key; " + expectedKey)
	}
	public, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("it is a key of another kind (%T); %s", parsed, expectedKey)
	}
	if bits := public.N.BitLen(); bits < leastBits {
		return nil, fmt.Errorf("its %d bits are too few to be safe, %d are the least; %s", bits, leastBits, expectedKey)
	}
	return &Key{public}, nil
}
