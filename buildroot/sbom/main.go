// Command sbom turns what Buildroot's show-info says of an image into a bill of materials: CycloneDX 1.6, JSON, with every
// package that is in the image (not those that only helped to build it), its version, licences, CPE where Buildroot names
// one, and the address of its source.
//
//	make -s -C OUTPUT show-info | sbom NAME VERSION > bom.json
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: sbom NAME VERSION < show-info.json")
	}
	var info map[string]pkg
	if err := json.NewDecoder(in).Decode(&info); err != nil {
		return fmt.Errorf("reading show-info: %w", err)
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(bill(args[0], args[1], info))
}

// pkg is what show-info says of a package, as far as it is of use here.
type pkg struct {
	Type      string `json:"type"` // target, host, rootfs
	Name      string `json:"name"`
	Virtual   bool   `json:"virtual"`
	Version   string `json:"version"`
	Licenses  string `json:"licenses"`
	CPE       string `json:"cpe-id"`
	Downloads []struct {
		Source string   `json:"source"`
		URIs   []string `json:"uris"`
	} `json:"downloads"`
	Dependencies []string `json:"dependencies"`
}

// The parts of a CycloneDX document that are filled.
type (
	document struct {
		Format       string       `json:"bomFormat"`
		Spec         string       `json:"specVersion"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Component component `json:"component"`
	}
	component struct {
		Type       string      `json:"type"`
		Ref        string      `json:"bom-ref"`
		Name       string      `json:"name"`
		Version    string      `json:"version,omitempty"`
		CPE        string      `json:"cpe,omitempty"`
		Licenses   []license   `json:"licenses,omitempty"`
		References []reference `json:"externalReferences,omitempty"`
	}
	license struct {
		License struct {
			Name string `json:"name"`
		} `json:"license"`
	}
	reference struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	}
	dependency struct {
		Ref  string   `json:"ref"`
		Uses []string `json:"dependsOn,omitempty"`
	}
)

// bill lists the packages of the image by name; the image itself depends on all of them.
func bill(name, version string, info map[string]pkg) document {
	image := component{Type: "firmware", Ref: name, Name: name, Version: version}
	doc := document{Format: "CycloneDX", Spec: "1.6", Version: 1, Metadata: metadata{image}}
	all := dependency{Ref: name}
	inside := func(key string) bool { return info[key].Type == "target" && !info[key].Virtual }
	for _, key := range sorted(info) {
		if !inside(key) {
			continue
		}
		p := info[key]
		doc.Components = append(doc.Components, part(key, p))
		all.Uses = append(all.Uses, key)
		uses := slices.DeleteFunc(slices.Sorted(slices.Values(p.Dependencies)), func(d string) bool { return !inside(d) })
		doc.Dependencies = append(doc.Dependencies, dependency{key, uses})
	}
	doc.Dependencies = append(doc.Dependencies, all)
	return doc
}

func sorted(info map[string]pkg) []string {
	keys := make([]string, 0, len(info))
	for key := range info {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func part(key string, p pkg) component {
	c := component{Type: "library", Ref: key, Name: p.Name, Version: p.Version}
	if p.CPE != "" && p.CPE != "unknown" {
		c.CPE = p.CPE
	}
	// Buildroot names licences in words of its own ("GPL-2.0+ (tools), LGPL-2.1+"): names, not SPDX expressions.
	for name := range strings.SplitSeq(p.Licenses, ",") {
		if name = strings.TrimSpace(name); name != "" {
			var l license
			l.License.Name = name
			c.Licenses = append(c.Licenses, l)
		}
	}
	for _, d := range p.Downloads {
		for _, uri := range d.URIs {
			// "https+https://host/path": the method, then where; the last ones are Buildroot's own mirrors.
			_, url, ok := strings.Cut(uri, "+")
			if ok && strings.HasPrefix(url, "http") && !strings.Contains(url, "sources.buildroot.net") {
				c.References = append(c.References, reference{"distribution", strings.TrimSuffix(url, "/") + "/" + d.Source})
			}
		}
	}
	return c
}
