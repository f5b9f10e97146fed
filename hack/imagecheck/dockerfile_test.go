package main

import (
	"os"
	"strings"
	"testing"
)

const dockerfile = "../../Dockerfile"

func TestDockerfileSaysWhatItsUsersCountOn(t *testing.T) {
	t.Parallel()
	i, err := readImage(dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(i.build, "RUN") || i.env["SERVER_PORT"] != "8082" {
		t.Errorf("read wrongly: %+v", i)
	}
}

func TestDockerfileThatBreaksAPromiseIsRefused(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, changed, complaint string }{
		{"CGO_ENABLED=0 ", "", "build command"},
		{"main.version=${VERSION}", "main.version=1", "build command"},
		{"FROM scratch", "FROM debian:12", "final stage"},
		{"USER 65532:65532", "USER 0:0", "USER"},
		{"USER 65532:65532", "USER nobody", "USER"},
		{"--chown=65532:65532 ", "", "owner of /data"},
		{"VOLUME /data", "", "VOLUME"},
		{"EXPOSE 8082", "EXPOSE 80", "EXPOSE"},
		{"LISTEN_HOST=0.0.0.0", "LISTEN_HOST=127.0.0.1", "LISTEN_HOST"},
		{"DATA_DIR=/data", "", "DATA_DIR"},
		{`["/jobmanager", "health"]`, `["/jobmanager"]`, "HEALTHCHECK"},
		{`["/jobmanager", "health"]`, `/jobmanager health`, "HEALTHCHECK"},
		{"COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt", "", "certificates"},
		{"EXPOSE 8082", "EXPOSE 8082\nRUN true", "no shell"},
		{"EXPOSE 8082", "EXPOSE 8082\nCOPY --from=build /src /src", "alone"},
		{"EXPOSE 8082", "EXPOSE 8082\nSTOPSIGNAL SIGKILL", "does not know STOPSIGNAL"},
	} {
		changed := strings.Replace(string(text), c.old, c.changed, 1)
		if changed == string(text) {
			t.Errorf("%q is not in the Dockerfile", c.old)
			continue
		}
		i, err := parse(changed)
		complaint := strings.Join(i.check(), "\n")
		if err != nil {
			complaint = err.Error()
		}
		if !strings.Contains(complaint, c.complaint) {
			t.Errorf("%q for %q: complaint %q, want one about %q", c.changed, c.old, complaint, c.complaint)
		}
	}
}

func TestLinesThatGoOnAreJoined(t *testing.T) {
	t.Parallel()
	got := logicalLines("# a comment\nRUN one \\\n    # in between\n    two\n\nUSER 1:1\n")
	if want := "RUN one two|USER 1:1"; strings.Join(got, "|") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
