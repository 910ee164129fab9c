package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/scheduler"
)

// clusterOptions are the flags of the launcher of Jobs.
type clusterOptions struct {
	kubeconfig, namespace, workerGateway string
	options                              scheduler.JobOptions
}

// connect adds the flags that say where Jobs are made.
func (o *clusterOptions) connect(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "`FILE` that names a Kubernetes API other than that of the cluster this runs in (kubernetes)")
	f.StringVar(&o.namespace, "namespace", "", "the one namespace in which Jobs are made (kubernetes; default this Pod's own, or that of the kubeconfig's context)")
	f.StringVar(&o.workerGateway, "worker-gateway", "", "`URL` by which workers reach the gateway (kubernetes; default the scheduler's own)")
}

// jobs adds the flags that say what all Jobs have in common.
func (o *clusterOptions) jobs(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.options.ServiceAccount, "worker-service-account", "leviathan-worker", "service account of the Jobs, without rights (kubernetes)")
	f.StringVar(&o.options.CPU, "worker-cpu", "500m", "CPU that a worker asks for (kubernetes)")
	f.StringVar(&o.options.WorkspaceSize, "workspace-size", "10Gi", "the most that a workspace may hold (kubernetes)")
}

// launcher is the launcher of Jobs of one target.
func (o *clusterOptions) launcher(client *gateway.Client, target gateway.TargetID, logger *slog.Logger) (*scheduler.Kubernetes, error) {
	api, namespace, err := scheduler.ConnectKubernetes(o.kubeconfig, logger)
	if err != nil {
		return nil, err
	}
	if o.namespace != "" {
		namespace = o.namespace
	}
	jobs := o.options
	if jobs.Target, jobs.GatewayURL = target, o.workerGateway; jobs.GatewayURL == "" {
		jobs.GatewayURL = client.URL()
	}
	return scheduler.NewKubernetes(scheduler.KubernetesConfig{Client: api, Namespace: namespace, Jobs: jobs, Gateway: client, Logger: logger})
}

// exampleAttempt stands for the id of an attempt in a template.
const exampleAttempt gateway.AttemptID = "01J00000000000000000000000"

func jobTemplateCommand() *cobra.Command {
	var o clusterOptions
	var config, agent string
	cmd := &cobra.Command{
		Use: "job-template", Args: cobra.NoArgs,
		Short: "Print the Job that an attempt would get",
		Long: `Print the Kubernetes Job that the scheduler would make for an attempt of the
target of an autonomy config, as YAML. Nothing is asked and nothing is made: the
attempt and the task are made up, and only their ids differ from a real one's.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return printJob(cmd.OutOrStdout(), o, config, agent) },
	}
	cmd.Flags().StringVar(&config, "config", "", "`FILE` with the autonomy config of one target (required)")
	cmd.Flags().StringVar(&agent, "agent", "", "agent of the attempt (default the config's default agent)")
	cmd.Flags().StringVar(&o.workerGateway, "worker-gateway", "", "`URL` by which workers reach the gateway (default the config's control_plane_url)")
	o.jobs(cmd)
	return cmd
}

// printJob renders the Job of a made-up attempt.
func printJob(w io.Writer, o clusterOptions, file, agent string) error {
	if file == "" {
		return errors.New("--config is required")
	}
	cfg, diagnostics, err := autonomy.Load(file)
	if err != nil {
		return err
	}
	if cfg == nil {
		lines := make([]string, 0, len(diagnostics))
		for _, d := range diagnostics {
			lines = append(lines, d.String())
		}
		return fmt.Errorf("the autonomy config is not valid:\n%s", strings.Join(lines, "\n"))
	}
	if agent == "" {
		agent = cfg.DefaultAgent
	}
	a, ok := cfg.Agent(agent)
	if !ok {
		return fmt.Errorf("%s has no agent %q", file, agent)
	}
	jobs := o.options
	if jobs.Target, jobs.GatewayURL = cfg.TargetID, o.workerGateway; jobs.GatewayURL == "" {
		jobs.GatewayURL = cfg.ControlPlaneURL
	}
	job, err := scheduler.WorkerJob(gateway.Reservation{AttemptID: exampleAttempt, TaskID: "example-task", AttemptNumber: 1, Branch: exampleAttempt.Branch(),
		TimeoutSeconds: cfg.AttemptTimeoutSeconds, Agent: agent,
		Worker: gateway.WorkerSpec{Image: cfg.WorkerImage, Namespace: cfg.WorkerNamespace, MemoryMB: a.MemoryMB, EnvFrom: a.EnvFrom}}, jobs)
	if err != nil {
		return err
	}
	text, err := yaml.Marshal(job)
	if err != nil {
		return fmt.Errorf("writing the Job: %w", err)
	}
	_, err = io.WriteString(w, strings.TrimSuffix(string(text), "status: {}\n"))
	return err
}
