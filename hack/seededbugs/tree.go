package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tree is the copy that defects are seeded in.
type tree struct {
	dir string
	// former has the files that a defect changed, as they were.
	former map[string][]byte
}

// copyTree copies what belongs to the project, without what is built, hidden, or fetched by npm.
func copyTree(from, to string) (*tree, error) {
	source := os.DirFS(from)
	err := fs.WalkDir(source, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := entry.Name(); {
		case path == ".":
			return nil
		case entry.IsDir() && (strings.HasPrefix(name, ".") || name == "node_modules" || path == "bin" || path == "data"):
			return fs.SkipDir
		case entry.IsDir():
			return os.Mkdir(filepath.Join(to, path), 0o700)
		case !entry.Type().IsRegular():
			return nil
		}
		text, err := fs.ReadFile(source, path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, path), text, 0o600)
	})
	if err != nil {
		return nil, fmt.Errorf("copy the tree: %w", err)
	}
	return &tree{dir: to, former: map[string][]byte{}}, nil
}

// check holds that a defect can be seeded: each text that it replaces stands in its file exactly once.
func (t *tree) check(b bug) error {
	if err := t.apply(b); err != nil {
		return err
	}
	return t.restore()
}

// apply makes the defect's edits. On an error nothing is changed.
func (t *tree) apply(b bug) error {
	changed := map[string]string{}
	for _, e := range b.edits {
		path := filepath.Join(t.dir, filepath.FromSlash(e.file))
		text, begun := changed[path]
		if !begun {
			read, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("%s: %w", b.name, err)
			}
			t.former[path], text = read, string(read)
		}
		if n := strings.Count(text, e.old); n != 1 {
			clear(t.former)
			return fmt.Errorf("%q cannot be seeded: %s has %d times, want once:\n%s", b.name, e.file, n, e.old)
		}
		changed[path] = strings.Replace(text, e.old, e.new, 1)
	}
	for path, text := range changed {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// restore takes the defect out again.
func (t *tree) restore() error {
	for path, text := range t.former {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return err
		}
	}
	clear(t.former)
	return nil
}
