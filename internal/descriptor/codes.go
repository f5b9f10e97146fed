package descriptor

// The codes of findings. They are stable: programs branch on them.
const (
	// CodeEmpty (ERROR): the text has no document with content.
	CodeEmpty = "EMPTY"
	// CodeTooLarge (ERROR): the text, or the manifests of its components together, exceed the byte limit.
	CodeTooLarge = "TOO_LARGE"
	// CodeTooDeep (ERROR): lists and mappings nest too deeply.
	CodeTooDeep = "TOO_DEEP"
	// CodeTooManyNodes (ERROR): the documents hold too many keys and values.
	CodeTooManyNodes = "TOO_MANY_NODES"
	// CodeTooManyAliases (ERROR): too many aliases, or too much text once they are expanded.
	CodeTooManyAliases = "TOO_MANY_ALIASES"
	// CodeRecursiveAlias (ERROR): an alias stands inside what it refers to.
	CodeRecursiveAlias = "RECURSIVE_ALIAS"
	// CodeTooManyFindings: more was found than one answer holds. ERROR when an error is among what was left out.
	CodeTooManyFindings = "TOO_MANY_FINDINGS"
	// CodeInvalidCharacter (ERROR): the text is not UTF-8 or holds control characters.
	CodeInvalidCharacter = "INVALID_CHARACTER"
	// CodeYAMLSyntax (ERROR): a document is not YAML.
	CodeYAMLSyntax = "YAML_SYNTAX"
	// CodeDuplicateKey (ERROR): a mapping has one key twice.
	CodeDuplicateKey = "DUPLICATE_KEY"
	// CodeMissingBlank: a list dash without its blank, as in "-name:". WARNING inside a manifest, else ERROR.
	CodeMissingBlank = "MISSING_BLANK"
	// CodeWrongType: a value of another type than the key takes. WARNING where the value is only shown.
	CodeWrongType = "WRONG_TYPE"
	// CodeMissingName (ERROR): the application, a component, a reference or a manifest entry has no name.
	CodeMissingName = "MISSING_NAME"
	// CodeMissingDescription (WARNING): the ICOS Policy Manager needs a description.
	CodeMissingDescription = "MISSING_DESCRIPTION"
	// CodeMissingType (WARNING): the ICOS Policy Manager requires the type of each component.
	CodeMissingType = "MISSING_TYPE"
	// CodeMissingComponents (ERROR): there is nothing to run.
	CodeMissingComponents = "MISSING_COMPONENTS"
	// CodeInvalidName: a name breaks RFC 1123. WARNING for the application, else ERROR.
	CodeInvalidName = "INVALID_NAME"
	// CodeDuplicateComponent (ERROR): two components of one name.
	CodeDuplicateComponent = "DUPLICATE_COMPONENT"
	// CodeDuplicateManifest (ERROR): two manifest entries of one name in one list, or two Kubernetes objects of
	// equal apiVersion, kind, namespace and name.
	CodeDuplicateManifest = "DUPLICATE_MANIFEST"
	// CodeDuplicateReference (WARNING): a component refers to one manifest twice; it is applied once.
	CodeDuplicateReference = "DUPLICATE_REFERENCE"
	// CodeUnresolvedReference: a component refers to a manifest that is not there. WARNING in a descriptor
	// without any manifest, else ERROR.
	CodeUnresolvedReference = "UNRESOLVED_REFERENCE"
	// CodeUnusedManifest (WARNING): no component refers to a manifest.
	CodeUnusedManifest = "UNUSED_MANIFEST"
	// CodeManifestIncomplete: a Kubernetes manifest lacks apiVersion, kind or metadata.name, or an entry its
	// manifest (ERROR); a manifest is neither Kubernetes nor compose by its keys (ERROR when a component of
	// type kubernetes or manifest refers to it, else WARNING).
	CodeManifestIncomplete = "MANIFEST_INCOMPLETE"
	// CodeManifestType (WARNING): a component of type docker refers to a Kubernetes object, or one of type
	// kubernetes or manifest to a compose file.
	CodeManifestType = "MANIFEST_TYPE"
	// CodeManifestRewritten (WARNING): a manifest could not stand alone as written, so it was written anew.
	CodeManifestRewritten = "MANIFEST_REWRITTEN"
	// CodeManifestNotSeparable (ERROR): no text was found that gives the manifest's value on its own.
	CodeManifestNotSeparable = "MANIFEST_NOT_SEPARABLE"
	// CodeMemoryUnit (WARNING): the ICOS Matchmaker fails on this memory.
	CodeMemoryUnit = "MEMORY_UNIT"
	// CodeCPUText (WARNING): the ICOS Matchmaker fails on a cpu that is text.
	CodeCPUText = "CPU_TEXT"
	// CodeUnknownRequirement (WARNING): the ICOS Matchmaker finds no node for a requirement it does not know.
	CodeUnknownRequirement = "UNKNOWN_REQUIREMENT"
	// CodeUnknownComponent (WARNING): a policy or a dependency names no component.
	CodeUnknownComponent = "UNKNOWN_COMPONENT"
	// CodeIncompleteTarget (ERROR): a pinned target lacks its cluster_name or orchestrator.
	CodeIncompleteTarget = "INCOMPLETE_TARGET"
)
