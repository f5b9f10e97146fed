package auth

import (
	"crypto/sha256"
	"strconv"
	"testing"
	"time"
)

func hashOf(n int) [sha256.Size]byte { return sha256.Sum256([]byte(strconv.Itoa(n))) }

func TestTokensAreRememberedWithinABound(t *testing.T) {
	t.Parallel()
	const most = 100
	k := newKept(most)
	busy := hashOf(-1)
	k.put(busy, identity{name: "busy", expiry: time.Unix(1, 0)})
	for n := range 20 * most {
		k.put(hashOf(n), identity{name: strconv.Itoa(n)})
		if size := len(k.young) + len(k.old); size > most {
			t.Fatalf("%d are remembered, at most %d may be", size, most)
		}
		if who, known := k.get(busy); !known || who.name != "busy" || !who.expiry.Equal(time.Unix(1, 0)) {
			t.Fatalf("what is used with each call was forgotten after %d others: %+v", n, who)
		}
	}
	if _, known := k.get(hashOf(0)); known {
		t.Error("the oldest is still there")
	}
	if who, known := k.get(hashOf(20*most - 1)); !known || who.name != strconv.Itoa(20*most-1) {
		t.Errorf("the newest is not there: %+v", who)
	}
}
