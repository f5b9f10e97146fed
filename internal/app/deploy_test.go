package app_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// What the tests read of deploy/kubernetes, under Kubernetes' own names.
type (
	// kubernetesObject is any of the folder's objects; each has the fields of its kind.
	kubernetesObject struct {
		Kind       string
		Metadata   struct{ Name string }
		Data       map[string]string
		StringData map[string]string `yaml:"stringData"`
		Spec       kubernetesSpec
	}
	kubernetesSpec struct {
		// Of a Deployment.
		Replicas int
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     kubernetesPod
		}
		// Of a Service; its selector is one of labels, that of a Deployment or a budget has matchLabels.
		Type     string
		Selector map[string]any
		Ports    []struct {
			Port       int
			NodePort   int    `yaml:"nodePort"`
			TargetPort string `yaml:"targetPort"`
		}
	}
	kubernetesPod struct {
		Grace           int `yaml:"terminationGracePeriodSeconds"`
		SecurityContext struct {
			RunAsNonRoot bool `yaml:"runAsNonRoot"`
			RunAsUser    int  `yaml:"runAsUser"`
		} `yaml:"securityContext"`
		Containers []kubernetesContainer
		Volumes    []kubernetesVolume
	}
	kubernetesVolume struct {
		Name   string
		Secret struct {
			SecretName string `yaml:"secretName"`
		}
	}
	kubernetesContainer struct {
		Ports []struct {
			Name          string
			ContainerPort int `yaml:"containerPort"`
		}
		EnvFrom []struct {
			ConfigMapRef struct{ Name string } `yaml:"configMapRef"`
		} `yaml:"envFrom"`
		Env          []struct{ Name, Value string }
		VolumeMounts []struct {
			Name      string
			MountPath string `yaml:"mountPath"`
			ReadOnly  bool   `yaml:"readOnly"`
		} `yaml:"volumeMounts"`
		StartupProbe    kubernetesProbe `yaml:"startupProbe"`
		LivenessProbe   kubernetesProbe `yaml:"livenessProbe"`
		ReadinessProbe  kubernetesProbe `yaml:"readinessProbe"`
		SecurityContext struct {
			ReadOnlyRoot bool `yaml:"readOnlyRootFilesystem"`
			Escalation   bool `yaml:"allowPrivilegeEscalation"`
		} `yaml:"securityContext"`
		Resources struct{ Requests, Limits map[string]string }
	}
	kubernetesProbe struct {
		HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
	}
)

// deployment is what the folder deploys.
type deployment struct {
	t       *testing.T
	objects map[string]kubernetesObject // by kind and name
	pod     kubernetesPod
	kubernetesContainer
}

// readDeployment reads every file of the folder.
func readDeployment(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{t: t, objects: map[string]kubernetesObject{}}
	files, err := filepath.Glob("../../deploy/kubernetes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
			var o kubernetesObject
			err := decoder.Decode(&o)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			d.objects[o.Kind+" "+o.Metadata.Name] = o
		}
	}
	d.pod = d.object("Deployment job-manager").Spec.Template.Spec
	if len(d.pod.Containers) != 1 {
		t.Fatalf("the pod has %d containers", len(d.pod.Containers))
	}
	d.kubernetesContainer = d.pod.Containers[0]
	return d
}

func (d *deployment) object(name string) kubernetesObject {
	d.t.Helper()
	o, ok := d.objects[name]
	if !ok {
		d.t.Fatalf("deploy/kubernetes has no %s, but %v", name, slices.Collect(maps.Keys(d.objects)))
	}
	return o
}

// environment is what the container's process sees, by name.
func (d *deployment) environment() map[string]string {
	d.t.Helper()
	environment := map[string]string{}
	for _, from := range d.EnvFrom {
		maps.Copy(environment, d.object("ConfigMap "+from.ConfigMapRef.Name).Data)
	}
	for _, variable := range d.Env {
		if _, twice := environment[variable.Name]; twice || variable.Value == "" {
			d.t.Errorf("%s is set twice, or to nothing", variable.Name)
		}
		environment[variable.Name] = variable.Value
	}
	return environment
}

// mount puts the secrets where the environment looks for them: under root instead of the container's own. Values
// replace what the folder leaves to be filled in.
func (d *deployment) mount(root string, values map[string]string) {
	d.t.Helper()
	for _, mount := range d.VolumeMounts {
		at := slices.IndexFunc(d.pod.Volumes, func(v kubernetesVolume) bool { return v.Name == mount.Name })
		if at < 0 || !mount.ReadOnly {
			d.t.Fatalf("there is no volume %s, or it can be written to", mount.Name)
		}
		folder := filepath.Join(root, mount.MountPath)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			d.t.Fatal(err)
		}
		for key, value := range d.object("Secret " + d.pod.Volumes[at].Secret.SecretName).StringData {
			if filled, ok := values[key]; ok {
				value = filled
			}
			if err := os.WriteFile(filepath.Join(folder, key), []byte(value+"\n"), 0o400); err != nil {
				d.t.Fatal(err)
			}
		}
	}
}

