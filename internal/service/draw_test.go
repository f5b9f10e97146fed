package service_test

import (
	"slices"

	"pgregory.net/rapid"
)

// rapid prefers small numbers and the first of a list, which finds the edges of a number and never the end of a story.
// These draw evenly.

// below draws a number from 0 to n-1.
func below(r *rapid.T, what string, n int) int {
	const bits = 12 // far more than any list here has entries
	return rapid.Custom(func(r *rapid.T) int {
		drawn := 0
		for range bits {
			drawn *= 2
			if rapid.Bool().Draw(r, "bit") {
				drawn++
			}
		}
		return drawn % n
	}).Draw(r, what)
}

// once says in one of n cases yes.
func once(r *rapid.T, what string, n int) bool { return below(r, what, n) == n-1 }

// oneOf draws one entry.
func oneOf[T any](r *rapid.T, what string, list ...T) T { return list[below(r, what, len(list))] }

// someOf draws from least to most entries, each at most once.
func someOf[T any](r *rapid.T, what string, least, most int, list ...T) []T {
	rest, drawn := slices.Clone(list), []T{}
	for range least + below(r, "how many "+what, most-least+1) {
		at := below(r, what, len(rest))
		drawn, rest = append(drawn, rest[at]), slices.Delete(rest, at, at+1)
	}
	return drawn
}
