// Command seededbugs holds the tests to account. It brings classic defects back into a copy of the tree, one after
// the other, and runs the tests that should catch each: a defect that no test catches fails the run, and so does one
// that no longer applies because the code has changed. It prints a table of what was caught by which test, and how
// long that took.
//
// It needs Go alone, and what the tests need: call it by `make seeded-bugs`, which brings PostgreSQL along. Start
// at run; bugs.go has the defects.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "seeded-bugs:", err)
		os.Exit(1)
	}
}

// run works in the repository's root.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("seededbugs", flag.ContinueOnError)
	only := flags.String("only", "", "seed only the defects whose names match this regular expression")
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	chosen := choose(wanted)
	if len(chosen) == 0 {
		return fmt.Errorf("no defect is called like %q", *only)
	}
	dir, err := os.MkdirTemp("", "seeded-bugs-")
	if err != nil {
		return err
	}
	err = seedAll(ctx, chosen, dir, out)
	return errors.Join(err, os.RemoveAll(dir))
}

func choose(wanted *regexp.Regexp) []bug {
	var chosen []bug
	for _, b := range bugs() {
		if wanted.MatchString(b.name) {
			chosen = append(chosen, b)
		}
	}
	return chosen
}

// seedAll copies the tree, holds that its tests pass as it is, and then seeds one defect after the other.
func seedAll(ctx context.Context, chosen []bug, dir string, out io.Writer) error {
	tree, err := copyTree(".", dir)
	if err != nil {
		return err
	}
	for _, b := range chosen { // all of them before the first test, for that takes time
		if err := tree.check(b); err != nil {
			return err
		}
	}
	if err := withoutBugs(ctx, chosen, tree, out); err != nil {
		return err
	}
	var missed []string
	rows := []string{"| defect | caught by | seconds |", "|---|---|---|"}
	for _, b := range chosen {
		began := time.Now()
		catcher, err := seed(ctx, b, tree)
		if err != nil {
			return err
		}
		took := time.Since(began).Round(time.Second / 10).Seconds()
		if catcher == "" {
			missed = append(missed, b.name)
		}
		fmt.Fprintf(out, "%-70s %6.1f s  %s\n", b.name, took, cmp.Or(catcher, "NOT CAUGHT"))
		rows = append(rows, fmt.Sprintf("| %s | %s | %.1f |", b.name, catcher, took))
	}
	if len(missed) > 0 {
		return fmt.Errorf("not caught: %s", strings.Join(missed, "; "))
	}
	_, err = fmt.Fprintf(out, "\n%s\n", strings.Join(rows, "\n"))
	return err
}

// withoutBugs holds that the tests, in their short form, pass on the tree as it is: one that fails anyway catches
// nothing.
func withoutBugs(ctx context.Context, chosen []bug, tree *tree, out io.Writer) error {
	began := time.Now()
	ran := map[catcher]bool{}
	for _, b := range chosen {
		for _, c := range b.catchers {
			if c.long = false; ran[c] {
				continue
			}
			ran[c] = true
			failed, err := tree.test(ctx, c)
			if err != nil {
				return err
			}
			if failed.test != "" {
				return fmt.Errorf("%s fails without any defect:\n%s", failed.test, failed.output)
			}
		}
	}
	_, err := fmt.Fprintf(out, "%d test runs pass without any defect, in %.0f s\n\n", len(ran), time.Since(began).Seconds())
	return err
}

// seed puts the defect into the tree, and takes it out again. It gives the first test that failed, "" for none.
func seed(ctx context.Context, b bug, tree *tree) (string, error) {
	if err := tree.apply(b); err != nil {
		return "", err
	}
	for _, c := range b.catchers {
		failed, err := tree.test(ctx, c)
		if err != nil {
			return "", errors.Join(fmt.Errorf("%s: %w", b.name, err), tree.restore())
		}
		if failed.test != "" {
			return "`" + failed.test + "` (" + strings.TrimPrefix(c.pkg, "./") + ")", tree.restore()
		}
	}
	return "", tree.restore()
}
