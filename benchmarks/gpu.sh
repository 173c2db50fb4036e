#!/usr/bin/env bash
# What only a CUDA GPU can show, in parts; each prints its seconds and goes on when one fails.
#
#   bash benchmarks/gpu.sh check        the tests that are skipped without a GPU
#   bash benchmarks/gpu.sh search       a search with four trials on one GPU, report included
#   bash benchmarks/gpu.sh stacked      300 regression trials of 8 folds, as stacks of networks
#   bash benchmarks/gpu.sh throughput   an epoch of ours, of a bare loop and of stock Lightning
#   bash benchmarks/gpu.sh push         a teacher, and the small networks that learn from it
#
# PYTHON: the interpreter; STUDIES: where studies go; ARGS: more overrides for every study, such as
# "trainer.max_epochs=3". Exit status 1 when any part failed.
set -uo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3} STUDIES=${STUDIES:-studies} ARGS=${ARGS:-}
FAST="model.cuda_graph=true trainer.precision=bf16-mixed"
failed=0

timed() { # what, command...
    local what=$1 start=$SECONDS
    shift
    "$@"
    local status=$?
    echo "== $what: exit status $status after $((SECONDS - start)) s"
    ((status == 0)) || failed=1
}

study() { # experiment, overrides...
    local experiment=$1
    shift
    # shellcheck disable=SC2086  # of several words
    "$PYTHON" -m lightning_hpo +experiment="$experiment" "$@" study.dir="$STUDIES/$experiment" $ARGS
}

check() {
    timed check "$PYTHON" -m pytest -q -p no:cacheprovider -m gpu tests/unit
}

search() {
    timed search study cnn_dropout +budget=quick study.gpus_per_trial=0.25
}

stacked() {
    timed stacked study mlp_two_layers hydra/launcher=stacked
}

throughput() {
    timed throughput "$PYTHON" -m benchmarks.cnn --images 54000 --rounds 3
}

push() {
    # shellcheck disable=SC2086
    timed teacher study teacher $FAST study.n_refits="${TEACHERS:-1}"
    # shellcheck disable=SC2086
    timed distilled study cnn_distilled $FAST study.n_refits="${REFITS:-3}" cv.final=false \
        model.distillation.teacher.checkpoint_path="$STUDIES/teacher/final/model.ckpt"
}

[[ $# -gt 0 ]] || { sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 2; }
for part in "$@"; do
    case $part in
        check | search | stacked | throughput | push) "$part" ;;
        *) echo "benchmarks/gpu.sh must be told check, search, stacked, throughput or push, got $part" >&2; exit 2 ;;
    esac
done
exit $failed
