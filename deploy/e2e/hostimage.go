package e2e

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// An ImageSpec says what is added to an image of ours, as deploy/worker.Dockerfile
// adds what an agent needs.
type ImageSpec struct {
	// Base is an archive of `make images`.
	Base string
	// Programs are names in PATH, or paths, of this machine's programs. They come
	// with their libraries.
	Programs []string
	// Entrypoint takes the place of the image's own, if it is set.
	Entrypoint []string
	// Name is that of the new image, Archive the file that it is written to.
	Name, Archive string
}

// WriteImage makes an image with neither a network nor another image.
func WriteImage(s ImageSpec) error {
	image, err := tarball.ImageFromPath(s.Base, nil)
	if err != nil {
		return fmt.Errorf("reading %s: run make images: %w", s.Base, err)
	}
	packed, err := hostLayer(s.Programs)
	if err != nil {
		return err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed)), nil })
	if err != nil {
		return err
	}
	if image, err = mutate.AppendLayers(image, layer); err != nil {
		return err
	}
	if len(s.Entrypoint) > 0 {
		config, err := image.ConfigFile()
		if err != nil {
			return err
		}
		changed := *config.DeepCopy()
		changed.Config.Entrypoint = s.Entrypoint
		if image, err = mutate.Config(image, changed.Config); err != nil {
			return err
		}
	}
	tag, err := name.NewTag(s.Name)
	if err != nil {
		return err
	}
	return tarball.WriteToFile(s.Archive, tag, image)
}

// hostLayer packs programs of this machine and all that they load.
func hostLayer(programs []string) ([]byte, error) {
	files := map[string]bool{}
	for _, program := range programs {
		path, err := exec.LookPath(program)
		if err != nil {
			return nil, err
		}
		files[path] = true
		// It fails for a script and for a static program, which load nothing.
		out, err := exec.Command("ldd", path).Output()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			return nil, fmt.Errorf("asking what %s loads: %w", path, err)
		}
		for _, word := range strings.Fields(string(out)) {
			if filepath.IsAbs(word) {
				files[word] = true
			}
		}
	}
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	// Where /bin is /usr/bin, it is in the image as well.
	for _, folder := range []string{"/bin", "/sbin", "/lib", "/lib64"} {
		if to, err := os.Readlink(folder); err == nil {
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: strings.TrimPrefix(folder, "/"), Linkname: to, Mode: 0o777}); err != nil {
				return nil, err
			}
		}
	}
	done := map[string]bool{}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		folder, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return nil, err
		}
		at := filepath.Join(folder, filepath.Base(path))
		if done[at] {
			continue
		}
		done[at] = true
		data, err := os.ReadFile(at)
		if err != nil {
			return nil, err
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(at, "/"), Mode: 0o755, Size: int64(len(data))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
