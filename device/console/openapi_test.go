package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"plenum/device/diag"
	"plenum/device/health"
	"plenum/device/service"
	"plenum/device/setup"
	"plenum/device/stick"
	"plenum/device/update"
)

// spec is openapi.yaml as plain maps and lists.
type spec struct{ root map[string]any }

func loadSpec(t testing.TB) spec {
	t.Helper()
	var s spec
	if err := yaml.Unmarshal(openAPIText, &s.root); err != nil {
		t.Fatal(err)
	}
	return s
}

// at follows keys down, and references on the way.
func (s spec) at(keys ...string) any {
	var here any = s.root
	for _, k := range keys {
		m, ok := s.deref(here).(map[string]any)
		if !ok {
			return nil
		}
		here = m[k]
	}
	return s.deref(here)
}

func (s spec) deref(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	ref, ok := m["$ref"].(string)
	if !ok {
		return v
	}
	return s.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
}

// documentedPath is a mux pattern as OpenAPI writes it.
func documentedPath(pattern string) string {
	return strings.NewReplacer("{$}", "", "...}", "}").Replace(pattern)
}

// check holds one answer against the document: status, content type, and the body against its schema.
func (s spec) check(pattern, method string, r reply) error {
	if method == "HEAD" {
		return nil
	}
	answer := s.at("paths", documentedPath(pattern), strings.ToLower(method), "responses", strconv.Itoa(r.status))
	if answer == nil {
		return fmt.Errorf("answer %d of %s is not documented: %.200s", r.status, pattern, r.body)
	}
	content, ok := s.at("paths", documentedPath(pattern), strings.ToLower(method), "responses", strconv.Itoa(r.status), "content").(map[string]any)
	if !ok {
		return nil
	}
	kind, _, err := mime.ParseMediaType(r.header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("content type %q: %w", r.header.Get("Content-Type"), err)
	}
	part, ok := content[kind].(map[string]any)
	if !ok {
		if _, any := content["*/*"]; any {
			return nil
		}
		return fmt.Errorf("content type %s is not documented for answer %d of %s", kind, r.status, pattern)
	}
	if !strings.HasSuffix(kind, "json") {
		return nil
	}
	var body any
	if err := json.Unmarshal(r.body, &body); err != nil {
		return err
	}
	return s.fits(part["schema"], body, "body")
}

