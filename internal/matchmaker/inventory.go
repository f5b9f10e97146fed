package matchmaker

import (
	_ "embed"
	"fmt"
	"os"

	"go.yaml.in/yaml/v4"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// sample is the built-in inventory; its comments document the format.
//
//go:embed sample.yaml
var sample []byte

// SampleInventory is the built-in inventory of sample.yaml: three ocm clusters and two nuvla ones.
func SampleInventory() (*Static, error) { return ParseStatic(sample) }

// LoadStatic reads an inventory file; sample.yaml documents the format. Errors: INVALID when the file
// cannot be read, or with every problem in its message and, with line and column, in its findings.
func LoadStatic(path string) (*Static, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, jobmanager.Wrap(jobmanager.CodeInvalid, err,
			fmt.Sprintf("the inventory %s cannot be read: let TARGETS_FILE name a readable file", path))
	}
	return parse(text, "the inventory "+path)
}

// ParseStatic reads an inventory. Errors: INVALID with every problem in its message and, with line and
// column, in its findings.
func ParseStatic(text []byte) (*Static, error) { return parse(text, "the inventory") }

// parse takes the words that its error begins with.
func parse(text []byte, called string) (*Static, error) {
	report := &report{}
	var document yaml.Node
	if err := yaml.Load(text, &document); err != nil {
		report.syntax(err)
		return nil, report.refusal(called)
	}
	root := item{node: &document, report: report}
	if document.Kind == yaml.DocumentNode && len(document.Content) == 1 {
		root.node = document.Content[0]
	}
	nodes := readClusters(root)
	if err := report.refusal(called); err != nil {
		return nil, err
	}
	return newStatic(nodes), nil
}

func readClusters(root item) []node {
	clusters := root.fields("clusters").required("clusters")
	var nodes []node
	clusterNames := taken{}
	for _, cluster := range clusters.elements("clusters") {
		fields := cluster.fields("name", "orchestrator", "types", "nodes")
		name := fields.required("name")
		clusterNames.claim(name)
		common := node{
			target: jobmanager.Target{Cluster: name.text(), Orchestrator: fields.required("orchestrator").text()},
			types:  fields.optional("types").texts(),
		}
		nodeNames := taken{}
		for _, element := range fields.required("nodes").elements("nodes") {
			nodes = append(nodes, readNode(element, common, nodeNames))
		}
	}
	return nodes
}

// readNode completes what the cluster gives to each of its nodes.
func readNode(element item, n node, nodeNames taken) node {
	fields := element.fields("name", "architecture", "cpu", "memory", "devices", "labels")
	name := fields.required("name")
	nodeNames.claim(name)
	n.target.Node = jobmanager.Text(name.text())
	n.architecture = canonicalArchitecture(fields.required("architecture").text())
	n.cpu = fields.required("cpu").quantity(parseCPU, "a number of cores above 0, such as 4 or 500m")
	n.memory = fields.required("memory").quantity(parseMemory, "an amount above 0, such as 512Mi or 8Gi")
	n.devices = fields.optional("devices").texts()
	n.labels = fields.optional("labels").textMap()
	return n
}
