package transport

import (
	"mime"
	"strconv"
	"strings"
)

// The media types of an answer. Errors in the document have a status of their own only in the first: clients
// of the second expect 200 for every well-formed request.
const (
	mediaResponse = "application/graphql-response+json"
	mediaJSON     = "application/json"
)

// negotiate picks the media type of the answer from the Accept headers: the one with the greatest q, of
// equals the one that is named first, and application/json where only a wildcard or nothing asks. It is false
// when the client takes neither.
func negotiate(accept []string) (mediaType string, acceptable bool) {
	header := strings.Join(accept, ",")
	if strings.TrimSpace(header) == "" {
		return mediaJSON, true
	}
	weights := map[string]float64{}
	var named []string
	for part := range strings.SplitSeq(header, ",") {
		name, weight, ok := mediaRange(part)
		if _, again := weights[name]; !ok || again {
			continue
		}
		weights[name] = weight
		if name == mediaJSON || name == mediaResponse {
			named = append(named, name)
		}
	}
	best := 0.0
	for _, candidate := range append(named, mediaJSON, mediaResponse) {
		if weight := weightOf(candidate, weights); weight > best {
			mediaType, best = candidate, weight
		}
	}
	return mediaType, best > 0
}

// weightOf is the q of the most specific range that covers the media type; 0 when none does.
func weightOf(mediaType string, weights map[string]float64) float64 {
	for _, name := range []string{mediaType, "application/*", "*/*"} {
		if weight, asked := weights[name]; asked {
			return weight
		}
	}
	return 0
}

// mediaRange reads one element of an Accept header. A range that asks for another charset than UTF-8 asks for
// something that we never send.
func mediaRange(part string) (name string, weight float64, ok bool) {
	name, params, err := mime.ParseMediaType(part)
	if err != nil || !utf8Charset(params) {
		return "", 0, false
	}
	q, given := params["q"]
	if !given {
		return name, 1, true
	}
	weight, err = strconv.ParseFloat(q, 64)
	return name, weight, err == nil && weight >= 0 && weight <= 1
}

func utf8Charset(params map[string]string) bool {
	charset, given := params["charset"]
	return !given || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}
