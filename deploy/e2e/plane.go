package e2e

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// The ports are fixed: the network is the tests' own.
const (
	apiPort  = "16443"
	etcdURL  = "http://127.0.0.1:12379"
	etcdPeer = "http://127.0.0.1:12380"
)

// A Plane is a running control plane.
type Plane struct {
	// Config reaches it as an administrator.
	Config *rest.Config
	// Kubeconfig is a file that says the same.
	Kubeconfig string

	dir string
	programs
}

// StartPlane starts the control plane of the program kube, with its files and
// logs in dir. It returns when the API is ready and namespaces get their
// service accounts.
func StartPlane(ctx context.Context, kube, dir string) (_ *Plane, err error) {
	p := &Plane{dir: dir, Kubeconfig: filepath.Join(dir, "admin.kubeconfig"), programs: programs{logs: dir}}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Stop())
		}
	}()
	if err := p.files(); err != nil {
		return nil, err
	}
	certs := filepath.Join(dir, "certs")
	if err := p.start("etcd", kube, "etcd", "--name=e", "--data-dir="+filepath.Join(dir, "etcd"), "--listen-client-urls="+etcdURL, "--advertise-client-urls="+etcdURL,
		"--listen-peer-urls="+etcdPeer, "--initial-advertise-peer-urls="+etcdPeer, "--initial-cluster=e="+etcdPeer, "--unsafe-no-fsync", "--logger=zap", "--log-level=warn"); err != nil {
		return nil, err
	}
	if err := p.start("kube-apiserver", kube, "kube-apiserver", "--etcd-servers="+etcdURL, "--bind-address=127.0.0.1", "--secure-port="+apiPort, "--advertise-address=127.0.0.1",
		"--cert-dir="+certs, "--service-cluster-ip-range=10.96.0.0/24", "--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+filepath.Join(dir, "sa.pub"), "--service-account-signing-key-file="+filepath.Join(dir, "sa.key"),
		"--token-auth-file="+filepath.Join(dir, "tokens.csv"), "--authorization-mode=Node,RBAC", "--anonymous-auth=false", "--allow-privileged=true",
		"--endpoint-reconciler-type=none", "--enable-admission-plugins=NodeRestriction", "--kubelet-preferred-address-types=Hostname"); err != nil {
		return nil, err
	}
	p.Config = &rest.Config{Host: "https://127.0.0.1:" + apiPort, BearerToken: "admintoken", QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAFile: filepath.Join(certs, "apiserver.crt")}}
	if err := p.ready(ctx); err != nil {
		return nil, err
	}
	if err := p.writeKubeconfig(p.Kubeconfig, "admintoken"); err != nil {
		return nil, err
	}
	manager := filepath.Join(dir, "kcm.kubeconfig")
	if err := p.writeKubeconfig(manager, "kcmtoken"); err != nil {
		return nil, err
	}
	if err := p.start("kube-controller-manager", kube, "kube-controller-manager", "--kubeconfig="+manager, "--authentication-kubeconfig="+manager, "--authorization-kubeconfig="+manager,
		"--bind-address=127.0.0.1", "--secure-port=16444", "--cert-dir="+filepath.Join(dir, "kcm-certs"), "--service-account-private-key-file="+filepath.Join(dir, "sa.key"),
		"--root-ca-file="+filepath.Join(certs, "apiserver.crt"), "--use-service-account-credentials=true", "--leader-elect=false"); err != nil {
		return nil, err
	}
	return p, p.accounts(ctx)
}

// files makes what the programs read: keys of service accounts, and tokens.
func (p *Plane) files() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{
		"sa.key": pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
		"sa.pub": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
		"tokens.csv": []byte("admintoken,admin,admin,\"system:masters\"\nkcmtoken,system:kube-controller-manager,kcm,\n" +
			"schedulertoken,system:kube-scheduler,scheduler,\nnodetoken,system:node:" + KubeletName + ",node,\"system:nodes\"\n"),
	} {
		if err := os.WriteFile(filepath.Join(p.dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// ready waits until the API says that it is ready.
func (p *Plane) ready(ctx context.Context) error {
	return Eventually(ctx, 2*time.Minute, "the API server is ready", func(ctx context.Context) error {
		if _, err := os.Stat(p.Config.CAFile); err != nil {
			return err
		}
		client, err := kubernetes.NewForConfig(p.Config)
		if err != nil {
			return err
		}
		body, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		if err == nil && strings.TrimSpace(string(body)) != "ok" {
			err = errors.New(string(body))
		}
		return err
	})
}

// accounts waits until the controllers work: namespaces have their account.
func (p *Plane) accounts(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(p.Config)
	if err != nil {
		return err
	}
	return Eventually(ctx, 2*time.Minute, "the controllers make service accounts", func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

func (p *Plane) writeKubeconfig(name, token string) error {
	c := clientcmdapi.NewConfig()
	c.Clusters["e2e"] = &clientcmdapi.Cluster{Server: p.Config.Host, CertificateAuthority: p.Config.CAFile}
	c.AuthInfos["e2e"] = &clientcmdapi.AuthInfo{Token: token}
	c.Contexts["e2e"] = &clientcmdapi.Context{Cluster: "e2e", AuthInfo: "e2e", Namespace: "leviathan"}
	c.CurrentContext = "e2e"
	return clientcmd.WriteToFile(*c, name)
}

// Eventually tries until try succeeds, and otherwise says what was seen last.
func Eventually(ctx context.Context, within time.Duration, what string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %s, and it is not so that %s: %w", within, what, last)
		case <-tick.C:
		}
	}
}
