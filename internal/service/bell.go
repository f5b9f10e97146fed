package service

import "sync"

// bell wakes everyone who waits for it. The zero value is ready.
type bell struct {
	mu  sync.Mutex // guards now
	now chan struct{}
}

// heard gives a channel that is closed at the next ring.
func (b *bell) heard() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now == nil {
		b.now = make(chan struct{})
	}
	return b.now
}

// ring wakes all who wait.
func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now != nil {
		close(b.now)
		b.now = nil
	}
}
