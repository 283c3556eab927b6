package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// imageSizeLimitBytes is the layer's, compressed: a binary and a CA bundle, and no more.
const imageSizeLimitBytes = 30 << 20

// An ociArchive is the content of an OCI image layout in a tar file, by name.
type ociArchive map[string][]byte

// ociConfig is what a runtime takes from the image (OCI image specification, config.md).
type ociConfig struct {
	Architecture, OS string
	Config           struct {
		User         string
		Entrypoint   []string
		Cmd          []string
		Env          []string
		ExposedPorts map[string]struct{}
		Labels       map[string]string
		StopSignal   string
	}
}

// ociManifest names an image's config and layers by their digests.
type ociManifest struct {
	Config ociDescriptor
	Layers []ociDescriptor
}

type ociDescriptor struct{ MediaType, Digest string }

// buildImage builds the image as make image does.
func buildImage(t *testing.T) string {
	t.Helper()
	program(t, "buildah", "buildah")
	archive := filepath.Join(t.TempDir(), "holdfast.oci.tar")
	build := exec.Command("../../deploy/image.sh", staticBinary(t), archive, "holdfast:test")
	build.Env = append(os.Environ(), "VERSION=v1.2.3", "REVISION=0123abc", "SOURCE_DATE_EPOCH=1700000000")
	if out, err := build.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "CA bundle") {
			unableTo(t, string(out))
		}
		t.Fatalf("deploy/image.sh: %v\n%s", err, out)
	}
	return archive
}

func readArchive(t *testing.T, file string) ociArchive {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	files, _ := untar(t, f)
	return files
}

// untar reads a tar file whole: the content of files and the head of each entry.
func untar(t *testing.T, r io.Reader) (ociArchive, map[string]*tar.Header) {
	t.Helper()
	files, heads := make(ociArchive), make(map[string]*tar.Header)
	for archive := tar.NewReader(r); ; {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, heads
		}
		if err != nil {
			t.Fatal(err)
		}
		name := path.Clean(head.Name)
		heads[name] = head
		if files[name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

// blob decodes what a digest names, or returns it.
func (a ociArchive) blob(t *testing.T, d ociDescriptor, into any) []byte {
	t.Helper()
	content, ok := a["blobs/"+strings.Replace(d.Digest, ":", "/", 1)]
	if !ok || "sha256:"+sum(content) != d.Digest {
		t.Fatalf("the archive has no blob %s, or another", d.Digest)
	}
	if into != nil {
		if err := json.Unmarshal(content, into); err != nil {
			t.Fatal(err)
		}
	}
	return content
}

func TestImage(t *testing.T) {
	t.Parallel()
	file := buildImage(t)
	archive := readArchive(t, file)
	var index struct{ Manifests []ociDescriptor }
	if err := json.Unmarshal(archive["index.json"], &index); err != nil || len(index.Manifests) != 1 {
		t.Fatalf("index.json has %d manifests, %v", len(index.Manifests), err)
	}
	var manifest ociManifest
	var image ociConfig
	archive.blob(t, index.Manifests[0], &manifest)
	archive.blob(t, manifest.Config, &image)

	t.Run("it runs the binary as nobody, without a shell", func(t *testing.T) {
		c := image.Config
		if c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/holdfast"}) || !slices.Equal(c.Cmd, []string{"serve", "/site"}) || c.StopSignal != "SIGTERM" {
			t.Errorf("user %q, entry point %q, command %q, stop signal %q", c.User, c.Entrypoint, c.Cmd, c.StopSignal)
		}
		if ports := slices.Sorted(maps.Keys(c.ExposedPorts)); !slices.Equal(ports, []string{"8080/tcp", "8443/tcp", "9090/tcp"}) {
			t.Errorf("ports %q", ports)
		}
	})
	t.Run("it says what it is", func(t *testing.T) {
		for label, want := range map[string]string{"title": "holdfast", "version": "v1.2.3", "revision": "0123abc", "licenses": "MIT"} {
			if got := image.Config.Labels["org.opencontainers.image."+label]; got != want {
				t.Errorf("%s %q, want %q", label, got, want)
			}
		}
	})
	t.Run("its one layer has the binary and the CA bundle, and no more", func(t *testing.T) {
		if len(manifest.Layers) != 1 {
			t.Fatalf("%d layers", len(manifest.Layers))
		}
		layer := archive.blob(t, manifest.Layers[0], nil)
		if len(layer) > imageSizeLimitBytes {
			t.Errorf("the layer has %d bytes, which is more than a binary and a bundle", len(layer))
		}
		checkLayer(t, layer)
	})
	t.Run("one binary makes one image", func(t *testing.T) {
		var again struct{ Manifests []ociDescriptor }
		if err := json.Unmarshal(readArchive(t, buildImage(t))["index.json"], &again); err != nil || !slices.Equal(again.Manifests, index.Manifests) {
			t.Errorf("the second build is %v, the first %v; %v", again.Manifests, index.Manifests, err)
		}
	})
}

// checkLayer looks at the files of a compressed layer, and runs its binary.
func checkLayer(t *testing.T, layer []byte) {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(layer))
	if err != nil {
		t.Fatal(err)
	}
	files, heads := untar(t, unzipped)
	for name, head := range heads {
		switch {
		case head.Typeflag == tar.TypeReg && name != "holdfast" && name != "etc/ssl/certs/ca-certificates.crt":
			t.Errorf("%s is in the image", name)
		case fs.FileMode(head.Mode)&0o022 != 0:
			t.Errorf("others may write to %s: mode %o", name, head.Mode)
		}
	}
	if head := heads["holdfast"]; head == nil || head.Mode&0o777 != 0o755 {
		t.Fatalf("the binary: %+v", head)
	}
	if !bytes.Contains(files["etc/ssl/certs/ca-certificates.crt"], []byte("BEGIN CERTIFICATE")) {
		t.Error("the CA bundle has no certificate")
	}
	binary := filepath.Join(t.TempDir(), "holdfast")
	if err := os.WriteFile(binary, files["holdfast"], 0o755); err != nil {
		t.Fatal(err)
	}
	if r := runToEnd(t, "", binary, "version"); r.exit != 0 || !strings.HasPrefix(r.out, "holdfast ") {
		t.Errorf("the binary of the image: exit %d, %s%s", r.exit, r.out, r.stderr)
	}
}

func TestImageScriptRefuses(t *testing.T) {
	program(t, "buildah", "buildah")
	script := exec.Command("../../deploy/image.sh", staticBinary(t), filepath.Join(t.TempDir(), "x.tar"))
	script.Env = append(os.Environ(), "CA_BUNDLE=/nowhere")
	out, err := script.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no CA bundle at /nowhere") {
		t.Errorf("%v: %s", err, fmt.Sprintf("%.300s", out))
	}
}
