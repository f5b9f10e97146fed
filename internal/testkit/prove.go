package testkit

import "os"

// proveEnv makes the proofs long; make prove sets it.
const proveEnv = "JOBMANAGER_PROVE"

// Rounds is how often a proof goes round: short in an ordinary run, long under make prove. A proof is a test whose
// name begins with TestProof.
func Rounds(short, long int) int {
	if os.Getenv(proveEnv) != "" {
		return long
	}
	return short
}
