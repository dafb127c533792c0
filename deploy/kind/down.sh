#!/bin/sh
# Ends what up.sh began: the clusters that its folder names, the router, the folder.
set -eu

folder=${1:-.cheops-kind}
if [ ! -f "$folder/mesh/mesh.json" ]; then
  echo "down.sh: $folder holds nothing of up.sh" >&2
  exit 2
fi
for keys in "$folder"/mesh/*/keys; do
  kind delete cluster --name "cheops-$(basename "$(dirname "$keys")")" --kubeconfig "$folder/kubeconfig"
done
docker rm -f cheops-router-1 >/dev/null 2>&1 || true  # up.sh may have ended before it began one
rm -r "$folder"
