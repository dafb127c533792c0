#!/bin/sh
# Sites on kind: a cluster each, with its own nats-server and services, and one router between them.
#
#     deploy/kind/up.sh [lyon,oslo] [FOLDER]      needs docker, kind, kubectl and `cheops` (make venv && . .venv/bin/activate)
#     deploy/kind/down.sh [FOLDER]
set -eu

sites=${1:-lyon,oslo}
folder=${2:-.cheops-kind}
image=${IMAGE:-cheops:kind}
router=cheops-router-1
root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)

for program in docker kind kubectl cheops; do
  command -v "$program" >/dev/null || { echo "up.sh: $program is not on the PATH" >&2; exit 2; }
done
if [ -e "$folder" ]; then
  echo "up.sh: $folder is there already (deploy/kind/down.sh $folder)" >&2
  exit 2
fi

docker build -q -f "$root/deploy/image/Containerfile" -t "$image" "$root" >/dev/null
mkdir -p "$folder"
cheops mesh init --sites "$sites" --routers 1 --at "router-1=$router:7422" --out "$folder/mesh"

port=14222
servers=
names=
for site in $(echo "$sites" | tr , ' '); do
  kind create cluster --name "cheops-$site" --kubeconfig "$folder/kubeconfig" --wait 180s
  kind load docker-image "$image" --name "cheops-$site"
  if [ -z "$servers" ]; then  # the network of kind is there from the first cluster on
    docker run -d --name "$router" --network kind --user "$(id -u):$(id -g)" -v "$(cd "$folder" && pwd)/mesh/routers/router-1:/nats:ro" -w /nats \
      "$image" nats-server -c server.conf >/dev/null
  fi
  cheops mesh manifests "$site" --out "$folder/mesh" --image "$image" --storage 1Gi \
    | kubectl --kubeconfig "$folder/kubeconfig" --context "kind-cheops-$site" apply --server-side -f -
  servers="$servers${servers:+, }\"$site\": {\"nats_url\": \"nats://127.0.0.1:$port\", \"keys\": \"mesh/$site/keys\"}"  # from where this file is
  names="$names${names:+, }\"$site\""
  port=$((port + 1))
done
printf '{"sites": [%s],\n "servers": {%s}}\n' "$names" "$servers" >"$folder/context.json"

port=14222
for site in $(echo "$sites" | tr , ' '); do
  for object in statefulset/nats deployment/cheops-watcher deployment/cheops-resolver deployment/cheops-executor; do
    kubectl --kubeconfig "$folder/kubeconfig" --context "kind-cheops-$site" -n cheops rollout status "$object" --timeout 180s
  done
  echo "kubectl --kubeconfig $folder/kubeconfig --context kind-cheops-$site -n cheops port-forward svc/nats $port:4222 &"
  port=$((port + 1))
done
echo "export CHEOPS_CONTEXT=$folder/context.json"
echo "cheops doctor"
