package demo

import "syscall"

// attributes put the server into a group of its own, for Control-C in the terminal is for the demo, which
// stops the server last; and they let it end when the demo is killed and can stop nothing any more.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
