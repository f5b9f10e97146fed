//go:build !linux

package demo

import "syscall"

// attributes put the server into a group of its own, for Control-C in the terminal is for the demo, which
// stops the server last. Only Linux can be told to end it when the demo is killed.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
