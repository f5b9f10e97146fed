package descriptor

import (
	"go.yaml.in/yaml/v4"
)

// commentedHeader is the header with the references of a change and without manifests, its comments kept.
func commentedHeader(header string, c *change) (string, error) {
	document, err := composeDocument(header, c.parser.Depth)
	if err != nil {
		return "", err
	}
	return dumpHeader(document, c)
}

// plainHeader is the same without comments, anchors, aliases and merge keys: each part stands for itself.
func plainHeader(header string, c *change) (string, error) {
	root, err := compose(header, c.parser.Depth)
	if err != nil {
		return "", err
	}
	return dumpHeader(&yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{expanded(root)}}, c)
}

func dumpHeader(document *yaml.Node, c *change) (string, error) {
	root := document.Content[0]
	// Parse has accepted the header, so these are a mapping and a list of mappings.
	fields, _ := mappingOf(root)
	items, _ := itemsOf(fields.get("components"))
	for i, part := range c.present.components {
		if _, changed := c.texts[part.Name]; changed && i < len(items) {
			setKey(resolved(items[i]), "manifests", references(c.names[part.Name]))
		}
	}
	setKey(resolved(root), "manifests", nil)
	text, err := yaml.Dump(document, yaml.WithV4Defaults(), yaml.WithLineWidth(-1))
	return string(text), err
}

// references is the list of names under a component's manifests.
func references(names []string) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, name := range names {
		list.Content = append(list.Content, &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{text("name"), text(name)}})
	}
	return list
}

func text(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tagStr, Value: value}
}

// setKey gives a mapping a value under a key, in the key's place where it has one; nil removes the key.
func setKey(mapping *yaml.Node, key string, value *yaml.Node) {
	content := mapping.Content[:0:0]
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		at, was := mapping.Content[i], mapping.Content[i+1]
		if keyText(at) != key {
			content = append(content, at, was)
			continue
		}
		if value != nil {
			content = append(content, at, value)
			value = nil
		}
	}
	if value != nil {
		content = append(content, text(key), value)
	}
	mapping.Content = content
}
