package jobmanager

import "encoding/json"

// quoteJSON writes text as a JSON string. json.Marshal of a string cannot fail.
func quoteJSON(text string) string {
	out, _ := json.Marshal(text)
	return string(out)
}