// settings are the names of all that the server can be told by its environment.
func settings() []string {
	var names []string
	for part := range reflect.TypeFor[config.Config]().Fields() {
		if part.Type.Kind() != reflect.Struct {
			continue
		}
		for field := range part.Type.Fields() {
			if name := field.Tag.Get("env"); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

func TestKubernetesDeploymentServesWithItsEnvironment(t *testing.T) {
	t.Parallel()
	d, root, realm := readDeployment(t), t.TempDir(), testkit.NewRealm(t)
	d.mount(root, map[string]string{"database-url": testkit.PostgresURL(t), "keycloak-public-key": realm.PublicKey()})
	environment := d.environment()
	port := strconv.Itoa(quietPort(t))
	p := &process{t: t, url: "http://127.0.0.1:" + port, env: []string{serveEnv + "=1"}}
	for name, value := range environment {
		switch {
		case name == "SERVER_PORT":
			value = port // the deployment's own may be taken on this machine
		case strings.HasPrefix(value, "/"):
			value = filepath.Join(root, value)
			if _, err := os.Stat(value); err != nil {
				t.Errorf("%s names a file that no Secret has: %v", name, err)
			}
		}
		p.env = append(p.env, name+"="+value)
	}
	p.start()
	t.Cleanup(func() { p.end(syscall.SIGTERM) })

	for _, probe := range []kubernetesProbe{d.StartupProbe, d.LivenessProbe, d.ReadinessProbe} {
		if status := statusOf(t, p.url+probe.HTTPGet.Path, ""); status != http.StatusOK {
			t.Errorf("the probe of %s gets %d", probe.HTTPGet.Path, status)
		}
	}
	if status := statusOf(t, p.url+"/jobmanager/jobs", ""); status != http.StatusUnauthorized {
		t.Errorf("a caller without a token gets %d", status)
	}
	if status := statusOf(t, p.url+"/jobmanager/jobs", realm.Token("agent")); status != http.StatusOK {
		t.Errorf("a caller with a token of the realm gets %d", status)
	}
}

// statusOf asks with a token, or without one.
func statusOf(t *testing.T, url, token string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // only the status is read
	return response.StatusCode
}

func TestKubernetesDeploymentSetsWhatThereIs(t *testing.T) {
	t.Parallel()
	d := readDeployment(t)
	environment, known := d.environment(), settings()
	for name := range environment {
		if !slices.Contains(known, name) {
			t.Errorf("%s is no setting of the server", name)
		}
	}
	for _, name := range []string{
		"SERVER_PORT", "LISTEN_HOST", "MATCHMAKING_URL", "POLICYMANAGER_URL", "DATABASE_URL_FILE", "KEYCLOAK_PUBLIC_KEY_FILE", "SERVICE_TOKEN_FILE",
	} {
		if environment[name] == "" {
			t.Errorf("%s is not set", name)
		}
	}
	for key := range d.object("Secret job-manager").StringData {
		if !slices.ContainsFunc(slices.Collect(maps.Values(environment)), func(value string) bool { return filepath.Base(value) == key }) {
			t.Errorf("nothing reads %s of the Secret", key)
		}
	}
	timeout, err := time.ParseDuration(environment["SHUTDOWN_TIMEOUT"])
	if grace := time.Duration(d.pod.Grace) * time.Second; err != nil || grace <= timeout {
		t.Errorf("the server may take %s to stop, and is killed after %s (%v)", timeout, grace, err)
	}
}

func TestKubernetesObjectsFitTogether(t *testing.T) {
	t.Parallel()
	d := readDeployment(t)
	labels := d.object("Deployment job-manager").Spec.Template.Metadata.Labels
	port := d.Ports[0]
	if want := d.environment()["SERVER_PORT"]; strconv.Itoa(port.ContainerPort) != want {
		t.Errorf("the container's port is %d, the server's %s", port.ContainerPort, want)
	}
	for name, nodePort := range map[string]int{"Service job-manager": 0, "Service job-manager-nodeport": 32300} {
		service := d.object(name).Spec
		if at := service.Ports[0]; at.Port != 8082 || at.TargetPort != port.Name || at.NodePort != nodePort {
			t.Errorf("%s: %+v", name, at)
		}
		for key, value := range service.Selector {
			if labels[key] != value {
				t.Errorf("%s selects %s=%v, the pod has %v", name, key, value, labels)
			}
		}
	}
	budget := d.object("PodDisruptionBudget job-manager").Spec.Selector["matchLabels"]
	if want := any(map[string]any{"app.kubernetes.io/name": labels["app.kubernetes.io/name"]}); !reflect.DeepEqual(budget, want) {
		t.Errorf("the budget selects %v, want %v", budget, want)
	}
	if replicas := d.object("Deployment job-manager").Spec.Replicas; replicas < 2 {
		t.Errorf("%d replicas are not enough to update one after the other", replicas)
	}
	for _, probe := range []kubernetesProbe{d.StartupProbe, d.LivenessProbe, d.ReadinessProbe} {
		if probe.HTTPGet.Port != port.Name {
			t.Errorf("a probe asks port %q", probe.HTTPGet.Port)
		}
	}
}

func TestKubernetesPodMayDoLittle(t *testing.T) {
	t.Parallel()
	d := readDeployment(t)
	if user := d.pod.SecurityContext; !user.RunAsNonRoot || user.RunAsUser != 65532 {
		t.Errorf("the pod runs as %+v, the image as 65532", user)
	}
	if may := d.SecurityContext; !may.ReadOnlyRoot || may.Escalation {
		t.Errorf("the container may do %+v", may)
	}
	if d.Resources.Requests["memory"] == "" || d.Resources.Limits["memory"] == "" {
		t.Errorf("the container's resources are not bounded: %+v", d.Resources)
	}
}
