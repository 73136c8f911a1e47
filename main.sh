#!/usr/bin/env bash
# Fresh machine -> environment -> motifs of the embedded networks -> a report of each.
#   bash main.sh                  the demonstration: a few neurons of each network in model_weights/
#   bash main.sh FROM TO CONFIG   the layers FROM to TO of a config, such as: 2 2 configs/interpreting/hl_predictor.yaml
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/utils/environment.sh"
case "${1:-}" in -h | --help) sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}"; exit 0 ;; esac
if [ "$#" -gt 0 ] && [ "$#" -lt 3 ]; then
    printf 'usage: bash main.sh [FROM TO CONFIG [key=value ...]]\n' >&2
    exit 2
fi
environment "$ROOT/requirements.txt"
discover="$ROOT/motif_discovery/single_thread_script/main.sh"
if [ "$#" -gt 0 ]; then
    bash "$discover" "$@"
    settings=() # the report is of the same model and settings; it has no --neurons
    for argument in "${@:4}"; do case "$argument" in -*) ;; *=*) settings+=("$argument") ;; esac; done
    exec bash "$ROOT/report/build.sh" "$3" ${settings[@]+"${settings[@]}"}
fi
bash "$discover" 2 2 "$ROOT/configs/interpreting/hl_predictor_quick_start.yaml"
bash "$discover" 3 3 "$ROOT/configs/interpreting/mrl_predictor.yaml" ind=0-4
bash "$discover" 5 5 "$ROOT/configs/interpreting/hl_predictor_yeast.yaml" ind=11-12
models=(hl_predictor mrl_predictor hl_predictor_yeast)
for model in "${models[@]}"; do bash "$ROOT/report/build.sh" "$ROOT/configs/interpreting/$model.yaml"; done
printf 'reports, to be opened in a browser:\n'
for model in "${models[@]}"; do printf '  %s/report/%s/index.html\n' "$ROOT" "$model"; done
