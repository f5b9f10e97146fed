// Command imagecheck holds of the Dockerfile what can be held without Docker. It runs the Dockerfile's own build
// command, asserts that the binary is static, puts together what the final stage copies, starts the entry point in
// a chroot as an unprivileged user with the Dockerfile's environment and nothing else, and asks its health check.
//
// It does not pull the base image and does not prove that Docker accepts the file. Start at run.
package main

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	binary       = "/jobmanager"
	certificates = "/etc/ssl/certs/ca-certificates.crt"
	version      = "image-check"
	startLimit   = 30 * time.Second // the Dockerfile's own start period
	stopLimit    = 20 * time.Second
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "image-check:", err)
		os.Exit(1)
	}
}

// run works in the repository's root and says each thing that it has found to hold.
func run(out io.Writer) error {
	image, err := readImage("Dockerfile")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "ok: the final stage says what it should")
	dir, err := os.MkdirTemp("", "image-check-")
	if err != nil {
		return err
	}
	err = try(out, &image, dir)
	return errors.Join(err, os.RemoveAll(dir))
}

func try(out io.Writer, image *image, dir string) error {
	built := filepath.Join(dir, "out")
	build := exec.CommandContext(context.Background(), "sh", "-ec", image.build)
	build.Env = append(os.Environ(), "OUT="+built, "VERSION="+version)
	build.Stdout, build.Stderr = out, out
	if err := build.Run(); err != nil {
		return fmt.Errorf("the Dockerfile's build command: %w", err)
	}
	fmt.Fprintln(out, "ok: the build command of the Dockerfile builds")
	if err := static(filepath.Join(built, "jobmanager")); err != nil {
		return err
	}
	fmt.Fprintln(out, "ok: the binary is static")
	root := filepath.Join(dir, "root")
	if err := assemble(root, built, image.user); err != nil {
		return err
	}
	enter, err := enterer(root, image.user)
	if err != nil {
		return err
	}
	c := container{image: image, enter: enter, out: out}
	if err := c.try(); err != nil {
		return err
	}
	stored, err := os.ReadDir(filepath.Join(root, "data"))
	if err != nil {
		return err
	}
	if len(stored) == 0 {
		return errors.New("the server stored nothing in /data")
	}
	fmt.Fprintln(out, "ok: its database is in /data")
	return nil
}

// static returns an error when the binary needs a loader or a library, of which the image has none.
func static(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("the built binary: %w", err)
	}
	libraries, err := f.ImportedLibraries()
	if err == nil && len(libraries) > 0 {
		err = fmt.Errorf("the binary needs %v", libraries)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			err = errors.Join(err, errors.New("the binary needs a dynamic loader"))
		}
	}
	return errors.Join(err, f.Close())
}

// assemble puts together the final stage's file system: the binary, the certificates, /data of the image's user.
func assemble(root, built, user string) error {
	data := filepath.Join(root, "data")
	for _, dir := range []string{data, filepath.Join(root, filepath.Dir(certificates))} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	// The unprivileged user must be able to come here from /.
	if err := os.Chmod(filepath.Dir(root), 0o711); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(built, "jobmanager"), root+binary); err != nil {
		return err
	}
	bundle, err := os.ReadFile(certificates)
	if err != nil {
		return fmt.Errorf("install the package ca-certificates: %w", err)
	}
	if err := os.WriteFile(root+certificates, bundle, 0o644); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, err := numbers(user)
	if err != nil {
		return err
	}
	return os.Chown(data, uid, gid)
}

func numbers(user string) (uid, gid int, err error) {
	u, g, _ := strings.Cut(user, ":")
	uid, err = strconv.Atoi(u)
	if err != nil {
		return 0, 0, err
	}
	gid, err = strconv.Atoi(g)
	return uid, gid, err
}

// enterer returns the words that run a command in the root: as root with the image's user, else in a user
// namespace, where this user is as unprivileged outside as before.
func enterer(root, user string) ([]string, error) {
	if os.Geteuid() == 0 {
		return []string{"chroot", "--userspec=" + user, root}, nil
	}
	if err := exec.CommandContext(context.Background(), "unshare", "-r", "true").Run(); err != nil {
		return nil, fmt.Errorf("chroot needs root, or a kernel that lets users make namespaces (unshare -r true): %w; "+
			"run `sudo make image-check`", err)
	}
	return []string{"unshare", "-r", "chroot", root}, nil
}
