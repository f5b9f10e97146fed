package auth

import (
	"crypto/sha256"
	"sync"
	"time"
)

// mostKept is how many verified tokens are remembered, at about 200 bytes each. A fleet has some hundred clients with
// one or two tokens at a time; only tokens of the realm get in, so strangers cannot fill it.
const mostKept = 8192

// identity is what is remembered of a verified token. The token itself is not: memory that leaks must not hold it.
type identity struct {
	name   string
	expiry time.Time
}

// kept remembers verified tokens by their SHA-256, so that a signature is checked once. Whoever asks compares the
// expiry. It has two halves: when the young one is full the old one is dropped, so what is used stays and the
// oldest goes, at no cost for each use but a lock.
type kept struct {
	mu         sync.Mutex // guards the fields below
	half       int
	young, old map[[sha256.Size]byte]identity
}

func newKept(most int) *kept {
	return &kept{half: most / 2, young: map[[sha256.Size]byte]identity{}}
}

func (k *kept) get(hash [sha256.Size]byte) (identity, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if who, known := k.young[hash]; known {
		return who, true
	}
	who, known := k.old[hash]
	if known {
		k.add(hash, who)
	}
	return who, known
}

func (k *kept) put(hash [sha256.Size]byte, who identity) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.add(hash, who)
}

// add is called with the lock held.
func (k *kept) add(hash [sha256.Size]byte, who identity) {
	if len(k.young) >= k.half {
		k.young, k.old = map[[sha256.Size]byte]identity{}, k.young
	}
	k.young[hash] = who
}
