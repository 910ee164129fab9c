package deploy_test

import (
	"path"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCredentialsAreHeldAsTheTopologySays(t *testing.T) {
	f := topology(t)
	each(t, func(t *testing.T, c *cluster) {
		got, want := map[string]bool{}, map[string]bool{}
		for _, p := range pods(t, c) {
			name := f.component(p.template.Labels)
			for _, e := range p.container().Env {
				if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
					got[name+" has "+e.ValueFrom.SecretKeyRef.Name+"/"+e.ValueFrom.SecretKeyRef.Key] = true
				}
			}
			for _, v := range p.spec().Volumes {
				if v.Secret != nil {
					if len(v.Secret.Items) == 0 {
						t.Errorf("%s mounts the whole Secret %s", p.owner, v.Secret.SecretName)
					}
					for _, item := range v.Secret.Items {
						got[name+" has "+v.Secret.SecretName+"/"+item.Key] = true
					}
				}
				if v.Projected == nil {
					continue
				}
				for _, s := range v.Projected.Sources {
					if s.ServiceAccountToken == nil {
						t.Errorf("%s: %s projects something else than a token", p.owner, v.Name)
						continue
					}
					got[name+" has a token for "+s.ServiceAccountToken.Audience] = true
					for _, m := range p.container().VolumeMounts {
						if arg := flags(p.container().Args)["--token-file"]; m.Name == v.Name && !slices.Equal(arg, []string{path.Join(m.MountPath, s.ServiceAccountToken.Path)}) {
							t.Errorf("%s: --token-file is %q, its token is at %s", p.owner, arg, path.Join(m.MountPath, s.ServiceAccountToken.Path))
						}
					}
					if e := s.ServiceAccountToken.ExpirationSeconds; e == nil || *e < 600 || *e > 3600 || s.ServiceAccountToken.Path != "token" {
						t.Errorf("%s: the token is valid for %v seconds", p.owner, e)
					}
				}
			}
		}
		for _, m := range of[*serviceMonitor](c) {
			for _, e := range m.Spec.Endpoints {
				if e.Authorization != nil {
					got["prometheus has "+e.Authorization.Credentials.Name+"/"+e.Authorization.Credentials.Key] = true
				}
			}
		}
		for _, credential := range f.Credentials {
			for _, holder := range credential.HeldBy {
				if holder == "worker" || !in(c, credential.Component) { // a worker's are the launcher's affair
					continue
				}
				for _, key := range credential.Keys {
					want[holder+" has "+credential.Name+"/"+key] = true
				}
				if credential.Audience != "" {
					want[holder+" has a token for "+credential.Audience] = true
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("credentials (-topology +manifests):\n%s", diff)
		}
	})
}
