package invariants

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"leviathan/invariants/facts"
)

// Document is the facts about the repository at dir, with its settings (see Options.Settings), as
// indented JSON: what every category's policy gets as its input, but for the
// key category.
func Document(ctx context.Context, dir, settingsFile string, binary facts.Binary) (_ []byte, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the repository: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	settings, err := LoadSettings(root, settingsFile)
	if err != nil {
		return nil, err
	}
	found, err := facts.Read(ctx, dir, settings.options(binary))
	if err != nil {
		return nil, err
	}
	parts, err := questionParts(found, settings)
	if err != nil {
		return nil, err
	}
	raw, err := parts.JSON()
	if err != nil {
		return nil, fmt.Errorf("write the facts: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return nil, fmt.Errorf("write the facts: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
