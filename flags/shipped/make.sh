#!/bin/sh
# Makes the shipped weights, gsr-net-coco, from nothing: ten training runs, one after the other, and three means.
#
#   sh flags/shipped/make.sh records/coco records/coco_held_out models
#
# Run it from the top folder of the repository. The arguments are the records of the COCO photographs to train on
# (python -m data_prep.coco), the records of photographs that are held out to validate on, and the folder for the
# results; the last of these is OUTPUT/gsr-net-coco.npz. With --dry-run before the arguments it prints its commands and
# does nothing. PYTHON names another interpreter than .venv/bin/python.
#
# It takes about six hours on 2 CPU cores. Ctrl-C stops it and the same command goes on: a run continues from its last
# checkpoint, and what has been made is not made again.
#
# The weights come out like the shipped ones, not equal to them bit for bit: threads add in another order in each run,
# the second run was trained in three stretches then (02_retouched.cfg), and copy-moves and shapes were drawn from other
# random numbers.
set -eu

dry_run=false
if [ "${1:-}" = --dry-run ]; then
    dry_run=true
    shift
fi
if [ $# -ne 3 ] || [ ! -e flags/shipped/make.sh ]; then
    echo "usage, in the repository's top folder: sh flags/shipped/make.sh [--dry-run] RECORDS HELD_OUT OUTPUT" >&2
    exit 2
fi
records=$1 held_out=$2 output=$3
python=${PYTHON:-.venv/bin/python}

run() {
    echo "$*"
    $dry_run || "$@"
}

# step NAME START RESULT [EXPORT FLAGS]: trains flags/shipped/NAME.cfg from START.npz (from ImageNet where it is "-")
# and exports RESULT.npz.
step() {
    name=$1 start=$2 result=$3
    shift 3
    if [ -e "$output/$result.npz" ]; then
        echo "$output/$result.npz exists: skipped"
        return
    fi
    initial=
    [ "$start" = - ] || initial=--initial_weights=$output/$start.npz
    run "$python" -m gsr_tf.train --flagfile="flags/shipped/$name.cfg" --run_dir="$output/runs/$name" \
        ${initial:+"$initial"} --source_records="$records" --target_records="$records" \
        --validation_records="$held_out" --validation_targets="$held_out"
    run "$python" -m gsr_tf.export --run_dir="$output/runs/$name" --checkpoint=newest --format=weights --size=288 \
        "$@" --output="$output/$result.npz"
}

m=$output
step 01_plain               -              01_plain
step 02_retouched           01_plain       02_retouched
step 03_copy_moves          02_retouched   second_weights --average_with="$m/02_retouched.npz"
step 04_short               second_weights 04_short
step 05_short_whole_regions second_weights 05_short_whole_regions
step 06_short_shapes        second_weights 06_short_shapes
step 07_whole_regions       second_weights third_weights \
    --average_with="$m/04_short.npz,$m/05_short_whole_regions.npz,$m/06_short_shapes.npz"
step 08_authentic           third_weights  08_authentic
step 09_wide_windows        third_weights  09_wide_windows
step 10_whole_pictures      third_weights  gsr-net-coco \
    --average_with="$m/third_weights.npz,$m/08_authentic.npz,$m/09_wide_windows.npz" \
    --centre=0.225 --scales=0.75,1,1.35
