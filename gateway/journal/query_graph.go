package journal

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"leviathan/gateway"
)

// A NodeFilter selects nodes of the graph.
type NodeFilter struct {
	Type   string
	Target gateway.TargetID
	Page
}

// An EdgeFilter selects edges of the graph. Node selects those that begin or
// end there.
type EdgeFilter struct {
	Type string
	Node string
	Page
}

const (
	nodeColumns = `id, type, target, state, external, properties, created_us, updated_us, seq`
	sqlNode     = `SELECT ` + nodeColumns + ` FROM node WHERE id = ?`
)

// scanNode reads a row of nodeColumns.
func scanNode(r row) (gateway.GraphNode, error) {
	n := gateway.GraphNode{
		Node:   gateway.Node{NodeID: r.str(0), NodeType: r.str(1), CreatedAt: r.time(6), UpdatedAt: r.time(7)},
		Target: gateway.TargetID(r.str(2)), State: r.str(3), External: r.bool(4),
	}
	if err := json.Unmarshal([]byte(r.str(5)), &n.Properties); err != nil {
		return n, fmt.Errorf("read node %s: %w", n.NodeID, err)
	}
	return n, nil
}

func scanEdge(r row) gateway.GraphEdge {
	return gateway.GraphEdge{EdgeType: r.str(0), Source: r.str(1), Sink: r.str(2), External: r.bool(3)}
}

// kinds are the types that a filter selects of all; a type that is none of
// them is the caller's mistake.
func kinds(chosen string, all []string) ([]string, error) {
	switch {
	case chosen == "":
		return all, nil
	case slices.Contains(all, chosen):
		return []string{chosen}, nil
	}
	return nil, &gateway.Error{Kind: gateway.Invalid, Field: "type", Detail: "type is one of " + strings.Join(all, ", ")}
}

// sqlNodes is the statement for a filter: each type by its own index, the
// newest of all. Several types may have a node of one record, so a page ends
// at a seq and a type, in the order of all types.
func sqlNodes(f NodeFilter, types []string, before int64, after string, limit int) (string, []any) {
	var branches []string
	var args []any
	all := gateway.NodeTypes()
	for _, typ := range types {
		var w where
		w.and("type = ?", typ)
		if f.Target != "" {
			w.and("target = ?", f.Target)
		}
		bound := before
		if after != "" && before < noBound && slices.Index(all, typ) > slices.Index(all, after) {
			bound++ // the page ended at an earlier type of this seq
		}
		w.and("seq < ?", bound)
		branches = append(branches, fmt.Sprintf("SELECT * FROM (SELECT %s, %d AS rank FROM node %s ORDER BY seq DESC LIMIT ?)", nodeColumns, slices.Index(all, typ), w.String()))
		args = append(append(args, w.args...), limit)
	}
	return strings.Join(branches, " UNION ALL ") + " ORDER BY seq DESC, rank LIMIT ?", append(args, limit)
}

// GraphNodes lists nodes, newest first; what others claimed is among them,
// marked external.
func (j *Journal) GraphNodes(ctx context.Context, f NodeFilter) (gateway.GraphNodeList, error) {
	out := gateway.GraphNodeList{Items: []gateway.GraphNode{}}
	types, err := kinds(f.Type, gateway.NodeTypes())
	if err != nil {
		return out, err
	}
	text, after, _ := strings.Cut(f.Token, ".")
	limit, before, err := Page{Limit: f.Limit, Token: text}.bounds()
	if err != nil {
		return out, err
	}
	sql, args := sqlNodes(f, types, before, after, limit+1)
	var last row
	err = j.list(ctx, "list nodes", func(db *conn) error {
		return db.query(ctx, sql, args, func(r row) error {
			if len(out.Items) == limit {
				out.NextPageToken = token(last.int64(8)) + "." + last.str(1)
				return nil
			}
			n, err := scanNode(r)
			out.Items, last = append(out.Items, n), slices.Clone(r)
			return err
		})
	})
	return out, err
}

// GraphNode is one node; found says whether there is one of that id.
func (j *Journal) GraphNode(ctx context.Context, id string) (n gateway.GraphNode, found bool, err error) {
	err = j.list(ctx, "read node", func(db *conn) error {
		n, found, err = oneNode(ctx, db, id)
		return err
	})
	return n, found, err
}

func oneNode(ctx context.Context, db *conn, id string) (gateway.GraphNode, bool, error) {
	r, found, err := db.one(ctx, sqlNode, id)
	if err != nil || !found {
		return gateway.GraphNode{}, false, err
	}
	n, err := scanNode(r)
	return n, true, err
}

// An edgeKey is an edge's place in the order of edges.
type edgeKey [3]string

func (k edgeKey) token() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(k[:], "\x00")))
}

func parseEdgeToken(text string) (edgeKey, error) {
	if text == "" {
		return edgeKey{}, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	parts := strings.Split(string(data), "\x00")
	if err != nil || len(parts) != 3 {
		return edgeKey{}, &gateway.Error{Kind: gateway.Invalid, Field: "page_token", Detail: "page_token is not one of this list's"}
	}
	return edgeKey(parts), nil
}

// sqlEdges is the statement for a filter: each type by the key or, for the
// edges that end at a node, by their own index.
func sqlEdges(f EdgeFilter, types []string, after edgeKey, limit int) (string, []any) {
	var branches []string
	var args []any
	branch := func(typ, text string, values ...any) {
		branches = append(branches, "SELECT * FROM (SELECT type, source, sink, external FROM edge WHERE type = ?"+text+
			" AND (type, source, sink) > (?, ?, ?) ORDER BY type, source, sink LIMIT ?)")
		args = append(args, typ)
		args = append(append(args, values...), after[0], after[1], after[2], limit)
	}
	for _, typ := range types {
		if f.Node == "" {
			branch(typ, "")
			continue
		}
		branch(typ, " AND source = ?", f.Node)
		branch(typ, " AND sink = ? AND source <> ?", f.Node, f.Node)
	}
	return strings.Join(branches, " UNION ALL ") + " ORDER BY type, source, sink LIMIT ?", append(args, limit)
}

// GraphEdges lists edges in order of type, source and sink.
func (j *Journal) GraphEdges(ctx context.Context, f EdgeFilter) (gateway.GraphEdgeList, error) {
	out := gateway.GraphEdgeList{Items: []gateway.GraphEdge{}}
	types, err := kinds(f.Type, gateway.EdgeTypes())
	if err != nil {
		return out, err
	}
	after, err := parseEdgeToken(f.Token)
	if err != nil {
		return out, err
	}
	limit, _, err := Page{Limit: f.Limit}.bounds()
	if err != nil {
		return out, err
	}
	sql, args := sqlEdges(f, types, after, limit+1)
	err = j.list(ctx, "list edges", func(db *conn) error {
		return db.query(ctx, sql, args, func(r row) error {
			if len(out.Items) == limit {
				last := out.Items[limit-1]
				out.NextPageToken = edgeKey{last.EdgeType, last.Source, last.Sink}.token()
				return nil
			}
			out.Items = append(out.Items, scanEdge(r))
			return nil
		})
	})
	return out, err
}
