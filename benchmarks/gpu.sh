#!/usr/bin/env bash
# What only a CUDA GPU can show, in parts; each prints its seconds and goes on when one fails.
#
#   bash benchmarks/gpu.sh check        the tests that are skipped without a GPU
#   bash benchmarks/gpu.sh search       a search with four trials on one GPU, report included
#   bash benchmarks/gpu.sh stacked      300 regression trials of 8 folds, as stacks of networks
#   bash benchmarks/gpu.sh throughput   an epoch of ours, of a bare loop and of stock Lightning
#   bash benchmarks/gpu.sh folds        eight folds as one stack, by hand, and by stock Lightning
#   bash benchmarks/gpu.sh fits         time and memory of 300 x 8 regression fits
#   bash benchmarks/gpu.sh networks     small CNNs: four processes on the GPU, and stacks of trials
#   bash benchmarks/gpu.sh race         one search by ours and by the hand-written loop
#   bash benchmarks/gpu.sh all          check, throughput, folds, fits, networks, race
#   bash benchmarks/gpu.sh push         a teacher, and the small networks that learn from it
#
# All figures and the seconds of each part are in one file at the end, $STUDIES/gpu.json.
#
# PYTHON: the interpreter; STUDIES: where studies and figures go; ARGS: more overrides for every
# study, such as "trainer.max_epochs=3"; LIMIT_S [240]: the most seconds of each part of all; ROUNDS
# [2], FITS [300], NETWORKS [64]: of throughput, fits and networks, whose data are NETWORKS_DATA
# [fashion_mnist]. Exit status 1 when any part failed.
set -uo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3} STUDIES=${STUDIES:-studies} ARGS=${ARGS:-} LIMIT_S=${LIMIT_S:-240}
LINES="$STUDIES/gpu.jsonl" RACE="$STUDIES/gpu_race.jsonl"
FAST="model.cuda_graph=true trainer.precision=bf16-mixed"
failed=0

timed() { # what, command...
    local what=$1 start=$SECONDS
    shift
    "$@"
    local status=$? seconds=$((SECONDS - start))
    echo "== $what: exit status $status after $seconds s"
    printf '{"benchmark": "parts", "part": "%s", "status": %d, "seconds": %d}\n' \
        "$what" "$status" "$seconds" >>"$LINES"
    ((status == 0)) || failed=1
}

benchmark() { # part, name, arguments...
    local part=$1 name=$2
    shift 2
    timed "$part" timeout "$LIMIT_S" "$PYTHON" -m "benchmarks.$name" "$@"
}

study() { # experiment, overrides...
    local experiment=$1
    shift
    # shellcheck disable=SC2086  # of several words
    "$PYTHON" -m lightning_hpo +experiment="$experiment" "$@" study.dir="$STUDIES/$experiment" $ARGS
}

check() {
    timed check timeout "$LIMIT_S" "$PYTHON" -m pytest -q -p no:cacheprovider -m gpu tests/unit
}

search() {
    timed search study cnn_dropout +budget=quick study.gpus_per_trial=0.25
}

stacked() {
    timed stacked study mlp_two_layers hydra/launcher=stacked
}

throughput() {
    benchmark throughput cnn --images 54000 --rounds "${ROUNDS:-2}" --to "$LINES"
}

folds() {
    benchmark folds folds --to "$LINES"
}

fits() {
    benchmark fits study --trials "${FITS:-300}" --launchers stacked --batches --to "$LINES"
}

networks() {
    # shellcheck disable=SC2086
    benchmark networks small_cnns --data "${NETWORKS_DATA:-fashion_mnist}" --folds 1 --slots 4 \
        --trials "${NETWORKS:-64}" --epochs 5 --batches 8 32 --rounds 1 --to "$LINES" $ARGS
}

race() {
    benchmark race race --seeds 1 --contenders ours,optuna --file "$RACE"
}

all() {
    check
    throughput
    folds
    fits
    networks
    race
}

push() {
    # shellcheck disable=SC2086
    timed teacher study teacher $FAST study.n_refits="${TEACHERS:-1}"
    # shellcheck disable=SC2086
    timed distilled study cnn_distilled $FAST study.n_refits="${REFITS:-3}" cv.final=false \
        model.distillation.teacher.checkpoint_path="$STUDIES/teacher/final/model.ckpt"
}

[[ $# -gt 0 ]] || { sed -n '2,21s/^# \{0,1\}//p' "$0"; exit 2; }
mkdir -p "$STUDIES"
: >"$LINES"
: >"$RACE"
for part in "$@"; do
    case $part in
        check | search | stacked | throughput | folds | fits | networks | race | all | push) "$part" ;;
        *) echo "benchmarks/gpu.sh must be told check, search, stacked, throughput, folds, fits, networks, race, all or push, got $part" >&2; exit 2 ;;
    esac
done
"$PYTHON" -m benchmarks.figures "$LINES" "$RACE" --to "$STUDIES/gpu.json" || failed=1
exit $failed
