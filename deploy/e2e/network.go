package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// A Finder says where a connection is to be led.
type Finder func(ctx context.Context) (address string, err error)

// A network leads to the cluster's Services, and tells their names: what
// kube-proxy and the cluster's DNS do elsewhere, for one node.
type network struct {
	client kubernetes.Interface
	log    *slog.Logger

	mu       sync.Mutex
	names    map[string]netip.Addr
	fronts   map[string]net.Listener // by the address that they listen on
	services map[string]bool         // the addresses of fronts that are Services
	wg       sync.WaitGroup
}

// run is the network's life until ctx ends.
func (n *network) run(ctx context.Context, ready chan<- error) {
	n.fronts, n.services = map[string]net.Listener{}, map[string]bool{}
	socket, err := net.ListenPacket("udp", net.JoinHostPort(dnsAddress, "53"))
	if err == nil {
		n.wg.Go(func() { n.answerNames(socket) })
	}
	ready <- err
	if err != nil {
		return
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := n.follow(ctx); err != nil && ctx.Err() == nil {
			n.log.Error("following the Services", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	_ = socket.Close()
	n.mu.Lock()
	for _, front := range n.fronts {
		_ = front.Close()
	}
	n.mu.Unlock()
	n.wg.Wait()
}

// follow listens for each Service that there is, and for none that is gone.
func (n *network) follow(ctx context.Context) error {
	list, err := n.client.CoreV1().Services(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	want := map[string]bool{}
	for i := range list.Items {
		s := &list.Items[i]
		at, err := netip.ParseAddr(s.Spec.ClusterIP)
		if err != nil {
			continue // it has none, or wants none
		}
		n.name(s.Name+"."+s.Namespace+".svc.cluster.local", at)
		for _, port := range s.Spec.Ports {
			front := net.JoinHostPort(s.Spec.ClusterIP, strconv.Itoa(int(port.Port)))
			want[front] = true
			if err := n.front(ctx, front, n.endpoint(s.Namespace, s.Name, port.Name)); err != nil {
				return err
			}
			n.mu.Lock()
			n.services[front] = true
			n.mu.Unlock()
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for front := range n.services {
		if !want[front] {
			_ = n.fronts[front].Close()
			delete(n.fronts, front)
			delete(n.services, front)
		}
	}
	return nil
}

func (n *network) name(name string, at netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names[name] = at
}

// front leads what comes to an address to where find says.
func (n *network) front(ctx context.Context, address string, find Finder) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fronts[address] != nil {
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	n.fronts[address] = listener
	n.wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // it was closed
			}
			n.wg.Go(func() { n.lead(ctx, conn, find) })
		}
	})
	return nil
}

// lead connects two ends until one of them has had enough.
func (n *network) lead(ctx context.Context, from net.Conn, find Finder) {
	defer from.Close()
	address, err := find(ctx)
	if err != nil {
		n.log.Info("a connection leads nowhere", "to", from.LocalAddr(), "error", err)
		return
	}
	to, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		n.log.Info("a connection is refused", "to", address, "error", err)
		return
	}
	defer to.Close()
	stop := context.AfterFunc(ctx, func() { _ = from.Close(); _ = to.Close() })
	defer stop()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() {
			_, _ = io.Copy(way[1], way[0]) // the other end sees that it ended
			_ = way[1].(*net.TCPConn).CloseWrite()
		})
	}
	both.Wait()
}

// endpoint finds a Pod of a Service that is ready. That of the API server
// itself is known.
func (n *network) endpoint(namespace, service, port string) Finder {
	if namespace == corev1.NamespaceDefault && service == "kubernetes" {
		return func(context.Context) (string, error) { return "127.0.0.1:" + apiPort, nil }
	}
	return ServiceFinder(n.client, namespace, service, port)
}

// ServiceFinder finds a Pod of a Service that is ready, by the port's name.
func ServiceFinder(client kubernetes.Interface, namespace, service, port string) Finder {
	return func(ctx context.Context) (string, error) {
		slices, err := client.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service})
		if err != nil {
			return "", err
		}
		for _, slice := range slices.Items {
			for _, p := range slice.Ports {
				if p.Port == nil || p.Name == nil || *p.Name != port {
					continue
				}
				for _, e := range slice.Endpoints {
					if (e.Conditions.Ready == nil || *e.Conditions.Ready) && len(e.Addresses) > 0 {
						return net.JoinHostPort(e.Addresses[0], strconv.Itoa(int(*p.Port))), nil
					}
				}
			}
		}
		return "", fmt.Errorf("no Pod of %s is ready", service)
	}
}

// PodFinder finds a Pod by its name.
func PodFinder(client kubernetes.Interface, namespace, name string, port int) Finder {
	return func(ctx context.Context) (string, error) {
		pod, err := client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		if err == nil && pod.Status.PodIP == "" {
			err = errors.New("the Pod has no address yet")
		}
		if err != nil {
			return "", err
		}
		return net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(port)), nil
	}
}
