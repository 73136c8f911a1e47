#!/usr/bin/env bash
# The fair comparison of methods, from sampling to the committed tables and figures (figures/comparison/). Stopped, it
# goes on where it was. Needs the data sets of README (egfp_unmod_1_top20k, jurkat_3utr_mpra, simulated).
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../utils/wrapper.sh"
cd "$ROOT"

# compare MODEL FROM TO [more of method_comparison]: the same neurons of the same layers, by each method
compare() {
    local config="configs/comparison/$1.yaml"
    bash motif_discovery/single_thread_script/main.sh "$2" "$3" "$config"
    bash motif_discovery/max_seqlet/script/main.sh "$config" --from "$2" --to "$3"
    bash motif_discovery/tf_modisco/script/main.sh "$config" --from "$2" --to "$3"
    "$PYTHON" -m figures.method_comparison --config "$config" --layers "$2-$3" "${@:4}"
}
compare simulated 3 3 --truth data/simulated_truth.yaml
compare mrl_predictor 3 3
compare hl_predictor_mpra 3 3

[ -f data/literature_clusters.tsv ] ||
    "$PYTHON" -m generate_dataset.motif_database --config configs/datasets/motif_databases.yaml
figures=configs/comparison/figures.yaml
for figure in diversity quality logo_table; do "$PYTHON" -m "figures.$figure" --config "$figures"; done

# contribution against layer: all neurons
bash motif_contribution/script/run_search_maxact.sh 2 3 configs/interaction/mrl_predictor.yaml
bash motif_contribution/script/run_contribution.sh 2 3 configs/interaction/mrl_predictor.yaml
"$PYTHON" -m figures.contribution_layers --config "$figures" "models={mrl_predictor: 2-3}"

# interaction map: 16 neurons of conv5 of the model of simulated messages
bash motif_discovery/single_thread_script/main.sh 5 5 configs/comparison/simulated.yaml ind=0-16
bash motif_interaction/script/run_search_maxact.sh 5 5 configs/interaction/simulated.yaml
bash motif_interaction/script/run_fragment_location.sh 5 configs/interaction/simulated.yaml
bash motif_interaction/script/run_scr.sh 5 0 16 configs/interaction/simulated.yaml
"$PYTHON" -m figures.interaction_map --config "$figures" "models={simulated: 5}"
