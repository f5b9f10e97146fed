package matchmaker

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// quantity is a number with an optional unit: 500m, 0.5, 200Mi, 1.5 GB, 1e9.
var quantity = regexp.MustCompile(`^((?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]*)$`)

// memoryUnits in bytes, by their upper-case letters without the B: Mi and MiB are binary; M, MB and Mb decimal.
var memoryUnits = map[string]float64{
	"": 1, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
	"KI": 1 << 10, "MI": 1 << 20, "GI": 1 << 30, "TI": 1 << 40, "PI": 1 << 50,
}

func splitQuantity(text string) (number float64, unit string, ok bool) {
	parts := quantity.FindStringSubmatch(strings.TrimSpace(text))
	if parts == nil {
		return 0, "", false
	}
	number, err := strconv.ParseFloat(parts[1], 64)
	return number, parts[2], err == nil && !math.IsInf(number, 0)
}

// parseCPU gives cores: 2, 0.5 or 500m.
func parseCPU(text string) (cores float64, ok bool) {
	number, unit, ok := splitQuantity(text)
	switch {
	case ok && unit == "":
		return number, true
	case ok && unit == "m":
		return number / 1000, true
	}
	return 0, false
}

// parseMemory gives bytes: 200Mi, 7Gi, 200M, 200Mb, 1048576.
func parseMemory(text string) (bytes float64, ok bool) {
	number, unit, ok := splitQuantity(text)
	if !ok || unit == "m" { // thousandths of a byte: surely a slip
		return 0, false
	}
	scale, known := memoryUnits[strings.TrimSuffix(strings.ToUpper(unit), "B")]
	return number * scale, known
}

// canonicalArchitecture gives one spelling for the aliases; others are compared in lower case.
func canonicalArchitecture(text string) string {
	switch name := strings.ToLower(strings.TrimSpace(text)); name {
	case "intel", "x86_64", "x86-64", "amd64":
		return "amd64"
	case "arm64", "aarch64":
		return "arm64"
	default:
		return name
	}
}
