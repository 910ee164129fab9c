package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"leviathan/scheduler"
)

const (
	kubeconfigVariable = "KUBECONFIG"
	inClusterVariable  = "KUBERNETES_SERVICE_HOST" // every Pod has it
	clusterNamespace   = "leviathan"               // of the manifests
)

// stopCluster are the flags that say in which cluster there is something to
// stop.
type stopCluster struct {
	kubeconfig, namespace, cronJob string
	none                           bool
}

func (s *stopCluster) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.kubeconfig, "kubeconfig", "", "`FILE` that names the cluster (default $"+kubeconfigVariable+", or the cluster that this runs in)")
	f.StringVar(&s.namespace, "namespace", "", "namespace of the CronJobs and Jobs (default that of the kubeconfig's context, or "+clusterNamespace+" where that is none or default)")
	f.StringVar(&s.cronJob, "cronjob", "", "`NAME` of the only CronJob to touch (default all of the target, by the label leviathan.dev/target or their --target)")
	f.BoolVar(&s.none, "no-cluster", false, "look for no cluster")
}

// fill gives an emergency its cluster, or says why it has none.
func (s *stopCluster) fill(cmd *cobra.Command, o operator, c *scheduler.EmergencyConfig) {
	asked := s.kubeconfig != "" || s.namespace != "" || s.cronJob != ""
	file, inside := s.kubeconfig, o.getenv(inClusterVariable) != ""
	if file == "" {
		file = o.getenv(kubeconfigVariable)
	}
	switch {
	case s.none && asked:
		c.ClusterProblem = errors.New("--no-cluster does not go with --kubeconfig, --namespace or --cronjob")
		return
	case s.none, file == "" && !inside && !asked:
		return
	case file == "" && !inside:
		c.ClusterProblem = errors.New("no cluster is named: say --kubeconfig FILE, or set " + kubeconfigVariable)
		return
	case s.kubeconfig == "" && len(filepath.SplitList(file)) > 1:
		c.ClusterProblem = fmt.Errorf("%s names several files: choose one with --kubeconfig", kubeconfigVariable)
		return
	}
	logger, err := newLogger("warn", cmd.ErrOrStderr())
	if err != nil {
		c.ClusterProblem = err
		return
	}
	api, namespace, err := scheduler.ConnectKubernetes(file, logger)
	if err != nil {
		c.ClusterProblem = err
		return
	}
	if namespace == "" || namespace == "default" {
		namespace = clusterNamespace
	}
	if s.namespace != "" {
		namespace = s.namespace
	}
	c.Cluster, c.Namespace, c.CronJob = api, namespace, s.cronJob
	c.CronJobExpected = asked || s.kubeconfig == "" && o.getenv(kubeconfigVariable) == ""
}
