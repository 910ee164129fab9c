// Command images makes Leviathan's container images out of one static binary:
// as OCI layouts, as archives for docker load and kind, each with its SBOM.
//
//	images build -binary FILE -out DIR    write both images, no daemon, no network
//	images push  -in DIR -registry NAME   send them to a registry, and say their digests
//	images pin   -in DIR …                write a kustomization with their digests
//
// It owns what is in an image: the binary, a user, /tmp, and the certificates
// of public authorities. It compiles nothing, and the same binary and flags give
// the same digests on every machine: no clock, no name of a file, no setting of
// the machine gets in. It never puts git, a shell or a package manager into an
// image; deploy/worker.Dockerfile shows how a team adds the binary to its own.
package main
