package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const showInfo = `{
 "opus": {"type":"target","name":"opus","virtual":false,"version":"1.6.1","licenses":"BSD-3-Clause, X (docs)","cpe-id":"cpe:2.3:a:opus-codec:opus:1.6.1:*:*:*:*:*:*:*",
  "downloads":[{"source":"opus-1.6.1.tar.gz","uris":["https+https://downloads.xiph.org/releases/opus","https|urlencode+https://sources.buildroot.net/opus"]}],
  "dependencies":["toolchain","host-skeleton"]},
 "plenumd": {"type":"target","name":"plenumd","version":"0.3.0","licenses":"","dependencies":["opus","host-go","udev"],
  "downloads":[{"source":"plenumd-0.3.0.tar.gz","uris":["local+/src/.."]}]},
 "udev": {"type":"target","name":"udev","virtual":true,"version":"","licenses":"unknown"},
 "host-go": {"type":"host","name":"go","version":"1.26.3","licenses":"BSD-3-Clause"},
 "rootfs-squashfs": {"type":"rootfs"}
}`

func TestBill(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"plenum-x86_64", "0.3.0"}, strings.NewReader(showInfo), &out); err != nil {
		t.Fatal(err)
	}
	var doc document
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	names := func(list ...string) (licenses []license) {
		for _, name := range list {
			var l license
			l.License.Name = name
			licenses = append(licenses, l)
		}
		return licenses
	}
	want := document{
		Format: "CycloneDX", Spec: "1.6", Version: 1,
		Metadata: metadata{component{Type: "firmware", Ref: "plenum-x86_64", Name: "plenum-x86_64", Version: "0.3.0"}},
		Components: []component{
			{Type: "library", Ref: "opus", Name: "opus", Version: "1.6.1", CPE: "cpe:2.3:a:opus-codec:opus:1.6.1:*:*:*:*:*:*:*",
				Licenses:   names("BSD-3-Clause", "X (docs)"),
				References: []reference{{"distribution", "https://downloads.xiph.org/releases/opus/opus-1.6.1.tar.gz"}}},
			{Type: "library", Ref: "plenumd", Name: "plenumd", Version: "0.3.0"},
		},
		Dependencies: []dependency{{"opus", nil}, {"plenumd", []string{"opus"}}, {"plenum-x86_64", []string{"opus", "plenumd"}}},
	}
	if diff := cmp.Diff(want, doc); diff != "" {
		t.Errorf("bill (-want +got):\n%s", diff)
	}
}

func TestBillRefuses(t *testing.T) {
	if err := run([]string{"a", "1"}, strings.NewReader("make: *** No rule"), &bytes.Buffer{}); err == nil {
		t.Error("no JSON was taken")
	}
	if err := run([]string{"a"}, strings.NewReader(showInfo), &bytes.Buffer{}); err == nil {
		t.Error("a bill without a version was made")
	}
}
