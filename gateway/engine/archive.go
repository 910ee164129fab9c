package engine

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/open-policy-agent/opa/v1/bundle"
)

// pack writes the files, which are sorted, as the one tar.gz that they have:
// no times, no owners, no modes but 0644, and stored rather than compressed,
// so that the bytes do not depend on a compressor's release.
func pack(files []file) ([]byte, error) {
	var buf bytes.Buffer
	zw, err := gzip.NewWriterLevel(&buf, gzip.NoCompression)
	if err != nil {
		return nil, fmt.Errorf("pack bundle: %w", err)
	}
	tw := tar.NewWriter(zw)
	for _, f := range files {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: "/" + f.name, Size: int64(len(f.data)), Mode: 0o644}
		if err := tw.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("pack bundle file %s: %w", f.name, err)
		}
		if _, err := tw.Write(f.data); err != nil {
			return nil, fmt.Errorf("pack bundle file %s: %w", f.name, err)
		}
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		return nil, fmt.Errorf("pack bundle: %w", err)
	}
	return buf.Bytes(), nil
}

// maxArchive is the most bytes that an archive may have: headers come on top of
// the files.
func (o Options) maxArchive() int64 { return o.maxBytes() + maxFiles*1024 }

func tooLarge(opts Options) error {
	return refuse(StepRead, "", nil, "the bundle is larger than %d bytes", opts.maxBytes())
}

// readAtMost reads an archive as far as one may be long.
func readAtMost(r io.Reader, opts Options) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, opts.maxArchive()+1))
	if err != nil {
		return nil, fmt.Errorf("read the bundle: %w", err)
	}
	if int64(len(data)) > opts.maxArchive() {
		return nil, tooLarge(opts)
	}
	return data, nil
}

// unpack reads the files of a tar.gz.
func unpack(ctx context.Context, archive []byte, opts Options) (content, error) {
	if int64(len(archive)) > opts.maxArchive() {
		return content{}, tooLarge(opts)
	}
	compressed := bytes.NewReader(archive)
	zr, err := gzip.NewReader(compressed)
	if err != nil {
		return content{}, refuse(StepRead, "", err, "not a gzip archive: %v", err)
	}
	zr.Multistream(false)
	c := collector{maxBytes: opts.maxBytes()}
	// Headers and files that are no part of a bundle count, too: a small
	// archive must not unpack without end.
	limited := io.LimitReader(zr, 2*c.maxBytes+maxFiles*2048)
	tr := tar.NewReader(limited)
	for entries := 0; ; entries++ {
		if err := ctx.Err(); err != nil {
			return content{}, refuse(StepRead, "", err, "%v", err)
		}
		header, err := tr.Next()
		if errors.Is(err, io.EOF) {
			if err := wholeArchive(limited, compressed); err != nil {
				return content{}, err
			}
			return c.finish()
		}
		if err != nil {
			return content{}, refuse(StepRead, "", err, "not a tar archive: %v", err)
		}
		if entries == maxEntries {
			return content{}, refuse(StepRead, "", nil, "the archive has more than %d entries", maxEntries)
		}
		if err := unpackEntry(&c, header, tr); err != nil {
			return content{}, err
		}
	}
}

// wholeArchive reads what follows the last entry, so that gzip compares its
// checksum: an archive that was cut or damaged is not taken for a whole one.
func wholeArchive(limited io.Reader, compressed *bytes.Reader) error {
	if _, err := io.Copy(io.Discard, limited); err != nil {
		return refuse(StepRead, "", err, "the archive is damaged: %v", err)
	}
	if n := compressed.Len(); n > 0 {
		return refuse(StepRead, "", nil, "%d bytes follow the archive", n)
	}
	return nil
}

func unpackEntry(c *collector, header *tar.Header, r io.Reader) error {
	name := strings.TrimPrefix(path.Clean("/"+header.Name), "/")
	for part := range strings.SplitSeq(header.Name, "/") {
		if part == ".." {
			return refuse(StepRead, header.Name, nil, "the path leaves the bundle")
		}
	}
	switch header.Typeflag {
	case tar.TypeDir, tar.TypeXGlobalHeader:
		return nil
	case tar.TypeReg:
	default:
		return refuse(StepRead, header.Name, nil, "not a regular file")
	}
	if isHidden(name) {
		return nil
	}
	return c.add(name, func() (io.ReadCloser, error) { return io.NopCloser(r), nil })
}

// isHidden reports whether the path is left out as it would be in a folder.
func isHidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") && !strings.HasPrefix(part, bundle.ManifestExt) && part != signatureFile {
			return true
		}
	}
	return false
}