// fits holds a value against the part of JSON Schema that the document uses.
func (s spec) fits(schema, v any, where string) error {
	m, ok := s.deref(schema).(map[string]any)
	if !ok {
		return fmt.Errorf("%s: no schema", where)
	}
	if want, ok := m["const"]; ok && v != want {
		return fmt.Errorf("%s: %v, want %v", where, v, want)
	}
	if enum, ok := m["enum"].([]any); ok && !slices.Contains(enum, v) {
		return fmt.Errorf("%s: %v is none of %v", where, v, enum)
	}
	if ways, ok := m["anyOf"].([]any); ok {
		var errs []error
		for _, way := range ways {
			err := s.fits(way, v, where)
			if err == nil {
				return nil
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}
	switch m["type"] {
	case "null":
		if v != nil {
			return fmt.Errorf("%s: %v is not null", where, v)
		}
	case "object":
		return s.fitsObject(m, v, where)
	case "array":
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%s: %T is no array", where, v)
		}
		for i, item := range list {
			if err := s.fits(m["items"], item, where+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
	case "string", "boolean", "integer":
		got := map[reflect.Kind]string{reflect.String: "string", reflect.Bool: "boolean", reflect.Float64: "integer"}[reflect.ValueOf(v).Kind()]
		if got != m["type"] {
			return fmt.Errorf("%s: %T is no %s", where, v, m["type"])
		}
	}
	return nil
}

func (s spec) fitsObject(m map[string]any, v any, where string) error {
	obj, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: %T is no object", where, v)
	}
	props, _ := m["properties"].(map[string]any)
	required, _ := m["required"].([]any)
	for _, name := range required {
		if _, ok := obj[name.(string)]; !ok {
			return fmt.Errorf("%s: no %s", where, name)
		}
	}
	for name, value := range obj {
		if props[name] == nil {
			return fmt.Errorf("%s: %s is not documented", where, name)
		}
		if err := s.fits(props[name], value, where+"."+name); err != nil {
			return err
		}
	}
	return nil
}

// Every route stands in the document, and everything in the document is a route.
func TestRoutesAreDocumented(t *testing.T) {
	b := newBox(t)
	var have, want []string
	open := make(map[string]bool)
	for _, rt := range b.con.routes() {
		id := rt.method + " " + documentedPath(rt.path)
		have = append(have, id)
		open[id] = rt.open
	}
	s := loadSpec(t)
	for path, item := range s.at("paths").(map[string]any) {
		for method := range item.(map[string]any) {
			if method == "parameters" {
				continue
			}
			id := strings.ToUpper(method) + " " + path
			want = append(want, id)
			security, given := item.(map[string]any)[method].(map[string]any)["security"].([]any)
			if free := given && len(security) == 0; free != open[id] {
				t.Errorf("%s: without a token in the document %v, in the program %v", id, free, open[id])
			}
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("document (-) and program (+) differ:\n%s", diff)
	}
}

// The schemas have the fields of the Go types, required where they are never left out.
func TestSchemasAreTheTypes(t *testing.T) {
	s := loadSpec(t)
	for name, v := range map[string]any{
		"View": View{}, "Me": Me{}, "Speaker": Speaker{}, "Request": Request{}, "Person": Person{}, "Leg": Leg{},
		"Word": Word{}, "Desk": Desk{}, "Fault": Fault{}, "Media": Media{}, "Problem": Problem{}, "Session": session{},
		"Alarm": Alarm{}, "Item": Item{}, "Override": Override{}, "Device": health.Item{}, "SelfTest": health.Report{}, "Check": health.Check{},
		"First": First{}, "Service": service.View{}, "Release": service.Release{}, "Stick": stick.View{}, "Update": update.View{},
		"Outcome": update.Outcome{}, "Setup": setup.View{}, "SetupLine": setup.Line{}, "Diagnosis": diag.View{},
		"TechnicianMode": service.Mode{}, "RefusedUSB": service.Refused{}, "Condition": health.Condition{},
	} {
		var have, must []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			field, option, _ := strings.Cut(f.Tag.Get("json"), ",")
			have = append(have, field)
			if option == "" {
				must = append(must, field)
			}
		}
		props, _ := s.at("components", "schemas", name, "properties").(map[string]any)
		required, _ := s.at("components", "schemas", name, "required").([]any)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(props)), slices.Sorted(slices.Values(have))); diff != "" {
			t.Errorf("%s: document (-) and type (+) differ:\n%s", name, diff)
		}
		if diff := cmp.Diff(texts(required), slices.Sorted(slices.Values(must))); diff != "" {
			t.Errorf("%s: required in document (-) and type (+) differ:\n%s", name, diff)
		}
	}
}

func TestCommandsAreDocumented(t *testing.T) {
	s := loadSpec(t)
	params, _ := s.at("paths", "/api/v1/commands/{name}", "post", "parameters").([]any)
	enum, _ := params[0].(map[string]any)["schema"].(map[string]any)["enum"].([]any)
	var names []string
	for _, o := range orders() {
		names = append(names, o.name)
		schema := "Command_" + o.name
		props, _ := s.at("components", "schemas", schema, "properties").(map[string]any)
		required, _ := s.at("components", "schemas", schema, "required").([]any)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(props)), slices.Sorted(slices.Values(slices.Concat(o.required, o.optional)))); diff != "" {
			t.Errorf("%s: document (-) and program (+) differ:\n%s", o.name, diff)
		}
		if diff := cmp.Diff(texts(required), slices.Sorted(slices.Values(o.required))); diff != "" {
			t.Errorf("%s: required in document (-) and program (+) differ:\n%s", o.name, diff)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff(texts(enum), names); diff != "" {
		t.Errorf("document (-) and program (+) differ:\n%s", diff)
	}
}

func TestCodesAreDocumented(t *testing.T) {
	enum, _ := loadSpec(t).at("components", "schemas", "Problem", "properties", "code", "enum").([]any)
	have := map[string]bool{
		"unauthorized": true, "wrong_pin": true, "too_many_tries": true, "no_pin": true, "not_found": true,
		"method_not_allowed": true, "internal": true, "pin_set": true, "not_appliance": true, // those that are no refusal of the clerk or the rules
	}
	for _, r := range refusals() {
		have[r.code] = true
	}
	if diff := cmp.Diff(texts(enum), slices.Sorted(maps.Keys(have))); diff != "" {
		t.Errorf("document (-) and program (+) differ:\n%s", diff)
	}
}

func texts(list []any) []string {
	var out []string
	for _, v := range list {
		out = append(out, fmt.Sprint(v))
	}
	slices.Sort(out)
	return out
}
