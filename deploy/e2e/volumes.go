package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// volumes makes every volume of the Pod and says where each lies.
func (p *pod) volumes(ctx context.Context) (map[string]string, error) {
	paths := map[string]string{}
	for i := range p.spec.Spec.Volumes {
		v := &p.spec.Spec.Volumes[i]
		path := p.node.Volume(p.spec.UID, v.Name)
		if c := v.PersistentVolumeClaim; c != nil {
			path = p.node.Claim(p.spec.Namespace, c.ClaimName)
		}
		if err := os.MkdirAll(path, 0o755); err != nil {
			return nil, err
		}
		if v.EmptyDir != nil || v.PersistentVolumeClaim != nil {
			if err := p.give(path, 0o775); err != nil {
				return nil, err
			}
		} else if err := p.project(ctx, v, path); err != nil {
			return nil, err
		}
		paths[v.Name] = path
	}
	return paths, nil
}

// project writes what the volume shows, as a kubelet does: into a new folder,
// to which one link is then turned.
func (p *pod) project(ctx context.Context, v *corev1.Volume, path string) error {
	files, mode, err := p.contents(ctx, v)
	if err != nil {
		return err
	}
	current, err := os.Readlink(filepath.Join(path, "..data"))
	if err == nil && same(filepath.Join(path, current), files) {
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	p.turns++
	fresh := "..turn-" + strconv.Itoa(p.turns)
	for name, data := range files {
		file := filepath.Join(path, fresh, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return err
		}
		if err := p.give(file, mode); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(path, fresh), 0o755); err != nil {
		return err
	}
	next := filepath.Join(path, "..data_tmp")
	if err := errors.Join(os.Symlink(fresh, next), os.Rename(next, filepath.Join(path, "..data"))); err != nil {
		return err
	}
	for name := range files {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(path, name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if current != "" {
		return os.RemoveAll(filepath.Join(path, current))
	}
	return nil
}

func same(dir string, files map[string][]byte) bool {
	for name, data := range files {
		if had, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(had) != string(data) {
			return false
		}
	}
	entries, err := os.ReadDir(dir)
	return err == nil && len(entries) == len(files)
}

// give makes a file the Pod's: of its group, which reads it.
func (p *pod) give(path string, mode int64) error {
	group := 0
	if c := p.spec.Spec.SecurityContext; c != nil && c.FSGroup != nil {
		group, mode = int(*c.FSGroup), mode|0o040
	}
	if Alone() {
		return os.Chmod(path, fs.FileMode(mode&0o777))
	}
	return errors.Join(os.Chown(path, 0, group), os.Chmod(path, fs.FileMode(mode&0o777)))
}

const usual int64 = 0o644

// contents is what a volume shows, by file.
func (p *pod) contents(ctx context.Context, v *corev1.Volume) (map[string][]byte, int64, error) {
	switch {
	case v.ConfigMap != nil:
		files, err := p.configMap(ctx, v.ConfigMap.Name, v.ConfigMap.Items, v.ConfigMap.Optional)
		return files, modeOf(v.ConfigMap.DefaultMode), err
	case v.Secret != nil:
		files, err := p.secret(ctx, v.Secret.SecretName, v.Secret.Items, v.Secret.Optional)
		return files, modeOf(v.Secret.DefaultMode), err
	case v.Projected != nil:
		files, err := p.projected(ctx, v)
		return files, modeOf(v.Projected.DefaultMode), err
	}
	return nil, 0, fmt.Errorf("the stand-in knows no volume like %s", v.Name)
}

func modeOf(mode *int32) int64 {
	if mode == nil {
		return usual
	}
	return int64(*mode)
}

func (p *pod) projected(ctx context.Context, v *corev1.Volume) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, s := range v.Projected.Sources {
		var part map[string][]byte
		var err error
		switch {
		case s.ConfigMap != nil:
			part, err = p.configMap(ctx, s.ConfigMap.Name, s.ConfigMap.Items, s.ConfigMap.Optional)
		case s.Secret != nil:
			part, err = p.secret(ctx, s.Secret.Name, s.Secret.Items, s.Secret.Optional)
		case s.DownwardAPI != nil:
			part = map[string][]byte{}
			for _, item := range s.DownwardAPI.Items {
				value, fieldErr := p.field(item.FieldRef)
				err = errors.Join(err, fieldErr)
				part[item.Path] = []byte(value)
			}
		case s.ServiceAccountToken != nil:
			part, err = p.token(ctx, v.Name, s.ServiceAccountToken)
		default:
			err = fmt.Errorf("the stand-in knows no source like that of volume %s", v.Name)
		}
		if err != nil {
			return nil, err
		}
		maps.Copy(files, part)
	}
	return files, nil
}

// token asks for the account's token, once for each place that shows it.
func (p *pod) token(ctx context.Context, volume string, s *corev1.ServiceAccountTokenProjection) (map[string][]byte, error) {
	key := volume + "/" + s.Path
	if p.tokens[key] == "" {
		var audiences []string
		if s.Audience != "" {
			audiences = []string{s.Audience}
		}
		got, err := p.node.Client.CoreV1().ServiceAccounts(p.spec.Namespace).CreateToken(ctx, p.spec.Spec.ServiceAccountName, &authv1.TokenRequest{Spec: authv1.TokenRequestSpec{
			Audiences: audiences, ExpirationSeconds: s.ExpirationSeconds,
			BoundObjectRef: &authv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: p.spec.Name, UID: p.spec.UID}}}, metav1.CreateOptions{})
		if err != nil {
			return nil, err
		}
		p.tokens[key] = got.Status.Token
	}
	return map[string][]byte{s.Path: []byte(p.tokens[key])}, nil
}

func (p *pod) configMap(ctx context.Context, name string, items []corev1.KeyToPath, optional *bool) (map[string][]byte, error) {
	m, err := p.node.shownConfigMap(ctx, p.spec.Namespace, name)
	if apierrors.IsNotFound(err) && optional != nil && *optional {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("configmap %q: %w", name, err)
	}
	all := map[string][]byte{}
	for k, v := range m.Data {
		all[k] = []byte(v)
	}
	maps.Copy(all, m.BinaryData)
	return choose(all, items)
}

func (p *pod) secret(ctx context.Context, name string, items []corev1.KeyToPath, optional *bool) (map[string][]byte, error) {
	s, err := p.node.Client.CoreV1().Secrets(p.spec.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && optional != nil && *optional {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("secret %q: %w", name, err)
	}
	return choose(s.Data, items)
}

func choose(all map[string][]byte, items []corev1.KeyToPath) (map[string][]byte, error) {
	if len(items) == 0 {
		return all, nil
	}
	files := map[string][]byte{}
	for _, item := range items {
		data, ok := all[item.Key]
		if !ok {
			return nil, fmt.Errorf("there is no key %q among %v", item.Key, slices.Sorted(maps.Keys(all)))
		}
		files[item.Path] = data
	}
	return files, nil
}

// field is what a Pod may know of itself.
func (p *pod) field(ref *corev1.ObjectFieldSelector) (string, error) {
	switch ref.FieldPath {
	case "metadata.name":
		return p.spec.Name, nil
	case "metadata.namespace":
		return p.spec.Namespace, nil
	case "metadata.uid":
		return string(p.spec.UID), nil
	case "spec.nodeName":
		return nodeName, nil
	case "spec.serviceAccountName":
		return p.spec.Spec.ServiceAccountName, nil
	case "status.podIP":
		return podIP, nil
	}
	return "", fmt.Errorf("the stand-in knows no field %s", ref.FieldPath)
}

// environment is a container's environment.
func (p *pod) environment(ctx context.Context, c *corev1.Container) ([]string, error) {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/home/nonroot", "HOSTNAME=" + p.spec.Name,
		"KUBERNETES_SERVICE_HOST=127.0.0.1", "KUBERNETES_SERVICE_PORT=" + apiPort}
	if len(c.EnvFrom) > 0 {
		return nil, errors.New("the stand-in knows no envFrom")
	}
	for _, e := range c.Env {
		value, from := e.Value, e.ValueFrom
		var err error
		switch {
		case from == nil:
		case from.SecretKeyRef != nil:
			value, err = p.keyOf(p.secret(ctx, from.SecretKeyRef.Name, nil, nil))(from.SecretKeyRef.Key, from.SecretKeyRef.Optional)
		case from.ConfigMapKeyRef != nil:
			value, err = p.keyOf(p.configMap(ctx, from.ConfigMapKeyRef.Name, nil, nil))(from.ConfigMapKeyRef.Key, from.ConfigMapKeyRef.Optional)
		case from.FieldRef != nil:
			value, err = p.field(from.FieldRef)
		default:
			err = fmt.Errorf("the stand-in knows no source like that of %s", e.Name)
		}
		if errors.Is(err, errLeftOut) {
			continue
		}
		if err != nil {
			return nil, err
		}
		env = append(env, e.Name+"="+value)
	}
	return env, nil
}

// errLeftOut says that an optional variable has no value.
var errLeftOut = errors.New("not set")

func (p *pod) keyOf(all map[string][]byte, err error) func(key string, optional *bool) (string, error) {
	return func(key string, optional *bool) (string, error) {
		value, ok := all[key]
		switch {
		case err == nil && ok:
			return string(value), nil
		case optional != nil && *optional && (err == nil || apierrors.IsNotFound(err)):
			return "", errLeftOut
		case err != nil:
			return "", err
		}
		return "", fmt.Errorf("couldn't find key %s", key)
	}
}
