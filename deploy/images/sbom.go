package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const spdxType = "application/spdx+json"

// A bill is an SPDX 2.3 document, as far as it is used here.
type bill struct {
	SPDXVersion       string         `json:"spdxVersion"`
	DataLicense       string         `json:"dataLicense"`
	SPDXID            string         `json:"SPDXID"`
	Name              string         `json:"name"`
	DocumentNamespace string         `json:"documentNamespace"`
	CreationInfo      creation       `json:"creationInfo"`
	Packages          []part         `json:"packages"`
	Relationships     []relationship `json:"relationships"`
}

type creation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type part struct {
	SPDXID           string     `json:"SPDXID"`
	Name             string     `json:"name"`
	VersionInfo      string     `json:"versionInfo,omitempty"`
	DownloadLocation string     `json:"downloadLocation"`
	FilesAnalyzed    bool       `json:"filesAnalyzed"`
	LicenseConcluded string     `json:"licenseConcluded"`
	LicenseDeclared  string     `json:"licenseDeclared"`
	CopyrightText    string     `json:"copyrightText"`
	Checksums        []checksum `json:"checksums,omitempty"`
	ExternalRefs     []external `json:"externalRefs,omitempty"`
	Purpose          string     `json:"primaryPackagePurpose,omitempty"`
}

type checksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type external struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type relationship struct {
	Element string `json:"spdxElementId"`
	Type    string `json:"relationshipType"`
	Related string `json:"relatedSpdxElement"`
}

const unknown = "NOASSERTION"

// sbom says what an image is made of: each module that the linker put into the
// binary, the toolchain, and the certificates.
func (r *release) sbom(title string, image v1.Hash) ([]byte, error) {
	sum, _, err := v1.SHA256(bytes.NewReader(r.binary))
	if err != nil {
		return nil, err
	}
	const root, program = "SPDXRef-Image", "SPDXRef-Binary"
	b := bill{
		SPDXVersion: "SPDX-2.3", DataLicense: "CC0-1.0", SPDXID: "SPDXRef-DOCUMENT", Name: title,
		DocumentNamespace: "https://leviathan.invalid/spdx/" + title + "/" + image.Hex,
		CreationInfo:      creation{r.created.Format(time.RFC3339), []string{"Tool: leviathan-images"}},
		Packages: []part{
			{SPDXID: root, Name: title, VersionInfo: r.version, DownloadLocation: unknown, LicenseConcluded: unknown, LicenseDeclared: "Apache-2.0", CopyrightText: unknown,
				Checksums: []checksum{{"SHA256", image.Hex}}, Purpose: "CONTAINER",
				ExternalRefs: []external{{"PACKAGE-MANAGER", "purl", "pkg:oci/" + title + "@" + url.QueryEscape(image.String())}}},
			{SPDXID: program, Name: r.info.Path, VersionInfo: r.version, DownloadLocation: unknown, LicenseConcluded: unknown, LicenseDeclared: "Apache-2.0", CopyrightText: unknown,
				Checksums: []checksum{{"SHA256", sum.Hex}}, Purpose: "APPLICATION"},
		},
		Relationships: []relationship{{"SPDXRef-DOCUMENT", "DESCRIBES", root}, {root, "CONTAINS", program}},
	}
	add := func(path, version, from, how string) {
		p := part{SPDXID: "SPDXRef-" + reference(path+"-"+version), Name: path, VersionInfo: version, DownloadLocation: unknown, LicenseConcluded: unknown,
			LicenseDeclared: unknown, CopyrightText: unknown, Purpose: "LIBRARY",
			ExternalRefs: []external{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + purl(path) + "@" + url.PathEscape(version)}}}
		b.Packages = append(b.Packages, p)
		b.Relationships = append(b.Relationships, relationship{from, how, p.SPDXID})
	}
	add("stdlib", strings.TrimPrefix(r.info.GoVersion, "go"), program, "STATIC_LINK")
	modules := slices.Clone(r.info.Deps)
	slices.SortFunc(modules, func(a, b *debug.Module) int { return strings.Compare(a.Path, b.Path) })
	for _, m := range modules {
		if m.Replace != nil {
			m = m.Replace
		}
		add(m.Path, m.Version, program, "STATIC_LINK")
	}
	roots, err := rootsModule()
	if err != nil {
		return nil, err
	}
	add(roots.Path, roots.Version, root, "CONTAINS")
	out, err := json.MarshalIndent(b, "", "  ")
	return append(out, '\n'), err
}

// rootsModule is the module that the certificates come from.
func rootsModule() (*debug.Module, error) {
	own, ok := debug.ReadBuildInfo()
	if ok {
		for _, m := range own.Deps {
			if m.Path == "golang.org/x/crypto/x509roots/fallback" {
				return m, nil
			}
		}
	}
	return nil, fmt.Errorf("this program does not say which version of the certificates it has: build it in module mode")
}

var notInReference = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// reference is a text as an SPDX id may be.
func reference(s string) string { return notInReference.ReplaceAllString(s, "-") }

// purl is a module's path as package URLs write it: lower case, each part escaped.
func purl(path string) string {
	parts := strings.Split(strings.ToLower(path), "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// An artifact is an OCI artifact: a manifest that says what its one blob is and
// which image it is about. It has no config and no platform.
type artifact struct {
	manifest []byte
	blob     v1.Layer
}

// emptyConfig is the config of artifacts, as OCI's image specification has it.
var emptyConfig = []byte("{}")

// referrer attaches an SBOM to an image.
func referrer(image v1.Image, sbom []byte, created time.Time) (v1.Image, error) {
	a := &artifact{blob: static.NewLayer(sbom, spdxType)}
	config, err := partial.Descriptor(static.NewLayer(emptyConfig, "application/vnd.oci.empty.v1+json"))
	if err != nil {
		return nil, err
	}
	blob, err := partial.Descriptor(a.blob)
	if err != nil {
		return nil, err
	}
	subject, err := partial.Descriptor(image)
	if err != nil {
		return nil, err
	}
	a.manifest, err = json.Marshal(v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: spdxType, Config: *config, Layers: []v1.Descriptor{*blob},
		Subject: subject, Annotations: map[string]string{"org.opencontainers.image.created": created.Format(time.RFC3339)}})
	if err != nil {
		return nil, err
	}
	return partial.CompressedToImage(a)
}

func (a *artifact) RawManifest() ([]byte, error)        { return a.manifest, nil }
func (a *artifact) RawConfigFile() ([]byte, error)      { return emptyConfig, nil }
func (a *artifact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// LayerByDigest is the one blob.
func (a *artifact) LayerByDigest(digest v1.Hash) (partial.CompressedLayer, error) {
	own, err := a.blob.Digest()
	if err != nil {
		return nil, err
	}
	if digest != own {
		return nil, fmt.Errorf("the SBOM's artifact has no blob %s", digest)
	}
	return a.blob, nil
}
