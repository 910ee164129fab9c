// Reduces GitHub's OpenAPI descriptions to what the tests of gateway/forge
// read: every operation's method and path, and of the used operations the
// query parameters and the schema of the request body. See README.md.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [dir, out] = process.argv.slice(2);
const read = (name) => JSON.parse(readFileSync(join(dir, name), "utf8"));
const { version } = read("package.json");
const methods = ["get", "put", "post", "delete", "patch", "head", "options", "trace"];
const files = ["api.github.com", "ghec", "ghes-3.19"];

const used = `
GET /repos/{owner}/{repo}
GET /repos/{owner}/{repo}/pulls
POST /repos/{owner}/{repo}/pulls
GET /repos/{owner}/{repo}/pulls/{pull_number}
GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews
POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers
GET /repos/{owner}/{repo}/issues/{issue_number}/comments
POST /repos/{owner}/{repo}/issues/{issue_number}/comments
PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}
POST /repos/{owner}/{repo}/issues/{issue_number}/labels
GET /repos/{owner}/{repo}/commits/{ref}/check-runs
POST /repos/{owner}/{repo}/check-runs
PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}
GET /repos/{owner}/{repo}/branches/{branch}
GET /repos/{owner}/{repo}/branches/{branch}/protection
GET /repos/{owner}/{repo}/rules/branches/{branch}
GET /repos/{owner}/{repo}/contents/{path}
POST /app/installations/{installation_id}/access_tokens
GET /rate_limit
GET /user
`.trim().split("\n");

const plain = new Set(["description", "example", "examples", "title", "x-github-breaking-changes", "externalDocs"]);

// resolve puts what a reference names in its place and drops prose.
function resolve(spec, node, depth = 0) {
  if (depth > 40) throw new Error("references go round");
  if (Array.isArray(node)) return node.map((n) => resolve(spec, n, depth + 1));
  if (node === null || typeof node !== "object") return node;
  if (typeof node.$ref === "string") {
    let at = spec;
    for (const part of node.$ref.slice(2).split("/")) at = at[part.replaceAll("~1", "/").replaceAll("~0", "~")];
    return resolve(spec, at, depth + 1);
  }
  const kept = {};
  for (const [k, v] of Object.entries(node)) {
    // A property may be named like a word of the schema.
    if (k === "properties") kept[k] = Object.fromEntries(Object.entries(v).map(([p, s]) => [p, resolve(spec, s, depth + 1)]));
    else if (!plain.has(k)) kept[k] = resolve(spec, v, depth + 1);
  }
  return kept;
}

const operations = new Set();
const details = {};
for (const file of files) {
  const spec = read(join("generated", file + ".json"));
  for (const [path, item] of Object.entries(spec.paths)) {
    for (const method of methods.filter((m) => item[m])) {
      const name = method.toUpperCase() + " " + path;
      operations.add(name);
      if (file !== "api.github.com" || !used.includes(name)) continue;
      const op = resolve(spec, { parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])], requestBody: item[method].requestBody ?? null });
      details[name] = {
        query: Object.fromEntries(op.parameters.filter((p) => p.in === "query").map((p) => [p.name, p.schema])),
        body: op.requestBody?.content?.["application/json"]?.schema ?? null,
        bodyRequired: op.requestBody?.required ?? false,
      };
    }
  }
}
const missing = used.filter((name) => !details[name]);
if (missing.length) throw new Error("not described: " + missing.join(", "));
writeFileSync(out, JSON.stringify({ package: "@octokit/openapi", version, descriptions: files, operations: [...operations].sort(), used: details }, null, 1) + "\n");
