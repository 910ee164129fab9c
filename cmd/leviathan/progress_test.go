package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestABarIsOneLineThatGoesAway(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	b := newBar(&out, "verifying", func() time.Time { return now })
	b.at(10, 100)
	if out.Len() > 0 {
		t.Errorf("work that has just begun has a bar: %q", out.String())
	}
	now = now.Add(time.Second)
	b.at(50, 100)
	b.at(51, 100) // too soon to be drawn again
	if got := out.String(); got != "\rverifying  [############------------]  50 %  50 of 100" {
		t.Errorf("half of it shows %q", got)
	}
	out.Reset()
	now = now.Add(time.Second)
	b.at(150, 100)
	if got := strings.TrimSpace(out.String()); got != "verifying  [########################] 100 %  100 of 100" {
		t.Errorf("more than all shows %q", got)
	}
	out.Reset()
	now = now.Add(time.Minute)
	b.at(1, 0)
	if got := strings.TrimSpace(out.String()); got != "verifying  1m2s" {
		t.Errorf("work without a measure shows %q", got)
	}
	out.Reset()
	b.end()
	if got := out.String(); strings.Trim(got, "\r ") != "" || !strings.HasSuffix(got, "\r") || len(got) < len("verifying  1m2s") {
		t.Errorf("at the end it writes %q", got)
	}
}

func TestWhereNobodyWatchesThereIsNoBar(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var buffer bytes.Buffer
	for _, w := range []io.Writer{file, &buffer} {
		b := operatorHere().bar(w, "replaying")
		b.began = time.Now().Add(-time.Hour)
		b.at(1, 2)
		b.pulse()()
		b.end()
	}
	if info, err := file.Stat(); err != nil || info.Size() > 0 || buffer.Len() > 0 {
		t.Errorf("%v %v, %q", info, err, buffer.String())
	}
}

func TestReadingMovesTheBar(t *testing.T) {
	name := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(name, bytes.Repeat([]byte("x"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out bytes.Buffer
	b := newBar(&out, "reading", time.Now)
	b.began = time.Now().Add(-time.Hour)
	if _, err := io.ReadFull(b.reading(f), make([]byte, 250)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), " 25 %  250 of 1000") {
		t.Errorf("a quarter shows %q", out.String())
	}
}
