package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"leviathan/gateway"
)

func (o operator) token() *cobra.Command {
	return family("token", "The tokens of components", o.tokenCreate(), o.tokenList(), o.tokenRevoke())
}

func (o operator) tokenCreate() *cobra.Command {
	var out format
	var role, target, expires string
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a token; stdout gets it, once, and nothing else",
		Args:  cobra.NoArgs,
	}
	conn := o.connect(cmd)
	out.flag(cmd)
	cmd.Flags().StringVar(&role, "role", "", "the `ROLE`: scheduler, reader or ingest (required)")
	cmd.Flags().StringVar(&target, "target", "", "only for the target `ID`; without it, for all")
	cmd.Flags().StringVar(&expires, "expires-in", "720h", "how `LONG` it is good for, such as 36h or 30d")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !slices.Contains([]gateway.Role{gateway.RoleScheduler, gateway.RoleReader, gateway.RoleIngest}, gateway.Role(role)) {
			return fmt.Errorf("--role %q is not scheduler, reader or ingest", role)
		}
		id, whom, err := scope(target)
		if err != nil {
			return err
		}
		length, err := lengthOf(expires)
		if err != nil {
			return fmt.Errorf("--expires-in: %w", err)
		}
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		made, err := s.CreateToken(cmd.Context(), gateway.TokenRequest{Role: gateway.Role(role), Target: id, ExpiresIn: length.String()})
		if err != nil {
			return s.explain(cmd.Context(), "making a token", err)
		}
		return out.show(cmd, made, func(w io.Writer) error {
			if _, err := fmt.Fprintln(w, printable(made.Token)); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.ErrOrStderr(), "token %s: %s of %s, for %s. It is shown only now; end it with: leviathan token revoke %s\n",
				printable(made.ID), role, whom, span(length), printable(made.ID))
			return err
		})
	}
	return cmd
}

func (o operator) tokenList() *cobra.Command {
	var out format
	cmd := &cobra.Command{Use: "list", Short: "List tokens, without their secrets", Args: cobra.NoArgs}
	conn := o.connect(cmd)
	out.flag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		list, err := s.Tokens(cmd.Context())
		if err != nil {
			return s.explain(cmd.Context(), "listing tokens", err)
		}
		return out.show(cmd, list, func(w io.Writer) error {
			if len(list.Items) == 0 {
				_, err := fmt.Fprintln(w, "no token; make one with: leviathan token create --role ROLE")
				return err
			}
			g := newGrid(w, "TOKEN", "ROLE", "TARGET", "STATE", "CREATED", "EXPIRES")
			for _, t := range list.Items {
				target := string(t.Target)
				if target == "" {
					target = "all"
				}
				g.row(t.ID, string(t.Role), target, o.tokenState(t), shortTime(t.CreatedAt), shortTime(t.ExpiresAt))
			}
			return g.end()
		})
	}
	return cmd
}

func (o operator) tokenState(t gateway.TokenItem) string {
	switch {
	case !t.RevokedAt.IsZero():
		return "revoked " + relative(t.RevokedAt, o.now())
	case !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(o.now()):
		return "expired"
	}
	return "valid"
}

func (o operator) tokenRevoke() *cobra.Command {
	cmd := &cobra.Command{Use: "revoke ID", Short: "End a token at once", Args: named("ID")}
	conn := o.connect(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		if err := s.RevokeToken(cmd.Context(), args[0]); err != nil {
			return s.explain(cmd.Context(), "revoking token "+printable(args[0]), err)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "token %s is revoked\n", printable(args[0]))
		return err
	}
	return cmd
}
